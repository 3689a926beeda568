"""Cross-fitting: predictions for listings by heads that never saw them.

Features are encoded once; only heads are refitted. Train-only listings (weak labels) teach the heads of
every fold but the one that holds their near-duplicates, and are never predicted.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayon.encoders.base import Features
from rayon.learning.heads import Head

Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)`` while something long is under way."""


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


def cross_fit(
    make_head: Callable[[], Head],
    features: Features,
    y: NDArray[np.int64],
    folds: NDArray[np.int64],
    trusted: NDArray[np.bool_],
    n_classes: int,
    *,
    sample_weight: NDArray[np.float64] | None = None,
    threads: int = 1,
    on_fold: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    """Out-of-fold class probabilities of the trusted listings.

    Parameters
    ----------
    make_head
        Makes a fresh, unfitted head.
    features
        `[n, d]`, the listings that have this modality.
    y
        `int64[n]`, class indices.
    folds
        `int64[n]`, the fold of each listing; near-duplicates share one.
    trusted
        `bool[n]`, whose predictions are wanted.
    n_classes
        K.
    sample_weight
        `float64[n]`, optional.
    threads
        Folds learned side by side; the result does not depend on it, memory does.
    on_fold
        Called with the number of folds that are done.

    Returns
    -------
    ndarray
        `float64[n, K]`; rows of NaN for listings that are not trusted, or whose fold left nothing to learn.
    """
    proba = np.full((len(y), n_classes), np.nan)

    def learn(fold: int) -> None:
        held_out = np.flatnonzero((folds == fold) & trusted)
        teaching = np.flatnonzero(folds != fold)
        if len(held_out) and len(np.unique(y[teaching])) > 1:
            weight = None if sample_weight is None else sample_weight[teaching]
            head = make_head().fit(features[teaching], y[teaching], n_classes, sample_weight=weight)
            proba[held_out] = head.predict_proba(features[held_out])

    with ThreadPoolExecutor(threads, thread_name_prefix="rayon-folds") as pool:
        for done, _ in enumerate(pool.map(learn, np.unique(folds)), start=1):
            if on_fold is not None:
                on_fold(done)
    return proba


def cross_fit_by_fold(
    fit_predict: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[Any]],
    folds: NDArray[np.int64],
    out: NDArray[Any],
) -> NDArray[Any]:
    """Fill ``out`` fold by fold with ``fit_predict(rows to learn from, rows to predict)``."""
    for fold in np.unique(folds):
        held_out = np.flatnonzero(folds == fold)
        out[held_out] = fit_predict(np.flatnonzero(folds != fold), held_out)
    return out
