"""Shares estimated from a random sample in each of several strata, with exact-style intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv

_GRID = 8192
"""Cells of the unit interval on which sums of strata are computed; an end is rounded outwards, by one cell a
stratum at most."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """Listings that were all sampled alike.

    Parameters
    ----------
    listings
        How many there are.
    labelled
        How many of them have a label: a random sample, or all.
    right
        How many of the labelled ones are right.
    """

    listings: int
    labelled: int
    right: int

    @property
    def known(self) -> bool:
        """Whether every listing has a label, so that nothing is left to estimate."""
        return self.labelled == self.listings


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval.

    Parameters
    ----------
    estimate
        ``None`` where a part of the listings is so unknown that only bounds can be given.
    low, high
        Ends of the interval.
    """

    estimate: float | None
    low: float
    high: float


def exact_bounds(
    right: ArrayLike, n: ArrayLike, confidence: ArrayLike = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two-sided interval of shares after Clopper and Pearson (Biometrika, 1934); 0 to 1 of nothing.

    Parameters
    ----------
    right, n
        How many were right, of how many; arrays broadcast, and need not be whole numbers.
    confidence
        Probability that the interval covers the true share, at least; broadcasts too.
    """
    x, total, level = np.broadcast_arrays(
        *(np.asarray(values, dtype=np.float64) for values in (right, n, confidence))
    )
    tail = (1.0 - level) / 2.0
    low, high = np.zeros(x.shape), np.ones(x.shape)
    some, wrong = x > 0, total - x > 0
    low[some] = betaincinv(x[some], (total - x)[some] + 1.0, tail[some])
    high[wrong] = betaincinv(x[wrong] + 1.0, (total - x)[wrong], 1.0 - tail[wrong])
    return low, high


def stratified_bounds(strata: Sequence[Stratum], confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the share that is right over all strata together.

    Parameters
    ----------
    strata
        One of them has a listing at least. A stratum that is labelled throughout counts as what it is, one
        without any label as anything between all wrong and all right.
    confidence
        Probability that the interval covers the true share.

    Notes
    -----
    The limits of Clopper and Pearson are quantiles of Beta distributions. Those of the sum of such variables,
    weighted by the size of the strata, are the limits here (the melding of Fay, Proschan and Brittain,
    "Combining one-sample confidence procedures for inference in the two-sample case", Biometrics, 2015). A
    single sampled stratum has exactly the interval of Clopper and Pearson. That listings are drawn without
    replacement is not made use of, which errs on the safe side.
    """
    if all(one.known for one in strata):
        share = sum(one.right for one in strata) / sum(one.listings for one in strata)
        return share, share
    mirrored = [Stratum(one.listings, one.labelled, one.labelled - one.right) for one in strata]
    return _lower_bound(strata, confidence), 1.0 - _lower_bound(mirrored, confidence)


def _lower_bound(strata: Sequence[Stratum], confidence: float) -> float:
    total = sum(one.listings for one in strata)
    certain = sum(one.right for one in strata if one.known) / total
    sampled = [one for one in strata if one.labelled and not one.known and one.right]
    if not sampled:
        return certain
    if len(sampled) == 1:
        (only,) = sampled
        low, _ = exact_bounds(only.right, only.labelled, confidence)
        return certain + only.listings / total * float(low)
    mass = np.ones(1)
    for one in sampled:
        mass = np.convolve(mass, _lower_mass(one, one.listings / total))
    # A rounding error must not move the end inwards.
    reached = np.cumsum(mass) >= (1.0 - confidence) / 2.0 - 1e-12
    return certain + float(np.argmax(reached)) / _GRID


def _lower_mass(stratum: Stratum, weight: float) -> NDArray[np.float64]:
    """Distribution of what a stratum adds to the lower limit, on the grid; each value is rounded down."""
    edges = np.arange(int(np.ceil(weight * _GRID)) + 1) / _GRID
    wrong = stratum.labelled - stratum.right
    below = betainc(float(stratum.right), wrong + 1.0, np.minimum(edges / weight, 1.0))
    return np.diff(below)
