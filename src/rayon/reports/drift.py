"""What a report of drift shows: a table of all signals, and plots of those that have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from rayon.learning.reference import OTHERS, SURE
from rayon.reports.drift_plots import Series, largest_changes, shares_plot
from rayon.reports.html import p_value, percent
from rayon.reports.inspection import LANGUAGES
from rayon.reports.signals import signal_words
from rayon.reports.svg import short
from rayon.reports.wording import ENGLISH, Wording

NOW = "now"
"""What the live listings are called beside their references."""

MAX_SIGNALS = 8
"""Drifted signals whose shares are drawn."""


Rows = Sequence[Mapping[str, Any]]
"""What was found of one signal, against each reference."""


@dataclass(frozen=True, slots=True)
class Change:
    """How the shares of a drifted signal have changed.

    Parameters
    ----------
    signal
        Its name.
    against
        The references that it has drifted against.
    bins
        The bins that changed most.
    series
        Their shares in every reference that has listings enough, and last now.
    left_out
        Bins that changed less.
    sure
        The share of sure answers in each series; ``None`` of signals that have none.
    """

    signal: str
    against: Sequence[str]
    bins: Sequence[str]
    series: Sequence[Series]
    left_out: int
    sure: Sequence[float] | None


def ranked_signals(drift: Mapping[str, Any]) -> list[Rows]:
    """All signals: drifted ones first, those that could not be judged last; the largest change first."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in drift["signals"]:
        groups.setdefault(one["name"], []).append(one)
    return sorted(groups.values(), key=_need)


def has_drifted(rows: Rows) -> bool:
    """Whether a signal has drifted against any reference."""
    return any(one["verdict"] == "drift" for one in rows)


def change_of(rows: Rows) -> Change:
    """How a drifted signal has changed."""
    judged = [one for one in rows if one["verdict"] != "too_few"]
    bins = [one["label"] for one in judged[0]["bins"]]
    series = [
        Series(one["against"], one["n_reference"], [share["reference"] for share in one["bins"]])
        for one in judged
    ]
    series.append(Series(NOW, judged[0]["n_live"], [share["live"] for share in judged[0]["bins"]]))
    # Most answers are sure: their bar would make those of the codes too short to be seen.
    sure = bins.index(SURE) if SURE in bins else None
    places = largest_changes(series, sure)
    return Change(
        rows[0]["name"],
        [one["against"] for one in judged if one["verdict"] == "drift"],
        [bins[place] for place in places],
        [Series(one.name, one.n, [one.shares[place] for place in places]) for one in series],
        len(bins) - (sure is not None) - len(places),
        None if sure is None else [one.shares[sure] for one in series],
    )


def alarm_level(one: Mapping[str, Any]) -> float | None:
    """The stability index from which a signal counts as drifted."""
    return None if one["psi_by_chance"] is None else one["psi_by_chance"] + one["threshold"]


def bin_name(signal: str, label: str, labels: Mapping[str, str], wording: Wording = ENGLISH) -> str:
    """What a bin of a signal is called; codes with their label, where it is known."""
    if signal == "language":
        return wording.say(LANGUAGES.get(label, label))
    if label == OTHERS:
        return wording.say("other codes")
    if signal not in ("codes", "doubtful_codes"):
        return wording.say(label)
    known = labels.get(label, label)
    return label if known == label else f"{label} {known}"


def change_plot(change: Change, labels: Mapping[str, str], wording: Wording = ENGLISH) -> Markup:
    """Shares now beside those of the references."""
    names = [bin_name(change.signal, one, labels, wording) for one in change.bins]
    name = short(wording.say(signal_words(change.signal).name), 60)
    description = wording.say("Shares of %(signal)s") % {"signal": name}
    return shares_plot(names, change.series, description, wording)


def drift_view(drift: Mapping[str, Any] | None, labels: Mapping[str, str]) -> dict[str, Any] | None:
    """What the page shows of the signals; ``None`` where drift could not be judged.

    Parameters
    ----------
    drift
        The report of drift, JSON-ready.
    labels
        Code to label, of the codes whose label is known.
    """
    if drift is None:
        return None
    ranked = ranked_signals(drift)
    drifted = [change_of(rows) for rows in ranked if has_drifted(rows)]
    return {
        "signals": [
            {"words": signal_words(rows[0]["name"]), "rows": [_row(one) for one in rows]} for rows in ranked
        ],
        "plots": [_plot(one, labels) for one in drifted[:MAX_SIGNALS]],
        "more": max(0, len(drifted) - MAX_SIGNALS),
    }


def _need(rows: Rows) -> tuple[bool, bool, float]:
    drifted = [one for one in rows if one["verdict"] == "drift"]
    judged = [one["psi"] for one in drifted or rows if one["psi"] is not None]
    return not drifted, not judged, -max(judged, default=0.0)


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    verdicts = {"drift": "drifted", "stable": "stable"}
    return {
        **one,
        "alarm": alarm_level(one),
        "p": p_value(one["adjusted_p"]).removeprefix("p = ").removeprefix("p "),
        "said": verdicts.get(one["verdict"]) or f"{one['needed']:,} more needed",
    }


def _plot(change: Change, labels: Mapping[str, str]) -> dict[str, Any]:
    """The plot, and what is said below it."""
    sure = zip(change.sure or (), change.series, strict=False)
    return {
        "words": signal_words(change.signal),
        "against": " and ".join(change.against),
        "plot": change_plot(change, labels),
        "listings": ", ".join(f"{one.n:,} {_when(one)}" for one in change.series),
        "more": change.left_out,
        "sure": ", ".join(f"{percent(share)} {_when(one)}" for share, one in sure),
    }


def _when(series: Series) -> str:
    return series.name if series.name == NOW else f"in {series.name}"
