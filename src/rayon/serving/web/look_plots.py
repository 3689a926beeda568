"""Plots of what a look found, which a page fetches after itself: drawing takes longer than a page may."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from rayon.errors import NotFoundError
from rayon.reports.drift_changes import bin_name
from rayon.reports.wording import Wording
from rayon.serving.auth import Reviewer
from rayon.serving.services import Services, services
from rayon.serving.web.languages import N_, Formats, Language, language_of, translator
from rayon.serving.web.rendering import render_page
from rayon.store.monitoring import MonitoringRun, find_run, list_runs

router = APIRouter()
OVER_TIME = {
    "accuracy": N_("Accuracy"),
    "weighted_f1": N_("Weighted F1"),
    "accepted_precision": N_("Right if accepted"),
    "overconfidence": N_("Overconfidence, in points"),
}
"""What is drawn over time: the name of a figure in reports, and in words."""

_HISTORY = 80
_RunId = Annotated[int, Path(ge=1, le=2**31 - 1)]

# Texts of rayon.reports that plots and pages show.
_OF_PLOTS = (
    *(N_("Jan"), N_("Feb"), N_("Mar"), N_("Apr"), N_("May"), N_("Jun")),
    *(N_("Jul"), N_("Aug"), N_("Sep"), N_("Oct"), N_("Nov"), N_("Dec")),
    N_("Predictions of each day, and how many of them were accepted"),
    N_("Predictions of each week, and how many of them were accepted"),
    N_("Predictions of each month, and how many of them were accepted"),
    N_("Predictions of each year, and how many of them were accepted"),
    N_("accepted"),
    N_("sent to review"),
    N_("%(figure)s, over time"),
    N_("Reliability diagram: share of right answers against confidence"),
    N_("share that is right"),
    N_("listings"),
    N_("confidence"),
    N_("Shares of %(signal)s"),
    N_("training"),
    N_("the window before"),
    N_("now"),
)
_OF_SIGNALS = (
    *(N_("length of text"), N_("Characters of title and description")),
    *(N_("language"), N_("Guessed from title and description")),
    *(N_("unknown words"), N_("Share of a listing's words that training hardly knows")),
    *(N_("parts of listings"), N_("Whether they have text, a readable picture, or both")),
    *(N_("brightness"), N_("How light pictures are on average")),
    *(N_("contrast"), N_("How far light and dark are apart in a picture")),
    *(N_("colourfulness"), N_("From grey to vivid")),
    *(N_("sharpness"), N_("Low for blurred pictures, high for busy ones")),
    *(N_("white border"), N_("Share of the pixels near the edge that are almost white")),
    *(N_("busy border"), N_("0 for a plain background, more for a scene")),
    *(N_("picture format"), N_("Width divided by height")),
    *(N_("confidence"), N_("How sure the model says it is")),
    *(N_("predicted codes"), N_("How often each code is the answer")),
    N_("codes of doubtful answers"),
    N_("How often each code is the answer where the model is unsure"),
)
_OF_BINS = (
    *(N_("French"), N_("English"), N_("German"), N_("Spanish"), N_("Italian")),
    *(N_("Other"), N_("Not recognised"), N_("other codes"), N_("all")),
    *(N_("text and picture"), N_("text"), N_("picture"), N_("nothing")),
)
_ONE_SIDED = {"up to": N_("up to %(n)s"), "below": N_("below %(n)s"), "above": N_("above %(n)s")}
_INTERVAL = re.compile(r"(?:(?P<start>up to|below|above) )?(?P<low>[-+.\de]+)(?: to (?P<high>[-+.\de]+))?")


@router.get("/monitoring/{run_id:int}/plots/{name}.svg")
def plot(request: Request, _user: Reviewer, run_id: _RunId, name: str) -> Response:
    """Draw one plot."""
    served, language = services(request), language_of(request)
    drawn = served.plots.get((run_id, name, language), lambda: _draw(request, run_id, name))
    # A look never changes; what is on it depends on the language.
    headers = {"Cache-Control": "private, max-age=86400", "Vary": "Accept-Language, Cookie"}
    return Response(drawn, media_type="image/svg+xml", headers=headers)


@router.get("/monitoring/{run_id:int}/history")
def history(request: Request, _user: Reviewer, run_id: _RunId, whole: str = "") -> Response:
    """Show how it went up to a look: as a part that a page loads, or as a page of its own."""
    run, before = _history(services(request), run_id)
    runs = [run, *before]
    return render_page(
        request,
        "monitoring_history_page.html.j2" if whole else "monitoring_history.html.j2",
        run=run,
        runs=runs,
        figures={
            figure: name
            for figure, name in OVER_TIME.items()
            if any(one.report["quality"][figure] for one in runs)
        },
        promised=any(one.report["promise"] for one in runs),
        others=sorted({one.model for one in before if one.report["version"] != run.report["version"]}),
    )


def wording_of(request: Request) -> Wording:
    """How plots say things in the language of the page."""
    language = language_of(request)
    return Wording(partial(_say, language), Formats(language).number)


def bin_namer(request: Request, report: Mapping[str, Any]) -> Callable[[str, str], str]:
    """Make what names a bin of a signal, in the language of the page."""
    labels, wording = _labels(request, report), wording_of(request)
    return lambda signal, label: bin_name(signal, label, labels, wording)


def _say(language: Language, text: str) -> str:
    """A text of a plot; what intervals are called is made of words and figures."""
    say = translator(language)
    if found := _INTERVAL.fullmatch(text):
        start, low, high = found["start"], _figure(found["low"], language), _figure(found["high"], language)
        if start is None:
            return say(N_("%(low)s to %(high)s")) % {"low": low, "high": high} if high else low
        return say(_ONE_SIDED[start]) % {"n": low}
    return say(text)


def _figure(text: str | None, language: Language) -> str:
    return (text or "").replace(".", "," if language == "fr" else ".")


def _draw(request: Request, run_id: int, name: str) -> str:
    # Matplotlib takes half a second to load, and memory: only a process that draws does it.
    from rayon.reports.monitoring import monitoring_plot

    run, before = _history(services(request), run_id, name in OVER_TIME)
    earlier = [one.report for one in reversed(before)]
    drawn = monitoring_plot(name, run.report, earlier, _labels(request, run.report), wording_of(request))
    if drawn is None:
        raise NotFoundError("There is no such plot", "Load the page again")
    return drawn


def _history(served: Services, run_id: int, wanted: bool = True) -> tuple[MonitoringRun, list[MonitoringRun]]:
    """A look and, where they are wanted, those before it, newest first."""
    with served.database.read() as connection:
        run = find_run(connection, run_id)
        before = list_runs(connection, run_id, _HISTORY - 1) if wanted else []
    if run is None:
        raise NotFoundError(f"There is no look {run_id}", "The journal lists them")
    return run, before


def _labels(request: Request, report: Mapping[str, Any]) -> dict[str, str]:
    """Labels of all codes, those that the model does not know any more as they were."""
    stored = {one["code"]: one["label"] for one in report["quality"]["codes"]}
    language, taxonomy = language_of(request), services(request).model.taxonomy_
    return {**stored, **{one.code: one.label(language) for one in taxonomy}}
