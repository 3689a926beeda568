"""Monitoring: what looks at the live service found, with plots that come after the page."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import escape

from rayon.errors import NotFoundError, RayonError
from rayon.serving.api import monitoring as api
from rayon.serving.auth import Reviewer
from rayon.serving.lifecycle_schemas import LookIn
from rayon.serving.services import Services, services
from rayon.serving.web.languages import N_, Language, language_of, translator
from rayon.serving.web.rendering import redirect, render_page
from rayon.store.monitoring import MonitoringRun, find_run, list_runs

router = APIRouter()
RunId = Annotated[int, Path(ge=1, le=2**31 - 1)]
PLOTS = ("volumes", "accuracy", "weighted_f1", "accepted_precision", "overconfidence", "reliability")
_JOURNAL = 15
_HISTORY = 120
_MAX_CODES = 40
_ONE_AT_A_TIME = threading.Lock()
"""Matplotlib keeps settings for the whole process while it draws."""

_WORDS_OF_PLOTS = (
    N_("accepted"),
    N_("sent to review"),
    N_("share that is right"),
    N_("listings"),
    N_("confidence"),
)


@router.get("/monitoring")
def latest(request: Request, _user: Reviewer) -> Response:
    """Show what the last look found."""
    return _page(request)


@router.post("/monitoring")
def look(request: Request, user: Reviewer) -> Response:
    """Have the live service looked at now; the browser waits for some seconds."""
    try:
        api.look(request, user, LookIn())
    except RayonError as error:
        return _page(request, error=error)
    return redirect("/monitoring", "looked")


@router.get("/monitoring/{run_id}")
def one(request: Request, _user: Reviewer, run_id: RunId) -> Response:
    """Show what an earlier look found."""
    return _page(request, run_id)


@router.get("/monitoring/{run_id}/plots/{name}")
def plot(request: Request, _user: Reviewer, run_id: RunId, name: str) -> Response:
    """Draw one plot; a part of the page that is fetched after it."""
    served = services(request)
    run = _run(served, run_id)
    if run is None or name not in PLOTS:
        raise NotFoundError("There is no such plot", "Load the page again")
    with served.database.read() as connection:
        runs = list_runs(connection, run.id, _HISTORY) if name not in ("volumes", "reliability") else []
    drawn = _draw(name, run.report, [one.report for one in reversed(runs)], language_of(request))
    answer = HTMLResponse(drawn)
    answer.headers["Cache-Control"] = "private, max-age=86400"  # a look never changes
    answer.headers["Vary"] = "Accept-Language, Cookie"
    return answer


def _draw(name: str, report: dict[str, Any], before: Sequence[dict[str, Any]], language: Language) -> str:
    # Drawing takes its time, and half a second more the first time; pages do without.
    from rayon.reports.monitoring import monitoring_plot

    with _ONE_AT_A_TIME:
        drawn = monitoring_plot(name, report, before)
    say = translator(language)
    if drawn is None:
        return f"<p>{escape(say(N_('There is nothing to draw yet.')))}</p>"
    words = {text: say(text) for text in _WORDS_OF_PLOTS}
    return re.sub(r">([^<>]+)</text>", lambda found: f">{words.get(found[1], found[1])}</text>", drawn)


def _page(request: Request, run_id: int | None = None, error: RayonError | None = None) -> Response:
    served = services(request)
    with served.database.read() as connection:
        journal = list_runs(connection, limit=_JOURNAL)
    run = _run(served, run_id) if run_id else (journal[0] if journal else None)
    if run is None and run_id:
        raise NotFoundError(f"There is no look {run_id}", "The page Monitoring lists them")
    report: dict[str, Any] | None = run.report if run else None
    return render_page(
        request,
        "monitoring.html.j2",
        error.status if error else 200,
        run=run,
        report=report,
        codes=_by_need(report["quality"]["codes"])[:_MAX_CODES] if report else [],
        signals=_drifted_first(report["drift"]["signals"]) if report and report["drift"] else [],
        journal=journal,
        plots=PLOTS,
        brake=served.recorder.brake,
        error=error,
    )


def _run(served: Services, run_id: int) -> MonitoringRun | None:
    with served.database.read() as connection:
        return find_run(connection, run_id)


def _by_need(codes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The codes with most listings that are wrong beyond doubt first."""
    return sorted(
        codes, key=lambda one: (-one["listings"] * (1 - one["precision"]["high"]), -one["listings"])
    )


def _drifted_first(signals: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    order = {"drift": 0, "stable": 1}
    return sorted(signals, key=lambda one: (order.get(one["verdict"], 2), -(one["psi"] or 0)))
