"""What has changed in a signal: its bins, then and now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rayon.learning.reference import OTHERS, SURE
from rayon.reports.wording import ENGLISH, Wording
from rayon.reports.words import LANGUAGES

NOW = "now"
"""What the live listings are called beside their references."""

MAX_BINS = 12
"""Bins of a signal that are drawn: those that changed most, where there are more."""

Rows = Sequence[Mapping[str, Any]]
"""What was found of one signal, against each reference."""


@dataclass(frozen=True, slots=True)
class Series:
    """Shares of the bins of a signal.

    Parameters
    ----------
    name
        Whose they are.
    n
        Listings in all bins.
    shares
        One a bin, 0 to 1.
    """

    name: str
    n: int
    shares: Sequence[float]


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


def largest_changes(series: Sequence[Series], leave_out: int | None = None) -> list[int]:
    """The bins whose share differs most between the last series and any other, in their order."""
    shares = np.array([one.shares for one in series], dtype=np.float64)
    change = np.abs(shares[:-1] - shares[-1]).max(axis=0)
    ranked = np.argsort(-change, kind="stable").tolist()
    return sorted([place for place in ranked if place != leave_out][:MAX_BINS])


def _need(rows: Rows) -> tuple[bool, bool, float]:
    drifted = [one for one in rows if one["verdict"] == "drift"]
    judged = [one["psi"] for one in drifted or rows if one["psi"] is not None]
    return not drifted, not judged, -max(judged, default=0.0)
