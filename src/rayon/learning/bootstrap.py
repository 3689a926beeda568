"""How far a figure may be off: intervals by resampling listings, and exact ones for shares.

The percentile bootstrap (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13) redraws
the listings with replacement. Every figure here is a function of sums over listings, so that all
resamples come from one product of sparse and dense matrices, and what is drawn for one set of predictions
is drawn for all others too: differences are paired by listing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from rayon.errors import RayonError

Interval: TypeAlias = tuple[float, float]
"""Lower and upper end."""

DifferenceMetric: TypeAlias = Literal["weighted_f1", "macro_f1", "accuracy"]

_CELLS_AT_ONCE = 4_000_000
"""Multiplicities held in memory at once: 32 MB of float64."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better the second set of predictions is than the first, on the same listings.

    Parameters
    ----------
    metric
        What is compared.
    estimate
        Figure of the second minus figure of the first.
    low, high
        Ends of the percentile interval.
    """

    metric: DifferenceMetric
    estimate: float
    low: float
    high: float

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def f1_scores(
    correct: NDArray[np.float64], true: NDArray[np.float64], predicted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """F1 of each class from counts ``[..., K]``; NaN for a class that is neither true nor predicted."""
    return ratio(2 * correct, true + predicted)


def weighted_f1(f1: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of F1 ``[..., K]`` weighted by the listings that truly have the class; NaN without listings."""
    return ratio((np.nan_to_num(f1) * true).sum(axis=-1), true.sum(axis=-1))


def macro_f1(f1: NDArray[np.float64]) -> NDArray[np.float64]:
    """Plain mean of F1 ``[..., K]`` over the classes that are true or predicted; NaN without any."""
    return ratio(np.nan_to_num(f1).sum(axis=-1), np.isfinite(f1).sum(axis=-1))


def ratio(part: Any, whole: Any) -> NDArray[np.float64]:
    """``part / whole``, element by element, NaN where the whole is zero."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    shape = np.broadcast_shapes(part.shape, whole.shape)
    return np.asarray(np.divide(part, whole, out=np.full(shape, np.nan), where=whole > 0))


def one_hot(
    columns: NDArray[np.int64], n_columns: int, values: NDArray[np.float64] | None = None
) -> sparse.csr_array[np.float64]:
    """Sparse ``[N, n_columns]``: one value (1 unless given) a row, none where the column is negative."""
    rows = np.flatnonzero(columns >= 0)
    data = np.ones(len(rows)) if values is None else values[rows]
    return sparse.csr_array((data, (rows, columns[rows])), shape=(len(columns), n_columns))


def class_counts(
    y: NDArray[np.int64], predicted: NDArray[np.int64], n_classes: int
) -> sparse.csr_array[np.float64]:
    """What each listing adds to the counts of true, predicted and rightly predicted classes: ``[N, 3K]``.

    A negative index in both marks a listing that takes no part.
    """
    right = np.where(y == predicted, y, -1)
    blocks = [one_hot(y, n_classes), one_hot(predicted, n_classes), one_hot(right, n_classes)]
    return sparse.csr_array(sparse.hstack(blocks, format="csr"))


def resampled_totals(
    per_listing: sparse.csr_array[np.float64], resamples: int, seed: int
) -> NDArray[np.float64]:
    """Column sums of resampled listings.

    Parameters
    ----------
    per_listing
        Sparse ``[N, F]``: what each listing adds to each of the F sums.
    resamples
        How often N listings are drawn, with replacement.
    seed
        Of the draws: the same seed and N give the same draws, whatever the columns.

    Returns
    -------
    ndarray
        ``float64[resamples, F]``.
    """
    n = per_listing.shape[0]
    rng = np.random.default_rng(seed)
    transposed = sparse.csr_array(per_listing.T)
    totals = np.empty((resamples, per_listing.shape[1]))
    step = max(1, _CELLS_AT_ONCE // max(n, 1))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        times_drawn = np.empty((n, stop - start))
        for column in range(stop - start):
            times_drawn[:, column] = np.bincount(rng.integers(n, size=n), minlength=n)
        totals[start:stop] = np.asarray(transposed @ times_drawn).T
    return totals


def percentile_interval(values: NDArray[np.float64], confidence: float = 0.95) -> Interval | None:
    """Central interval of the resampled values; those that are undefined (NaN) are left out."""
    defined = values[np.isfinite(values)]
    return _central(defined, confidence) if len(defined) else None


def centred_interval(
    values: NDArray[np.float64], observed: float, confidence: float = 0.95
) -> Interval | None:
    """Percentile interval moved by the bootstrap's own bias, for a figure that is never negative.

    A sum of absolute gaps grows with the noise that resampling adds: the resampled values lie above the
    observed one, and their plain percentiles would leave it out.
    """
    defined = values[np.isfinite(values)]
    if not len(defined):
        return None
    low, high = _central(defined - (defined.mean() - observed), confidence)
    return max(low, 0.0), high


def exact_interval(successes: int, n: int, confidence: float = 0.95) -> Interval | None:
    """Interval of a share after Clopper and Pearson (Biometrika, 1934); ``None`` for a share of nothing."""
    if n == 0:
        return None
    interval = stats.binomtest(successes, n).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)


def paired_difference(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    y: NDArray[np.int64],
    metric: DifferenceMetric = "weighted_f1",
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Figure of the second predictions minus that of the first, with a bootstrap interval.

    Parameters
    ----------
    first, second
        ``int64[N]``, predicted class indices of the same listings.
    y
        ``int64[N]``, true class indices; an index that is never predicted counts as an error.
    metric
        What is compared.
    resamples, confidence, seed
        Of the percentile bootstrap.

    Raises
    ------
    RayonError
        When the arrays differ in length or are empty.
    """
    y, first, second = (np.asarray(array, dtype=np.int64) for array in (y, first, second))
    if not len(y) or not len(first) == len(second) == len(y):
        raise RayonError(
            f"Predictions of {len(first)} and {len(second)} listings cannot be compared on {len(y)} labels",
            "Give three arrays of the same length, of one listing at least",
        )
    known, indices = np.unique(np.concatenate([y, first, second]), return_inverse=True)
    y, first, second = np.split(indices.astype(np.int64), 3)
    both = [class_counts(y, first, len(known)), class_counts(y, second, len(known))]
    per_listing = sparse.csr_array(sparse.hstack(both, format="csr"))
    drawn = _differences(resampled_totals(per_listing, resamples, seed), metric)
    observed = np.asarray(per_listing.sum(axis=0), dtype=np.float64)
    return Difference(metric, float(_differences(observed, metric)), *_central(drawn, confidence))


def _central(values: NDArray[np.float64], confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _differences(totals: NDArray[np.float64], metric: DifferenceMetric) -> NDArray[np.float64]:
    first, second = np.split(totals, 2, axis=-1)
    return _metric(second, metric) - _metric(first, metric)


def _metric(counts: NDArray[np.float64], metric: DifferenceMetric) -> NDArray[np.float64]:
    true, predicted, correct = np.split(counts, 3, axis=-1)
    if metric == "accuracy":
        return ratio(correct.sum(axis=-1), true.sum(axis=-1))
    f1 = f1_scores(correct, true, predicted)
    return weighted_f1(f1, true) if metric == "weighted_f1" else macro_f1(f1)
