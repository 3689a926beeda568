"""Accept or review: a promised precision for all that is accepted, kept with a stated confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from rayon.errors import ModelError, NotFittedError, TrainingError
from rayon.learning.bounds import allowed_errors, listings_needed, precision_lower_bound, predicted_power
from rayon.learning.probabilities import check_labels, check_probabilities, check_share

_CERTAIN = 0.01
_HARDLY_MORE = 1.5
"""With a risk of failing at the best start above `_CERTAIN`, one this many times as large is taken to start
lower. With less, the best stays: overconfident probabilities promise to pass almost anywhere."""


class Reason(StrEnum):
    """Why a listing is accepted or goes to review."""

    CONFIDENT = "confident"
    BELOW_THRESHOLD = "below_threshold"
    RARE_CODE = "too_few_calibration_listings"
    NO_PROMISE = "no_promise_possible"
    PROMISE_BROKEN = "promise_broken"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done with one listing, and why.

    Parameters
    ----------
    accept
        Whether the code is taken as it is; otherwise a person reviews it.
    threshold
        The score from which listings are accepted; ``None`` where nothing is promised.
    reason
        One of the fixed reasons.
    score
        The listing's own score, as `acceptance_score` gives it.
    """

    accept: bool
    threshold: float | None
    reason: Reason
    score: float


