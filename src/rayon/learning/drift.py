"""Drift: whether listings, pictures and answers still look like those of training, or of the month before.

Each signal is one histogram against another. An alarm asks for two things: that chance is no explanation,
with all signals and all references of a report tested together, and that the change is large enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

from rayon.errors import RayonError
from rayon.learning.histograms import Histogram, SignalCounts
from rayon.learning.paired_tests import holm

LEAST_EXPECTED = 5
"""Expected listings below which a cell is pooled with the next one before it is tested."""

_ADDED = 0.5
_CODES = ("codes", "doubtful_codes")
_TEXTS = ("text_length", "language", "novelty", "parts")

DriftVerdict: TypeAlias = Literal["drift", "stable", "too_few"]
Pairs: TypeAlias = Mapping[tuple[str, str], tuple[Histogram, Histogram]]
"""What it is compared with and the name of the signal, to the histograms of reference and live listings."""


@dataclass(frozen=True, slots=True)
class DriftThresholds:
    """What an alarm asks for; the one place where it is written.

    Parameters
    ----------
    alpha
        How often any signal of a report raises an alarm where nothing has changed.
    min_listings
        Listings that a signal needs on either side before it is judged.
    text_psi, picture_psi, codes_psi, confidence_psi
        By how much the population stability index of an alarm exceeds what chance is expected to give, at
        least. The rules of thumb of credit scoring (0.1 and 0.25) are for whole populations that move: a new
        product in a twentieth of the listings changes hardly a signal by more than 0.01. More is asked of
        confidence: training's is that of models of a part of the listings, which are as sure on average as
        the one of all, but not at either end.
    """

    alpha: float = 0.05
    min_listings: int = 200
    text_psi: float = 0.005
    picture_psi: float = 0.005
    codes_psi: float = 0.005
    confidence_psi: float = 0.02

    def least_psi(self, signal: str) -> float:
        """The threshold of a signal."""
        if signal == "confidence":
            return self.confidence_psi
        if signal in _CODES:
            return self.codes_psi
        return self.text_psi if signal in _TEXTS else self.picture_psi


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much two histograms of a signal differ.

    Parameters
    ----------
    psi
        Population stability index, 0 for the same shares, without an upper bound.
    by_chance
        What it is expected to be where nothing has changed: (cells - 1) · (1 / n + 1 / m), for samples of n
        and m listings (Yurdakul, "Statistical properties of population stability index", 2018).
    js
        Jensen-Shannon distance (Endres and Schindelin, 2003) with logarithms to base 2, 0 to 1.
    p_value
        Of Pearson's chi-squared test that both were drawn from the same distribution.
    """

    psi: float
    by_chance: float
    js: float
    p_value: float


@dataclass(frozen=True, slots=True)
class SignalDrift:
    """What was found of one signal against one reference.

    Parameters
    ----------
    against, name
        What it was compared with, and the signal.
    reference, live
        Both histograms.
    comparison, adjusted_p
        Their difference, and its p-value after Holm's correction; ``None`` with too few listings.
    threshold
        The least population stability index of an alarm, above what chance is expected to give.
    verdict
        ``"drift"``, ``"stable"`` or ``"too_few"``.
    needed
        How many listings are missing, on the side that has fewer, before the signal can be judged.
    """

    against: str
    name: str
    reference: Histogram
    live: Histogram
    comparison: Comparison | None
    adjusted_p: float | None
    threshold: float
    verdict: DriftVerdict
    needed: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form, with the shares of both histograms for plots."""
        found = self.comparison
        return {
            "against": self.against,
            "name": self.name,
            "n_reference": self.reference.n,
            "n_live": self.live.n,
            "psi": found.psi if found else None,
            "psi_by_chance": found.by_chance if found else None,
            "js": found.js if found else None,
            "p_value": found.p_value if found else None,
            "adjusted_p": self.adjusted_p,
            "threshold": self.threshold,
            "verdict": self.verdict,
            "needed": self.needed,
            "bins": [
                {"label": label, "reference": before, "live": now}
                for label, before, now in zip(
                    self.reference.labels, _shares(self.reference), _shares(self.live), strict=True
                )
            ],
        }


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All signals of a report, in the order in which they were given."""

    signals: tuple[SignalDrift, ...]

    @property
    def drifted(self) -> tuple[SignalDrift, ...]:
        """The signals that raise an alarm."""
        return tuple(one for one in self.signals if one.verdict == "drift")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {"drift": bool(self.drifted), "signals": [one.to_dict() for one in self.signals]}


