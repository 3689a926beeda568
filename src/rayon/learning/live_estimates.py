"""How good the predictions of a window of live service are, from the labels of the random audit alone.

What reviewers look at in the queue is uncertain, and often wrong: it says nothing of the rest, and takes part
only where every listing of a stratum was reviewed. The strata are the decision and the probability with which
the audit drew.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayon.errors import RayonError
from rayon.learning.live_codes import CodePrecision, precision_by_code
from rayon.learning.live_f1 import weighted_f1_and_influence, weighted_f1_interval
from rayon.learning.live_sample import LiveSample, Strata
from rayon.learning.stratified import Estimate, exact_bounds, stratified_bounds


@dataclass(frozen=True, slots=True)
class NaiveEstimate:
    """What all validations together seem to say: biased, since reviewers look at what is uncertain.

    Parameters
    ----------
    validated
        Listings with a person's word, whoever chose them.
    accuracy, weighted_f1
        Their plain figures, with the intervals of a share of so many random listings.
    """

    validated: int
    accuracy: Estimate | None
    weighted_f1: Estimate | None


@dataclass(frozen=True, slots=True)
class LiveEstimate:
    """Quality of the predictions of a window; a figure is ``None`` where nothing is known of it.

    Parameters
    ----------
    confidence
        Of the intervals.
    listings
        Predictions in the window.
    audited, pending
        Predictions that the audit drew, with a person's word and still without.
    fully_reviewed, unaudited
        Listings in strata whose every listing, or none, has a label that counts.
    accepted_share
        Share of the window that was accepted.
    accuracy, weighted_f1
        Of the window.
    accepted_precision
        Share of the accepted listings that is right.
    accepted_right, accepted_labelled
        The labels of accepted listings that count.
    mean_confidence
        Of the window.
    overconfidence
        Mean confidence minus accuracy; positive where more is claimed than kept.
    naive
        The biased figures, for comparison.
    codes
        The codes that have labels, by what was predicted, in the order of their index.
    """

    confidence: float
    listings: int
    audited: int
    pending: int
    fully_reviewed: int
    unaudited: int
    accepted_share: float | None
    accuracy: Estimate | None
    weighted_f1: Estimate | None
    accepted_precision: Estimate | None
    accepted_right: int
    accepted_labelled: int
    mean_confidence: float | None
    overconfidence: Estimate | None
    naive: NaiveEstimate
    codes: tuple[CodePrecision, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        figures = asdict(self)
        return {**figures, "codes": list(figures["codes"])}


def estimate_live(sample: LiveSample, n_classes: int, confidence: float = 0.95) -> LiveEstimate:
    """Estimate the quality of a window of predictions.

    Parameters
    ----------
    sample
        The N predictions.
    n_classes
        K. A true class of K or above is a code that the model does not know: an error.
    confidence
        Of the intervals.

    Raises
    ------
    RayonError
        When a predicted class is not one of the K, or the confidence is not between 0 and 1.

    Notes
    -----
    Pending listings are taken to be missing at random within their stratum. For the estimates, not for the
    bounds, a stratum without a label is taken to be like the others of its decision.
    """
    if not 0 < confidence < 1:
        raise RayonError(f"A confidence of {confidence:g} is not possible", "Give one between 0 and 1")
    if len(sample) and sample.predicted.max() >= n_classes:
        raise RayonError(
            f"The predicted class {sample.predicted.max()} is not one of {n_classes}",
            f"Give class indices from 0 to {n_classes - 1}",
        )
    strata = Strata.of(sample)
    of_all = np.ones(len(strata.accepted), dtype=np.bool_)
    accuracy = _share(strata, of_all, confidence)
    validated = sample.validated
    kept = sample.accepted & strata.counts
    mean_confidence = float(sample.confidence.mean()) if len(sample) else None
    return LiveEstimate(
        confidence=confidence,
        listings=len(sample),
        audited=int((sample.drawn & validated).sum()),
        pending=int((sample.drawn & ~validated).sum()),
        fully_reviewed=int(strata.listings[strata.known].sum()),
        unaudited=int(strata.listings[strata.labelled == 0].sum()),
        accepted_share=float(sample.accepted.mean()) if len(sample) else None,
        accuracy=accuracy,
        weighted_f1=weighted_f1_interval(sample, strata, n_classes, accuracy, confidence),
        accepted_precision=_share(strata, strata.accepted, confidence),
        accepted_right=int((kept & sample.right).sum()),
        accepted_labelled=int(kept.sum()),
        mean_confidence=mean_confidence,
        overconfidence=_overconfidence(mean_confidence, accuracy),
        naive=_naive(sample, n_classes, confidence),
        codes=precision_by_code(sample, strata, n_classes, confidence),
    )


def _share(strata: Strata, chosen: NDArray[np.bool_], confidence: float) -> Estimate | None:
    """Share of right listings in the chosen strata."""
    if not strata.labelled[chosen].any():
        return None
    low, high = stratified_bounds(strata.rows(chosen), confidence)
    if not strata.estimable[chosen].all():
        return Estimate(None, low, high)
    found = float((strata.weights * strata.right)[chosen].sum() / strata.listings[chosen].sum())
    return Estimate(min(max(found, low), high), low, high)  # a rounding error may lie outside


def _overconfidence(mean_confidence: float | None, accuracy: Estimate | None) -> Estimate | None:
    """Mean confidence is known of the whole window, so that only the accuracy is uncertain."""
    if mean_confidence is None or accuracy is None:
        return None
    estimate = None if accuracy.estimate is None else mean_confidence - accuracy.estimate
    return Estimate(estimate, mean_confidence - accuracy.high, mean_confidence - accuracy.low)


def _naive(sample: LiveSample, n_classes: int, confidence: float) -> NaiveEstimate:
    rows = np.flatnonzero(sample.validated)
    if not len(rows):
        return NaiveEstimate(0, None, None)
    true, predicted = np.minimum(sample.true[rows], n_classes), sample.predicted[rows]
    figures = np.array(
        [
            (true == predicted).mean(),
            weighted_f1_and_influence(true, predicted, np.ones(len(rows)), n_classes + 1)[0],
        ]
    )
    bounds = exact_bounds(figures * len(rows), len(rows), confidence)
    accuracy, f1 = (Estimate(*row) for row in np.column_stack([figures, *bounds]).tolist())
    return NaiveEstimate(len(rows), accuracy, f1)
