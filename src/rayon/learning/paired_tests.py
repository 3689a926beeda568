"""Tests of two models on the same listings, where only those count on which the two differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rayon.learning.bootstrap import class_counts, f1_scores, weighted_f1

_AT_ONCE = 10_000


def permutation_test(
    y: NDArray[np.int64],
    champion: NDArray[np.int64],
    challenger: NDArray[np.int64],
    n_classes: int,
    permutations: int = 9_999,
    seed: int = 0,
) -> tuple[float, float]:
    """Test whether the challenger's weighted F1 is higher than the champion's.

    Were both equally good, either could have given either answer: so the two answers of each listing on which
    they differ are exchanged at random, and the observed difference is compared with those that come about
    (Yeh, "More accurate tests for the statistical significance of result differences", 2000).

    Parameters
    ----------
    y, champion, challenger
        ``int64[N]``, true and predicted classes.
    n_classes
        K.
    permutations, seed
        Of the exchanges.

    Returns
    -------
    tuple
        The observed difference, and the one-sided p-value.
    """
    differ = np.flatnonzero(champion != challenger)
    first, second = (
        np.asarray(class_counts(y, predicted, n_classes).sum(axis=0), dtype=np.float64)
        for predicted in (champion, challenger)
    )
    moved = (
        class_counts(y[differ], challenger[differ], n_classes)
        - class_counts(y[differ], champion[differ], n_classes)
    ).toarray()
    observed = float(_f1(second) - _f1(first))
    rng = np.random.default_rng(seed)
    as_large = 0
    for start in range(0, permutations, _AT_ONCE):
        exchanged = rng.random((min(_AT_ONCE, permutations - start), len(differ))) < 0.5
        shift = exchanged.astype(np.float64) @ moved
        by_chance = _f1(second - shift) - _f1(first + shift)
        as_large += int((by_chance >= observed - 1e-12).sum())
    # The observed assignment is one of those that chance may bring about.
    return observed, (1 + as_large) / (1 + permutations)


def loss_p_values(
    n: NDArray[np.int64], lost: NDArray[np.int64], gained: NDArray[np.int64], loss: float
) -> NDArray[np.float64]:
    """Test for each code whether more than a share of its listings is lost on balance.

    Parameters
    ----------
    n, lost, gained
        ``int64[C]``: listings of a code, those that only the champion gets right, and only the challenger.
    loss
        The share that may be lost.

    Returns
    -------
    ndarray
        One-sided p-values ``float64[C]`` of Tango's score test for paired proportions (Statistics in
        Medicine, 1998), which holds its level where few or no listings differ.
    """
    total, b, c = (np.asarray(values, dtype=np.float64) for values in (n, lost, gained))
    linear = -b - c + (2 * total - b + c) * loss
    root = np.sqrt(np.maximum(linear**2 + 8 * total * c * loss * (1 - loss), 0))
    only_challenger = (root - linear) / (4 * total)
    spread = np.sqrt(total * np.maximum(2 * only_challenger + loss * (1 - loss), 1e-12))
    return np.asarray(stats.norm.sf((b - c - total * loss) / spread))


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values for being several (Holm, Scandinavian Journal of Statistics, 1979)."""
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    stepped = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def _f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    true, predicted, right = np.split(counts, 3, axis=-1)
    return weighted_f1(f1_scores(right, true, predicted), true)
