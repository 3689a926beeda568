"""What a report of drift shows: a table of all signals, and plots of those that have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rayon.learning.reference import OTHERS, SURE
from rayon.reports.drift_plots import Series, largest_changes, shares_plot
from rayon.reports.html import p_value, percent
from rayon.reports.inspection import LANGUAGES
from rayon.reports.signals import signal_words
from rayon.reports.svg import short

NOW = "now"
"""What the live listings are called beside their references."""

MAX_SIGNALS = 8
"""Drifted signals whose shares are drawn."""


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
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in drift["signals"]:
        groups.setdefault(one["name"], []).append(one)
    ranked = sorted(groups.values(), key=_need)
    drifted = [rows for rows in ranked if _has_drifted(rows)]
    return {
        "signals": [
            {"words": signal_words(rows[0]["name"]), "rows": [_row(one) for one in rows]} for rows in ranked
        ],
        "plots": [_plot(rows, labels) for rows in drifted[:MAX_SIGNALS]],
        "more": max(0, len(drifted) - MAX_SIGNALS),
    }


def _has_drifted(rows: Sequence[Mapping[str, Any]]) -> bool:
    return any(one["verdict"] == "drift" for one in rows)


def _need(rows: Sequence[Mapping[str, Any]]) -> tuple[bool, bool, float]:
    """Drifted signals come first, those that could not be judged last; the largest index first."""
    drifted = [one for one in rows if one["verdict"] == "drift"]
    judged = [one["psi"] for one in drifted or rows if one["psi"] is not None]
    return not drifted, not judged, -max(judged, default=0.0)


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    verdicts = {"drift": "drifted", "stable": "stable"}
    return {
        **one,
        "alarm": None if one["psi_by_chance"] is None else one["psi_by_chance"] + one["threshold"],
        "p": p_value(one["adjusted_p"]).removeprefix("p = ").removeprefix("p "),
        "said": verdicts.get(one["verdict"]) or f"{one['needed']:,} more needed",
    }


def _plot(rows: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> dict[str, Any]:
    """Shares now beside those of every reference that has listings enough."""
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
    words = signal_words(rows[0]["name"])
    names = [_bin_name(rows[0]["name"], bins[place], labels) for place in places]
    shown = [Series(one.name, one.n, [one.shares[place] for place in places]) for one in series]
    return {
        "words": words,
        "against": " and ".join(one["against"] for one in judged if one["verdict"] == "drift"),
        "plot": shares_plot(names, shown, f"Shares of {short(words.name, 60)}"),
        "listings": ", ".join(f"{one.n:,} {_when(one)}" for one in series),
        "more": len(bins) - (sure is not None) - len(places),
        "sure": ""
        if sure is None
        else ", ".join(f"{percent(one.shares[sure])} {_when(one)}" for one in series),
    }


def _when(series: Series) -> str:
    return series.name if series.name == NOW else f"in {series.name}"


def _bin_name(signal: str, label: str, labels: Mapping[str, str]) -> str:
    if signal == "language":
        return LANGUAGES.get(label, label)
    if label == OTHERS:
        return "other codes"
    known = labels.get(label, label) if signal in ("codes", "doubtful_codes") else label
    return label if known == label else f"{label} {known}"
