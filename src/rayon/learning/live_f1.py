"""Weighted F1 of a window of live service, estimated from the labels that count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from rayon.learning.bootstrap import f1_scores, ratio, weighted_f1
from rayon.learning.live_sample import LiveSample, Strata
from rayon.learning.stratified import Estimate

_SEEN_OFTEN = 3
"""Labelled listings with a code from which on its F1 is taken to be estimated, not guessed."""

_LEAST_LABELS_BY_CODE = 0.5
"""Sampled labels for each code that is predicted where labels are sampled; fewer give bounds alone."""


def weighted_f1_interval(
    sample: LiveSample, strata: Strata, n_classes: int, accuracy: Estimate | None, confidence: float
) -> Estimate | None:
    """Estimate weighted F1 of a window; ``None`` where it has no label that counts.

    Where labels are few for so many codes, most codes' F1 is unknown, and only bounds are given.

    Parameters
    ----------
    sample, strata
        The N predictions and their strata.
    n_classes
        K; a true class of K or above is never predicted.
    accuracy
        The estimate of accuracy, and its interval.
    confidence
        Of the interval.

    Notes
    -----
    The estimate is the weighted F1 of the labelled listings, each weighted by the inverse of the share of its
    stratum that is labelled (Horvitz and Thompson, "A generalization of sampling without replacement from a
    finite universe", Journal of the American Statistical Association, 1952).

    Weighted F1 differs from accuracy by little. So the interval is that of accuracy, which holds in small
    samples too, moved by the difference and widened by what is uncertain in it, as independent errors do:

    - sampling, by Taylor linearisation (Särndal, Swensson and Wretman, *Model Assisted Survey Sampling*,
      1992, chapter 5);
    - codes of which hardly a listing is labelled, whose F1 is a guess. A code that is true T, predicted P and
      right C times adds C (T - P) / (T + P) to the difference, so that errors add half of their number at
      most.
    """
    if accuracy is None:
        return None
    if accuracy.estimate is None or _few_labels(sample, strata):
        # Weighted F1 differs from accuracy by at most half of the share of errors.
        return Estimate(None, max(0.0, 1.5 * accuracy.low - 0.5), 0.5 + 0.5 * accuracy.high)
    rows = np.flatnonzero(strata.counts)
    # All unknown codes are one, as none of them is ever predicted.
    true = np.minimum(sample.true[rows], n_classes)
    predicted, stratum = sample.predicted[rows], strata.of_listing[rows]
    weights = strata.weights[stratum]
    estimate, influence = weighted_f1_and_influence(true, predicted, weights, n_classes + 1)
    right = predicted == true
    sampling = _variance_of_total(influence - right, stratum, strata) / len(sample) ** 2
    estimated = np.where(strata.known[stratum], 0.0, weights)
    rare = _mass_of_rare_errors(true, predicted, estimated, n_classes + 1) / len(sample)
    wider = np.hypot(ndtri(0.5 + confidence / 2) * np.sqrt(sampling), 0.5 * rare)
    low = estimate - np.hypot(accuracy.estimate - accuracy.low, wider)
    high = estimate + np.hypot(accuracy.high - accuracy.estimate, wider)
    return Estimate(estimate, float(max(0.0, low)), float(min(1.0, high)))


def weighted_f1_and_influence(
    true: NDArray[np.int64], predicted: NDArray[np.int64], weights: NDArray[np.float64], n_classes: int
) -> tuple[float, NDArray[np.float64]]:
    """Weighted F1 of weighted listings, and what each adds to it.

    Parameters
    ----------
    true, predicted
        ``int64[n]``, class indices.
    weights
        ``float64[n]``, for how many listings each stands.
    n_classes
        K.

    Returns
    -------
    tuple
        Weighted F1, and its derivative by each weight, times the sum of weights: ``float64[n]``. The
        derivative leaves out that the sum of weights is itself a sum, since the size of a window is known.
    """
    right = true == predicted
    support, answered, correct = (
        np.bincount(index, of_index, n_classes).astype(np.float64)
        for index, of_index in ((true, weights), (predicted, weights), (true[right], weights[right]))
    )
    f1 = f1_scores(correct, support, answered)
    of_true, of_predicted, of_right = (
        np.nan_to_num(ratio(part, support + answered)) for part in (f1 * answered, f1 * support, 2 * support)
    )
    influence = of_true[true] - of_predicted[predicted] + right * of_right[predicted]
    return float(weighted_f1(f1, support)), influence


def _few_labels(sample: LiveSample, strata: Strata) -> bool:
    sampled = ~strata.known
    codes = len(np.unique(sample.predicted[sampled[strata.of_listing]]))
    return bool(strata.labelled[sampled].sum() < _LEAST_LABELS_BY_CODE * codes)


def _variance_of_total(values: NDArray[np.float64], stratum: NDArray[np.int64], strata: Strata) -> float:
    """Variance of the sum of values over the window, as estimated from labelled listings."""
    n = strata.labelled
    mean = ratio(np.bincount(stratum, values, len(n)), n)
    squares = np.bincount(stratum, (values - mean[stratum]) ** 2, len(n))
    left_out = 1.0 - n / strata.listings
    return float((strata.weights**2 * left_out * squares * n / np.maximum(n - 1, 1)).sum())


def _mass_of_rare_errors(
    true: NDArray[np.int64], predicted: NDArray[np.int64], weights: NDArray[np.float64], n_classes: int
) -> float:
    """For how many listings the errors stand that have a rarely seen code."""
    wrong = true != predicted
    seen = np.bincount(predicted, minlength=n_classes) + np.bincount(true[wrong], minlength=n_classes)
    rare = seen < _SEEN_OFTEN
    return float(weights[wrong & (rare[true] | rare[predicted])].sum())
