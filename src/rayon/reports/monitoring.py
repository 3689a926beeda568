"""The report of monitoring: does the live service need attention, and what has changed, on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from rayon import __version__
from rayon.learning.curves import ReliabilityBin
from rayon.reports.codes import by_need
from rayon.reports.drift import change_plot, drift_view
from rayon.reports.drift_changes import change_of, has_drifted, ranked_signals
from rayon.reports.html import percent, render_page, write_file
from rayon.reports.monitoring_cards import monitoring_cards
from rayon.reports.monitoring_plots import (
    Look,
    history_plot,
    overconfidence_plot,
    thinned,
    volume_plot,
)
from rayon.reports.plots import reliability_plot
from rayon.reports.volumes import bars_of, utc
from rayon.reports.wording import ENGLISH, Wording

MAX_CODES = 60
"""Codes that the page lists, so that it stays small whatever the taxonomy."""

_PLACES = {"promise": "quality", "quality": "quality", "confidence": "reliability", "drift": "drift"}
_SECTIONS = [
    ("quality", "Quality"),
    ("volumes", "Volumes"),
    ("history", "Over time"),
    ("reliability", "Reliability"),
    ("codes", "Codes"),
    ("drift", "Drift"),
]


def write_monitoring_report(
    path: Path,
    document: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]] = (),
    *,
    title: str = "Monitoring",
) -> Path:
    """Write the page.

    Parameters
    ----------
    path
        The file; an older one is replaced.
    document
        What a look at the live service found, JSON-ready, as the journal of monitoring keeps it.
    history
        What earlier looks found, of whatever models, the oldest first.
    title
        What was looked at, in a few words.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    path = Path(path)
    write_file(path, _page(document, history, title))
    return path


def monitoring_plot(
    name: str,
    document: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]] = (),
    labels: Mapping[str, str] | None = None,
    wording: Wording = ENGLISH,
) -> Markup | None:
    """One plot of the page.

    Parameters
    ----------
    name
        ``"volumes"``, ``"reliability"``, or a figure over time: ``"accuracy"``, ``"weighted_f1"``,
        ``"accepted_precision"`` or ``"overconfidence"``; or ``"drift-"`` with the name of a signal.
    document, history
        As for `write_monitoring_report`.
    labels
        Code to label, of the codes whose label is known.
    wording
        The language.

    Returns
    -------
    Markup or None
        ``None`` where there is no such plot, or nothing to draw.
    """
    if name == "volumes" and document["volume"]["predictions"]:
        since, until = utc(document["since"]), utc(document["until"])
        return volume_plot(*bars_of(document["volume"]["days"], since, until), wording)
    if name == "reliability" and document["reliability"]:
        return reliability_plot([ReliabilityBin(**one) for one in document["reliability"]], wording)
    if name.startswith("drift-") and document["drift"]:
        signal = name.removeprefix("drift-")
        drifted = [one for one in ranked_signals(document["drift"]) if one[0]["name"] == signal]
        found = [change_of(one) for one in drifted if has_drifted(one)]
        return change_plot(found[0], labels or {}, wording) if found else None
    shown = [one for one in _figures(document) if one[1] == name]
    documents = [*history, document]
    return _over_time(documents, document["version"], *shown[0], wording) if shown else None