class DecisionPolicy(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    r"""Accept what can be accepted under a promise about the accepted listings as a whole.

    The promise: for listings distributed like the calibration data, the precision of what is accepted is at
    least ``precision``; the calibration data lead to a policy that breaks it with a probability of at most
    ``1 - confidence``.

    The calibration listings are ranked by `acceptance_score`. The hypotheses "the precision down to this
    score is under the promised one" are tested in one fixed order, each at the full level by the exact
    binomial test, from a start to ever lower scores, and the last score before the first failure is the
    threshold. Testing in a fixed order needs no correction for the number of tests. The start is where the
    stated confidences, without a look at the labels, make the test most likely to pass: starting at the
    very top would fail for want of listings, not of precision. Where even that is uncertain, it is the lowest
    score with hardly less of a chance, since neighbouring tests on few listings fail one by one.

    Parameters
    ----------
    precision
        Promised share of right codes among the accepted.
    confidence
        Probability with which the promise is kept.
    min_code_listings
        Listings whose predicted code has fewer calibration listings go to review.

    Attributes
    ----------
    threshold_ : float or None
        Score from which listings are accepted; ``None`` when the data cannot support the promise.
    needed_ : int or None
        When they cannot: how many calibration listings would do at the precision seen so far; ``None`` also
        where no number would, because even the surest predictions are not right often enough.
    review_codes_ : int64[R]
        Class indices that always go to review.
    n_classes_ : int
        K.

    Notes
    -----
    Fixed-sequence testing as in Angelopoulos et al., "Learn then Test" (2021); selection with a guaranteed
    risk as in Geifman and El-Yaniv, "Selective classification for deep neural networks" (NeurIPS, 2017);
    exact bounds by Clopper and Pearson (1934).
    """

    def __init__(
        self, precision: float = 0.98, confidence: float = 0.95, min_code_listings: int = 30
    ) -> None:
        self.precision = precision
        self.confidence = confidence
        self.min_code_listings = min_code_listings

    def fit(self, proba: ArrayLike, y: ArrayLike) -> Self:
        """Find the threshold.

        Parameters
        ----------
        proba
            Class probabilities `[N, K]` of listings that no training has seen.
        y
            Class indices `[N]`.

        Raises
        ------
        TrainingError
            When a parameter is out of bounds, there is no row, or shapes and values are wrong.
        """
        check_share(self.precision, "precision")
        check_share(self.confidence, "confidence")
        checked = check_probabilities(proba)
        labels = check_labels(y, *checked.shape)
        if len(labels) == 0:
            raise TrainingError("A policy needs at least one calibration listing", "Give trusted listings")
        self.n_classes_ = checked.shape[1]
        counts = np.bincount(labels, minlength=self.n_classes_)
        self.review_codes_ = np.flatnonzero(counts < self.min_code_listings)
        self._calibrate(checked, labels)
        return self

    def recalibrated(self, proba: ArrayLike, y: ArrayLike) -> Self:
        """Make the same promise anew, with a threshold from other listings.

        The codes that always go to review stay: they were counted on all the listings that taught the model,
        and fresh ones are too few to count again.

        Parameters
        ----------
        proba
            Class probabilities `[N, K]` of listings that the model has not learned from.
        y
            Class indices `[N]`; -1 where the true code is none of the K, so that no answer is right.

        Raises
        ------
        TrainingError
            When there is no row, or shapes and values are wrong.
        """
        checked = self._checked(proba)
        labels = check_labels(y, *checked.shape, unknown_allowed=True)
        if len(labels) == 0:
            raise TrainingError("A policy needs at least one calibration listing", "Give validated listings")
        policy = type(self)(self.precision, self.confidence, self.min_code_listings)
        policy.n_classes_, policy.review_codes_ = self.n_classes_, self.review_codes_
        policy._calibrate(checked, labels)
        return policy

    def accept(self, proba: ArrayLike) -> NDArray[np.bool_]:
        """Which rows of `proba` `[N, K]` are accepted, `bool[N]`."""
        checked = self._checked(proba)
        if self.threshold_ is None:
            return np.zeros(len(checked), dtype=bool)
        eligible = ~np.isin(checked.argmax(axis=1), self.review_codes_)
        return np.asarray(eligible & (acceptance_score(checked) >= self.threshold_))

    def decide(self, proba: ArrayLike) -> list[Decision]:
        """The decision for each row of `proba` `[N, K]`, with its reason."""
        checked = self._checked(proba)
        accepted = self.accept(checked)
        rare = np.isin(checked.argmax(axis=1), self.review_codes_)
        scores = acceptance_score(checked)
        return [
            Decision(bool(yes), self.threshold_, self._reason(bool(yes), bool(is_rare)), float(score))
            for yes, is_rare, score in zip(accepted, rare, scores, strict=True)
        ]

    def report(self) -> dict[str, Any]:
        """JSON-ready figures of the calibration, and in ``message`` one sentence for people."""
        self._require_fitted()
        return {
            "precision": self.precision,
            "confidence": self.confidence,
            "min_code_listings": self.min_code_listings,
            "threshold": self.threshold_,
            "needed": self.needed_,
            "review_codes": self.review_codes_.tolist(),
            **self._figures,
            "message": self._message(),
        }

    def params(self) -> dict[str, Any]:
        """JSON-ready description; with `to_arrays` it restores this very policy."""
        self._require_fitted()
        return {
            "precision": self.precision,
            "confidence": self.confidence,
            "min_code_listings": self.min_code_listings,
            "n_classes": self.n_classes_,
            "threshold": self.threshold_,
            "needed": self.needed_,
            "figures": self._figures,
        }

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned arrays, by names that npz can hold."""
        self._require_fitted()
        return {"review_codes": self.review_codes_}

    @classmethod
    def from_state(cls, params: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Restore what `params` and `to_arrays` gave.

        Raises
        ------
        ModelError
            When a part is missing.
        """
        try:
            policy = cls(params["precision"], params["confidence"], params["min_code_listings"])
            policy.n_classes_ = params["n_classes"]
            policy.threshold_, policy.needed_ = params["threshold"], params["needed"]
            policy._figures = dict(params["figures"])
            policy.review_codes_ = np.asarray(arrays["review_codes"], dtype=np.int64)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"The stored decision policy lacks or garbles {error}", "Train the model again"
            ) from None
        return policy

    def _calibrate(self, proba: NDArray[np.float64], y: NDArray[np.int64]) -> None:
        predicted = proba.argmax(axis=1)
        eligible = ~np.isin(predicted, self.review_codes_)
        scores = acceptance_score(proba)[eligible]
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        wrong = np.cumsum((predicted != y)[eligible][order])
        unsure = np.cumsum(1.0 - proba.max(axis=1)[eligible][order])
        # Listings with equal scores are accepted together, so a cut lies only where the score changes.
        cuts = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True)) if len(ranked) else np.array([], int)
        last = self._last_passing(cuts + 1, wrong[cuts], unsure[cuts])
        self.threshold_ = None if last is None else float(ranked[cuts[last]])
        accepted = 0 if last is None else int(cuts[last]) + 1
        right = accepted - int(wrong[accepted - 1]) if accepted else 0
        bound = float(precision_lower_bound(right, accepted, self.confidence)) if accepted else None
        self.needed_ = self._needed(cuts + 1, wrong[cuts], len(y)) if last is None else None
        self._figures: dict[str, Any] = {
            "n": len(y),
            "n_eligible": len(ranked),
            "n_accepted": accepted,
            "n_right": right,
            "coverage": accepted / len(y),
            "accepted_precision": right / accepted if accepted else None,
            "lower_bound": bound,
        }

    def _last_passing(
        self, n: NDArray[np.int64], wrong: NDArray[np.int64], unsure: NDArray[np.float64]
    ) -> int | None:
        """Position of the loosest cut before the first failure, of cuts with ``n`` listings each."""
        if len(n) == 0:
            return None
        risk = 1.0 - predicted_power(n, unsure, self.precision, self.confidence)
        start = int(np.argmin(risk))
        if risk[start] > _CERTAIN:
            start = int(np.flatnonzero(risk <= _HARDLY_MORE * risk[start])[-1])
        passed = wrong[start:] <= allowed_errors(n[start:], self.precision, self.confidence)
        n_passed = len(passed) if passed.all() else int(np.argmin(passed))
        return start + n_passed - 1 if n_passed else None

    def _needed(self, n: NDArray[np.int64], wrong: NDArray[np.int64], n_listings: int) -> int | None:
        """Calibration listings that would support the promise at the most favourable of the cuts."""
        # Half an error more than was seen, since a handful without an error proves little.
        expected = 1.0 - (wrong + 0.5) / (n + 1.0)
        margin = expected - self.precision
        if not (margin > 0).any():
            return None
        # By the normal approximation a cut needs accepted listings in proportion to 1 / margin².
        best = int(np.argmax(np.where(margin > 0, n * margin**2, 0.0)))
        accepted = listings_needed(float(expected[best]), self.precision, self.confidence)
        if accepted is None:
            return None
        return max(int(np.ceil(accepted * n_listings / int(n[best]))), n_listings + 1)

    def _message(self) -> str:
        n, promise = self._figures["n"], f"a precision of {self.precision:.1%}"
        if self.threshold_ is not None:
            return (
                f"Accepted listings keep {promise} with {self.confidence:.0%} confidence: "
                f"{self._figures['n_accepted']:,} of {n:,} calibration listings reach the threshold, "
                f"{self._figures['accepted_precision']:.1%} of them right"
            )
        refusal = f"Nothing is accepted: {n:,} calibration listings cannot support {promise}"
        if self._figures["n_eligible"] == 0:
            return f"{refusal}; no predicted code has {self.min_code_listings} of them"
        if self.needed_ is None:
            return f"{refusal}; not even the surest predictions are right often enough, so more would not do"
        return f"{refusal}; about {_rounded(self.needed_):,} would do at the precision seen so far"

    def _reason(self, accepted: bool, rare: bool) -> Reason:
        if accepted:
            return Reason.CONFIDENT
        if self.threshold_ is None:
            return Reason.NO_PROMISE
        return Reason.RARE_CODE if rare else Reason.BELOW_THRESHOLD

    def _checked(self, proba: ArrayLike) -> NDArray[np.float64]:
        self._require_fitted()
        return check_probabilities(proba, n_classes=self.n_classes_)

    def _require_fitted(self) -> None:
        if not hasattr(self, "_figures"):
            raise NotFittedError("This DecisionPolicy has not been fitted", "Call fit first")


def _rounded(n: int) -> int:
    """Two leading digits, upwards: more would pretend to know."""
    unit = int(10 ** max(len(str(n)) - 2, 0))
    return -(-n // unit) * unit


def acceptance_score(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    """How sure a distribution is of its top class, `float64[N]` in [0.5, 1].

    Half of one plus the lead of the top class over the second. With two classes this is the confidence
    itself; with more, a single strong rival counts for more than the same doubt spread over many classes.
    Under the same promise it accepted slightly more than the confidence did
    (``docs/decisions/0003-promised-precision.md``).
    """
    top_two = np.partition(proba, proba.shape[1] - 2, axis=1)[:, -2:]
    return np.asarray(0.5 + 0.5 * (top_two[:, 1] - top_two[:, 0]), dtype=np.float64)
