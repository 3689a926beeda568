"""Curves over confidence: is it honest, and how much can be accepted at which precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Listings whose confidence lies in one bin.

    Parameters
    ----------
    low, high
        Ends of the bin, 0 to 1.
    n
        Listings in it.
    confidence, accuracy
        Mean confidence, and the share that is right.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """What accepting every listing from a threshold on would give.

    Parameters
    ----------
    threshold
        The lowest confidence that is accepted.
    coverage
        Share of listings accepted, 0 to 1.
    precision
        Share of the accepted ones that is right, 0 to 1.
    """

    threshold: float
    coverage: float
    precision: float


def confidence_bins(confidence: NDArray[np.float64], n_bins: int) -> NDArray[np.int64]:
    """Index of the equal-width bin of each confidence; a bin holds its lower end, the last one both."""
    return np.minimum((confidence * n_bins).astype(np.int64), n_bins - 1)


def reliability_curve(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], n_bins: int = 15
) -> tuple[ReliabilityBin, ...]:
    """Mean confidence and accuracy by equal-width bins of confidence; empty bins are left out.

    Parameters
    ----------
    confidence
        ``float64[N]``, probability given to the predicted class.
    right
        ``bool[N]``, whether the predicted class is the true one.
    n_bins
        How many bins span 0 to 1.
    """
    bins = confidence_bins(confidence, n_bins)
    counts = np.bincount(bins, minlength=n_bins)
    confidences = np.bincount(bins, weights=confidence, minlength=n_bins)
    rights = np.bincount(bins, weights=right.astype(np.float64), minlength=n_bins)
    return tuple(
        ReliabilityBin(
            low=float(index / n_bins),
            high=float((index + 1) / n_bins),
            n=int(counts[index]),
            confidence=float(confidences[index] / counts[index]),
            accuracy=float(rights[index] / counts[index]),
        )
        for index in np.flatnonzero(counts)
    )


def coverage_curve(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], max_points: int = 200
) -> tuple[CoveragePoint, ...]:
    """Coverage and precision of every threshold on confidence, from the strictest to the loosest.

    Listings of the same confidence are accepted together. Long curves are thinned evenly; their first and
    last point stay.

    Parameters
    ----------
    confidence, right
        As for `reliability_curve`.
    max_points
        How many points are kept at most; two at least.
    """
    n = len(confidence)
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence = confidence[order]
    last_of_ties = np.flatnonzero(np.append(sorted_confidence[1:] != sorted_confidence[:-1], n > 0))
    if len(last_of_ties) > max_points:
        kept = np.linspace(0, len(last_of_ties) - 1, max_points).round().astype(np.int64)
        last_of_ties = last_of_ties[kept]
    cumulated = np.cumsum(right[order])
    return tuple(
        CoveragePoint(
            threshold=float(sorted_confidence[index]),
            coverage=float((index + 1) / n),
            precision=float(cumulated[index] / (index + 1)),
        )
        for index in last_of_ties
    )
