"""What a report of drift shows: a table of all signals, and plots of those that have changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from rayon.reports.drift_changes import (
    NOW,
    Change,
    Series,
    alarm_level,
    bin_name,
    change_of,
    has_drifted,
    ranked_signals,
)
from rayon.reports.drift_plots import shares_plot
from rayon.reports.html import p_value, percent
from rayon.reports.signals import signal_words
from rayon.reports.svg import short
from rayon.reports.wording import ENGLISH, Wording

MAX_SIGNALS = 8
"""Drifted signals whose shares are drawn."""


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
