"""The cards of the monitoring report: figures beside the biased ones, training's, and the promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rayon.learning.bootstrap import Interval
from rayon.reports.html import MISSING, count, number, p_value, percent, percent_interval, span

Estimate = Mapping[str, Any] | None
"""``estimate``, ``low`` and ``high``; ``None`` where nothing is known."""


@dataclass(frozen=True, slots=True)
class Card:
    """One figure with what it is compared with.

    Parameters
    ----------
    name, value, range
        Of the figure, and its interval in words.
    rows
        What stands below: names and figures.
    share, ends
        The figure and its interval on a scale from 0 to 1, where there is one.
    note
        A sentence on it.
    bad
        Whether the figure needs attention.
    """

    name: str
    value: str
    range: str
    rows: Sequence[tuple[str, str]]
    share: float | None = None
    ends: Interval | None = None
    note: str = ""
    bad: bool = False


def monitoring_cards(document: Mapping[str, Any]) -> list[Card]:
    """Cards of what a look at the live service found.

    Parameters
    ----------
    document
        What it found, JSON-ready.
    """
    quality, trained = document["quality"], document["trained"]
    naive, accuracy, f1 = quality["naive"], quality["accuracy"], quality["weighted_f1"]
    return [
        _predictions(document["volume"]),
        _acceptance(document),
        Card(
            "Accuracy",
            percent(_point(accuracy)),
            percent_interval(_ends(accuracy)),
            [("Naive", percent(_point(naive["accuracy"]))), ("Training", percent(trained["accuracy"]))],
            _point(accuracy),
            _ends(accuracy),
        ),
        Card(
            "Weighted F1",
            number(_point(f1)),
            span(_ends(f1)),
            [("Naive", number(_point(naive["weighted_f1"]))), ("Training", number(trained["weighted_f1"]))],
            _point(f1),
            _ends(f1),
        ),
        _promise(quality["accepted_precision"], trained["accepted_precision"], document["promise"]),
        _overconfidence(quality["overconfidence"], quality["mean_confidence"]),
    ]


def _predictions(volume: Mapping[str, Any]) -> Card:
    rows = [
        ("By this model", count(volume["of_this_model"])),
        ("A part could not be used", count(volume["degraded"])),
    ]
    waiting = f"{count(volume['waiting_for_review'])} wait for review, of whatever time"
    return Card("Predictions", count(volume["predictions"]), waiting, rows)


def _acceptance(document: Mapping[str, Any]) -> Card:
    volume = document["volume"]
    rows = [("Training", percent(document["trained"]["coverage"]))]
    if volume["of_this_model"] < volume["predictions"]:
        rows.insert(0, ("By this model", percent(document["quality"]["accepted_share"])))
    rate = volume["acceptance_rate"]
    range_ = f"{count(volume['accepted'])} of {count(volume['predictions'])}"
    return Card("Accepted", percent(rate), range_, rows, rate)


def _promise(kept: Estimate, trained: float | None, promise: Mapping[str, Any] | None) -> Card:
    rows = [("Training", percent(trained))]
    if promise is not None:
        rows.insert(0, ("Promised", percent(promise["promise"])))
    return Card(
        "Right if accepted",
        percent(_point(kept)),
        percent_interval(_ends(kept)),
        rows,
        _point(kept),
        _ends(kept),
        _promise_note(promise),
        promise is not None and promise["verdict"] == "broken",
    )


def _promise_note(promise: Mapping[str, Any] | None) -> str:
    if promise is None:
        return "Nothing was promised."
    of = f"{count(promise['n_right'])} of {count(promise['n'])} audited are right"
    if promise["verdict"] == "too_few":
        return f"Too early to judge: {of}, and {count(promise['needed'])} more are needed."
    said = "Kept" if promise["verdict"] == "kept" else "Broken"
    return f"{said}: {of} ({p_value(promise['p_value'])})."


def _overconfidence(found: Estimate, mean_confidence: float | None) -> Card:
    point, ends = _point(found), _ends(found)
    return Card(
        "Overconfidence, in points",
        MISSING if point is None else f"{100 * point:+.1f}",
        "" if ends is None else f"{100 * ends[0]:+.1f} to {100 * ends[1]:+.1f}",
        [("Mean confidence", percent(mean_confidence))],
        note="Mean confidence minus accuracy: above 0, more is claimed than kept.",
    )


def _point(estimate: Estimate) -> float | None:
    return None if estimate is None else estimate["estimate"]


def _ends(estimate: Estimate) -> Interval | None:
    return None if estimate is None else (estimate["low"], estimate["high"])
