"""Exact binomial bounds, and how many observations a promise needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, pdtr
from scipy.stats import beta, norm

MAX_LISTINGS = 10_000_000
"""Where the search for a sufficient number of listings gives up."""


def precision_lower_bound(n_right: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> NDArray[np.float64]:
    """One-sided exact lower bound of a proportion; zero where nothing was observed or nothing was right.

    Parameters
    ----------
    n_right, n
        How many were right, of how many; arrays broadcast.
    confidence
        Probability that the bound is below the true proportion, at least.

    Notes
    -----
    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial" (Biometrika, 1934).
    """
    right, total = np.broadcast_arrays(np.asarray(n_right, dtype=np.float64), np.asarray(n, np.float64))
    bound = np.zeros(right.shape)
    some = right > 0
    bound[some] = beta.ppf(1.0 - confidence, right[some], total[some] - right[some] + 1.0)
    return bound


def allowed_errors(n: ArrayLike, precision: float, confidence: float = 0.95) -> NDArray[np.int64]:
    """Most errors among ``n`` with which the lower bound still reaches ``precision``; -1 where none will do.

    The bound reaches the precision exactly when so few errors have a probability of at most
    ``1 - confidence`` under the precision: the exact binomial test.
    """
    total = np.asarray(n, dtype=np.int64)
    level, rate = 1.0 - confidence, 1.0 - precision
    # The normal approximation is off by an error or two; the quantile of scipy takes far longer.
    spread = np.sqrt(total * rate * precision)
    most = np.floor(total * rate + norm.ppf(level) * spread).astype(np.int64)
    most = np.clip(most, -1, total)
    while (up := (most < total) & (_at_most(most + 1, total, rate) <= level)).any():
        most = most + up
    while (down := (most >= 0) & (_at_most(most, total, rate) > level)).any():
        most = most - down
    return np.asarray(most, dtype=np.int64)


def predicted_power(
    n: ArrayLike, expected_errors: ArrayLike, precision: float, confidence: float = 0.95
) -> NDArray[np.float64]:
    """Chance that the test of ``precision`` on ``n`` listings passes when so many errors are expected.

    The number of errors is taken to be Poisson, the limit of many listings that are each rarely wrong
    (Le Cam, 1960).
    """
    allowed = allowed_errors(n, precision, confidence)
    power = pdtr(np.maximum(allowed, 0), np.asarray(expected_errors, dtype=np.float64))
    return np.where(allowed < 0, 0.0, power)


def listings_needed(
    observed_precision: float, precision: float, confidence: float = 0.95, power: float = 0.5
) -> int | None:
    """Smallest number of accepted listings at which a promise would hold, most likely.

    Parameters
    ----------
    observed_precision
        The precision that the accepted listings are expected to have.
    precision, confidence
        The promise.
    power
        Probability with which the test should pass.

    Returns
    -------
    int or None
        ``None`` when the observed precision is not above the promised one, so that no number would do.
    """
    if observed_precision <= precision:
        return None
    low, high = 0, 64
    while not _passes(high, observed_precision, precision, confidence, power):
        low, high = high, high * 2
        if high > MAX_LISTINGS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if _passes(middle, observed_precision, precision, confidence, power):
            high = middle
        else:
            low = middle
    return high


def _passes(n: int, observed: float, precision: float, confidence: float, power: float) -> bool:
    allowed = allowed_errors(n, precision, confidence)
    return bool(allowed >= 0 and _at_most(allowed, np.asarray(n), 1.0 - observed) >= power)


def _at_most(errors: NDArray[np.int64], n: NDArray[np.int64], rate: float) -> NDArray[np.float64]:
    """Probability of at most so many errors among ``n``; zero for a negative number."""
    return np.where(errors < 0, 0.0, bdtr(np.maximum(errors, 0), n, rate))
