"""Prediction sets: the few codes among which the true one is, with a promised coverage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from rayon.errors import ModelError, NotFittedError, TrainingError
from rayon.learning.probabilities import check_labels, check_probabilities, check_share


class PredictionSets(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Split conformal sets of the least ambiguous kind.

    A class is in the set when its probability reaches a threshold that the true classes of the calibration
    listings reach often enough. The true class is in the set with a probability of at least ``coverage``,
    over the draw of the calibration listings and of the listing itself. The most probable class is always
    in, so that no set is empty, which can only add to the coverage.

    Parameters
    ----------
    coverage
        Promised probability that the true class is in the set.

    Attributes
    ----------
    threshold_ : float
        Probability from which a class is in the set; 0 when there are too few listings to leave any out.

    Notes
    -----
    Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers with bounded error levels" (JASA,
    2019): the smallest sets on average for a coverage over all listings together.
    """

    def __init__(self, coverage: float = 0.95) -> None:
        self.coverage = coverage

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
            When the coverage is out of bounds, there is no row, or shapes and values are wrong.
        """
        check_share(self.coverage, "coverage")
        checked = check_probabilities(proba)
        return self._calibrate(checked, check_labels(y, *checked.shape))

    def recalibrated(self, proba: ArrayLike, y: ArrayLike) -> Self:
        """Promise the same coverage anew, with a threshold from other listings.

        Parameters
        ----------
        proba
            Class probabilities `[N, K]` of listings that the model has not learned from.
        y
            Class indices `[N]`; -1 where the true code is none of the K, so that no set holds it.

        Raises
        ------
        TrainingError
            When there is no row, or shapes and values are wrong.
        """
        self._require_fitted()
        checked = check_probabilities(proba, n_classes=self.n_classes_)
        labels = check_labels(y, *checked.shape, unknown_allowed=True)
        return type(self)(self.coverage)._calibrate(checked, labels)

    def _calibrate(self, proba: NDArray[np.float64], y: NDArray[np.int64]) -> Self:
        if len(y) == 0:
            raise TrainingError("Prediction sets need at least one listing", "Give trusted listings")
        self.n_classes_ = proba.shape[1]
        truth = np.sort(np.where(y < 0, 0.0, proba[np.arange(len(y)), y]))
        # The finite-sample quantile: of n + 1 listings, the new one included, this many may fall outside.
        outside = len(truth) - int(np.ceil(round((len(truth) + 1) * self.coverage, 9)))
        self.threshold_ = float(truth[outside]) if outside >= 0 else 0.0
        return self

    def sets(self, proba: ArrayLike) -> NDArray[np.bool_]:
        """Which classes are in the set of each row of `proba`, `bool[N, K]`."""
        self._require_fitted()
        checked = check_probabilities(proba, n_classes=self.n_classes_)
        inside = checked >= self.threshold_
        inside[np.arange(len(checked)), checked.argmax(axis=1)] = True
        return np.asarray(inside)

    def params(self) -> dict[str, Any]:
        """JSON-ready description; it restores these very sets."""
        self._require_fitted()
        return {"coverage": self.coverage, "threshold": self.threshold_, "n_classes": self.n_classes_}

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned arrays, by names that npz can hold."""
        self._require_fitted()
        return {"threshold": np.array(self.threshold_)}

    @classmethod
    def from_state(cls, params: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Restore what `params` and `to_arrays` gave.

        Raises
        ------
        ModelError
            When a part is missing.
        """
        try:
            sets = cls(params["coverage"])
            sets.n_classes_ = params["n_classes"]
            sets.threshold_ = float(arrays["threshold"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"The stored prediction sets lack or garble {error}", "Train the model again"
            ) from None
        return sets

    def _require_fitted(self) -> None:
        if not hasattr(self, "threshold_"):
            raise NotFittedError("These PredictionSets have not been fitted", "Call fit first")