def _page(document: Mapping[str, Any], history: Sequence[Mapping[str, Any]], title: str) -> str:
    quality = document["quality"]
    since, until = utc(document["since"]), utc(document["until"])
    unit, bars = bars_of(document["volume"]["days"], since, until)
    window = f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"
    bins = [ReliabilityBin(**one) for one in document["reliability"]]
    codes = by_need(quality["codes"])
    return render_page(
        "monitoring.html.j2",
        title=title,
        subtitle="",
        facts={
            "Window": window,
            "Model": document["model"],
            "Looked at": f"{utc(document['at']):%Y-%m-%d %H:%M} UTC",
        },
        version=__version__,
        sections=_SECTIONS,
        document=document,
        quality=quality,
        verdict=_verdict(document),
        missing=[_sentence(one) for one in document["missing"]],
        cards=monitoring_cards(document),
        level=f"{100 * quality['confidence']:g}",
        unit=unit,
        volumes=volume_plot(unit, bars) if document["volume"]["predictions"] else None,
        history=_history(document, history),
        reliability=reliability_plot(bins) if bins else None,
        codes=codes[:MAX_CODES],
        more_codes=max(0, len(codes) - MAX_CODES),
        drift=drift_view(document["drift"], {one["code"]: one["label"] for one in codes}),
    )


def _verdict(document: Mapping[str, Any]) -> dict[str, Any]:
    found = document["attention"]
    if len(found) == 1:
        tone, sentence = "bad", "One thing needs attention."
    elif found:
        tone, sentence = "bad", f"{len(found)} things need attention."
    elif not document["volume"]["predictions"]:
        tone, sentence = "quiet", "There are no predictions in this window."
    elif document["missing"]:
        tone, sentence = "quiet", "Nothing that can be judged needs attention."
    else:
        tone, sentence = "good", "Nothing needs attention."
    lines = [
        {"place": _PLACES.get(one["kind"], "quality"), "kind": one["kind"], "text": _sentence(one["message"])}
        for one in found
    ]
    return {
        "tone": tone,
        "sentence": sentence,
        "lines": lines,
        "promise": _promise_sentence(document["promise"]),
    }


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _promise_sentence(promise: Mapping[str, Any] | None) -> str:
    if promise is None:
        return "Nothing was promised for the accepted listings."
    if promise["verdict"] != "kept":
        return ""
    return (
        f"The promised precision of {percent(promise['promise'])} is kept: {promise['n_right']:,} of "
        f"{promise['n']:,} audited accepted listings are right."
    )


def _history(document: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    documents = [*history, document]
    plots = [
        (name, _over_time(documents, document["version"], name, figure, before))
        for name, figure, before in _figures(document)
    ]
    models = dict.fromkeys(one["model"] for one in history if one["version"] != document["version"])
    return {
        "looks": len(documents),
        "plots": plots,
        "any": any(plot is not None for _, plot in plots),
        "promised": any(one["promise"] for one in documents),
        "models": list(models),
    }


def _figures(document: Mapping[str, Any]) -> list[tuple[str, str, float | None]]:
    """What is drawn over time: its words, its name, and what it was in training."""
    trained = document["trained"]
    return [
        ("Accuracy", "accuracy", trained["accuracy"]),
        ("Weighted F1", "weighted_f1", trained["weighted_f1"]),
        ("Right if accepted", "accepted_precision", trained["accepted_precision"]),
        ("Overconfidence, in points", "overconfidence", None),
    ]


def _over_time(
    documents: Sequence[Mapping[str, Any]],
    version: str,
    name: str,
    figure: str,
    before: float | None,
    wording: Wording = ENGLISH,
) -> Markup | None:
    looks = thinned(_looks(documents, figure, version))
    if not looks:
        return None
    description = wording.say("%(figure)s, over time") % {"figure": wording.say(name)}
    if figure == "overconfidence":
        return overconfidence_plot(looks, description, wording)
    return history_plot(looks, before, description, share=figure != "weighted_f1", wording=wording)


def _looks(documents: Sequence[Mapping[str, Any]], figure: str, version: str) -> list[Look]:
    return [
        Look(
            at=utc(one["until"]),
            current=one["version"] == version,
            estimate=one["quality"][figure]["estimate"],
            low=one["quality"][figure]["low"],
            high=one["quality"][figure]["high"],
            promised=one["promise"]["promise"] if one["promise"] and figure == "accepted_precision" else None,
        )
        for one in documents
        if one["quality"][figure] is not None
    ]