def pair_signals(live: SignalCounts, references: Mapping[str, SignalCounts]) -> Pairs:
    """Put the signals that live listings share with each reference side by side.

    Parameters
    ----------
    live
        Counts of the live listings.
    references
        Name of a reference, such as ``"training"`` or ``"last month"``, to its counts.
    """
    return {
        (against, name): (reference.histograms[name], histogram)
        for against, reference in references.items()
        for name, histogram in live.histograms.items()
        if name in reference.histograms
    }


def judge_drift(pairs: Pairs, thresholds: DriftThresholds | None = None) -> DriftReport:
    """Judge all signals of a report together.

    Parameters
    ----------
    pairs
        As `pair_signals` gives them.
    thresholds
        What an alarm asks for.

    Returns
    -------
    DriftReport
        The p-values are corrected (Holm 1979) over all signals that have listings enough, against all
        references: whatever depends on what, the report raises any alarm with a probability of at most
        ``alpha`` where nothing has changed.

    Notes
    -----
    The test takes listings for independent draws. Sellers bring theirs in batches of much the same, so that
    many thousands of listings always differ beyond chance; it is the second condition that then decides.

    Raises
    ------
    RayonError
        When the histograms of a signal have different bins.
    """
    asked = thresholds or DriftThresholds()
    needed = {
        key: max(0, asked.min_listings - min(reference.n, live.n)) for key, (reference, live) in pairs.items()
    }
    compared = {key: compare(*pairs[key]) for key in pairs if not needed[key]}
    adjusted = dict(
        zip(compared, holm(np.array([one.p_value for one in compared.values()])).tolist(), strict=True)
    )

    def verdict(key: tuple[str, str]) -> DriftVerdict:
        if key not in compared:
            return "too_few"
        found = compared[key]
        large = found.psi - found.by_chance >= asked.least_psi(key[1])
        return "drift" if large and adjusted[key] <= asked.alpha else "stable"

    return DriftReport(
        tuple(
            SignalDrift(
                *key,
                reference,
                live,
                compared.get(key),
                adjusted.get(key),
                asked.least_psi(key[1]),
                verdict(key),
                needed[key],
            )
            for key, (reference, live) in pairs.items()
        )
    )


def compare(reference: Histogram, live: Histogram) -> Comparison:
    """Compare two histograms of one signal, drawn independently of each other.

    Notes
    -----
    Neighbouring cells are pooled until the smaller of both samples is expected to have 5 listings in each
    (Cochran, "Some methods for strengthening the common chi-squared tests", 1954, asks for less: 1 in every
    cell and 5 in most). All figures are of the pooled cells; for the stability index, which is infinite where
    one side has none, half a listing is added to each.

    Raises
    ------
    RayonError
        When the bins differ, or one side has no listing.
    """
    if reference.labels != live.labels:
        raise RayonError(
            f"Histograms with the bins {_listed(reference.labels)} and {_listed(live.labels)} cannot be "
            "compared",
            "Measure both with the same reference",
        )
    if not reference.n or not live.n:
        raise RayonError("A histogram without listings cannot be compared", "Wait for more listings")
    table = _pooled(np.stack([reference.counts, live.counts]).astype(np.float64))
    cells = table.shape[1]
    smooth = (table + _ADDED) / (table.sum(axis=1, keepdims=True) + _ADDED * cells)
    psi = float(((smooth[1] - smooth[0]) * np.log(smooth[1] / smooth[0])).sum())
    if cells < 2:
        return Comparison(0.0, 0.0, 0.0, 1.0)
    by_chance = (cells - 1) * (1 / reference.n + 1 / live.n)
    p_value = float(stats.chi2_contingency(table, correction=False).pvalue)
    return Comparison(psi, by_chance, float(jensenshannon(table[0], table[1], base=2)), p_value)


def _pooled(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts ``float64[2, C]`` of neighbouring cells together, each with enough expected listings.

    What is pooled depends on the sums of both samples alone, so it favours neither of them.
    """
    smaller = table.sum(axis=1).min() / table.sum()
    starts: list[int] = []
    expected = float(LEAST_EXPECTED)
    for cell, total in enumerate(table.sum(axis=0) * smaller):
        if expected >= LEAST_EXPECTED:
            starts.append(cell)
            expected = 0.0
        expected += total
    if len(starts) > 1 and expected < LEAST_EXPECTED:
        starts.pop()
    return np.asarray(np.add.reduceat(table, starts, axis=1))


def _shares(histogram: Histogram) -> list[float]:
    return [float(share) for share in histogram.counts / max(1, histogram.n)]


def _listed(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:3]) + (", …" if len(labels) > 3 else "")
