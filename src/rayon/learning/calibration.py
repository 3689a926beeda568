"""Calibration: making a stated confidence the observed frequency, and measuring how far from it one is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.base import BaseEstimator

from rayon.errors import NotFittedError, TrainingError
from rayon.learning.probabilities import check_labels, check_probabilities, floored_log
from rayon.learning.stacking import FLOOR, Stacker, log_prior


class TemperatureScaling(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """One number that sharpens or softens all distributions alike; the best class never changes.

    Parameters
    ----------
    shrinkage
        Standard deviation of the logarithm of the temperature that is expected before any data is seen:
        a few listings move the temperature little.

    Attributes
    ----------
    temperature_ : float
        Above one softens.

    Notes
    -----
    Guo et al., "On Calibration of Modern Neural Networks" (ICML, 2017).
    """

    def __init__(self, shrinkage: float = 0.5) -> None:
        self.shrinkage = shrinkage

    def fit(self, proba: ArrayLike, y: ArrayLike) -> Self:
        """Learn the temperature of `proba` `[N, K]` from the class indices ``y`` `[N]`."""
        checked = check_probabilities(proba)
        labels = check_labels(y, len(checked), checked.shape[1])
        self.temperature_ = fitted_temperature(floored_log(checked, FLOOR), labels, self.shrinkage)
        return self

    def predict_proba(self, proba: ArrayLike) -> NDArray[np.float64]:
        """Calibrated probabilities `float64[N, K]`."""
        if not hasattr(self, "temperature_"):
            raise NotFittedError("This TemperatureScaling has not been fitted", "Call fit first")
        scores = floored_log(check_probabilities(proba), FLOOR)
        return np.asarray(softmax(scores / self.temperature_, axis=1), dtype=np.float64)


class VectorScaling(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A weight and an offset for each class on the log-probabilities, shrunk towards one common weight.

    Notes
    -----
    Vector scaling of Guo et al., "On Calibration of Modern Neural Networks" (ICML, 2017), with a Gaussian
    prior on what tells the classes apart, so that rare classes borrow from the others.
    """

    def fit(self, proba: ArrayLike, y: ArrayLike) -> Self:
        """Learn from `proba` `[N, K]` and the class indices ``y`` `[N]`."""
        checked = check_probabilities(proba)
        labels = check_labels(y, len(checked), checked.shape[1])
        self.stacker_ = Stacker(interactions=False).fit(
            floored_log(checked, FLOOR)[None], labels, log_prior(labels, checked.shape[1])
        )
        return self

    def predict_proba(self, proba: ArrayLike) -> NDArray[np.float64]:
        """Calibrated probabilities `float64[N, K]`."""
        if not hasattr(self, "stacker_"):
            raise NotFittedError("This VectorScaling has not been fitted", "Call fit first")
        checked = check_probabilities(proba, n_classes=self.stacker_.n_classes)
        return np.exp(self.stacker_.log_proba(floored_log(checked, FLOOR)[None]))


def fitted_temperature(log_proba: NDArray[np.float64], y: NDArray[np.int64], shrinkage: float = 0.5) -> float:
    """Most likely temperature of `log_proba` `[N, K]`, with a log-normal prior around one."""
    rows = np.arange(len(y))

    def loss(log_temperature: float) -> float:
        scores = log_softmax(log_proba * np.exp(-log_temperature), axis=1)
        return float(0.5 * (log_temperature / shrinkage) ** 2 - scores[rows, y].sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))


@dataclass(frozen=True, slots=True)
class Heat:
    r"""The last step to a calibrated distribution: a temperature, and a share of listings that tell nothing.

    The scores of a row are its log-probabilities times :math:`e^{s h} / t`, where :math:`t` is the
    temperature, :math:`s` the sharpening and :math:`h` the entropy of the row as a share of the greatest one.
    Where some listings are told much worse than others (short ones, rare kinds), no single temperature fits:
    the sure rows are too sure and the unsure ones not sure enough, which a positive sharpening mends.

    Where some labels are wrong, or some pictures belong to other listings, what is soft enough for the
    hopeless listings is too soft for all others. The mixture with the class frequencies takes the hopeless
    ones upon itself.

    Parameters
    ----------
    temperature
        Above one softens.
    contamination
        Weight of the class frequencies in the mixture, 0 to 1.
    sharpening
        Above zero sharpens the rows that spread their mass; zero treats all rows alike.

    Notes
    -----
    Temperatures that depend on the entropy: Balanya, Maroñas and Ramos, "Adaptive temperature scaling for
    robust calibration of deep neural networks" (Neural Computing and Applications, 2024).
    """

    temperature: float = 1.0
    contamination: float = 0.0
    sharpening: float = 0.0

    @classmethod
    def fit(
        cls, log_proba: NDArray[np.float64], y: NDArray[np.int64], log_prior: NDArray[np.float64]
    ) -> Self:
        """Most likely values for held-out `log_proba` `[N, K]`, shrunk towards changing next to nothing."""
        rows, spread = np.arange(len(y)), _spread(log_proba)

        def loss(parameters: NDArray[np.float64]) -> float:
            log_temperature, log_odds, sharpening = parameters
            share = expit(log_odds)
            exponent = np.exp(sharpening * spread - log_temperature)
            found = log_softmax(log_proba * exponent, axis=1)[rows, y]
            mixed = np.logaddexp(np.log1p(-share) + found, np.log(share) + log_prior[y])
            return float(0.5 * np.square((parameters - _USUAL) / _DEVIATION).sum() - mixed.sum())

        found = minimize(loss, _USUAL, method="L-BFGS-B", bounds=[(-2.0, 2.0), (-12.0, 0.0), (-3.0, 3.0)])
        log_temperature, log_odds, sharpening = found.x.tolist()
        return cls(float(np.exp(log_temperature)), float(expit(log_odds)), sharpening)

    def apply(self, log_proba: NDArray[np.float64], log_prior: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities `float64[N, K]`."""
        exponent = np.exp(self.sharpening * _spread(log_proba)) / self.temperature
        mixed: NDArray[np.float64] = (1 - self.contamination) * softmax(log_proba * exponent, axis=1)
        return mixed + self.contamination * np.exp(log_prior)


# Log-temperature, log-odds of the contamination (about a quarter of a percent) and sharpening that are
# expected before any data is seen, and how far from that they may be.
_USUAL = np.array([0.0, -6.0, 0.0])
_DEVIATION = np.array([0.5, 2.0, 1.0])


def _spread(log_proba: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy of each row as a share of the greatest one, `float64[N, 1]`."""
    entropy = -(np.exp(log_proba) * log_proba).sum(axis=1, keepdims=True)
    return np.asarray(entropy / np.log(log_proba.shape[1]), dtype=np.float64)


def expected_calibration_error(proba: ArrayLike, y: ArrayLike, n_bins: int = 15) -> float:
    """Mean distance between the confidence in the top class and how often it is right.

    Parameters
    ----------
    proba
        Class probabilities `[N, K]`.
    y
        Class indices `[N]`.
    n_bins
        Bins of equal width over the confidence; each counts by its share of the rows.

    Notes
    -----
    Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning" (AAAI, 2015).
    """
    checked = check_probabilities(proba)
    labels = check_labels(y, len(checked), checked.shape[1])
    right = checked.argmax(axis=1) == labels
    return float(_binned_error(checked.max(axis=1), right[None].astype(np.float64), n_bins)[0])


def perfect_calibration_ece(
    proba: ArrayLike,
    n_simulations: int = 1000,
    seed: int = 0,
    *,
    n_bins: int = 15,
    quantile: float = 0.95,
) -> float:
    """Calibration error that a perfectly calibrated model shows by chance alone.

    Labels are drawn from the stated confidences themselves; the answer is the ``quantile`` of
    `expected_calibration_error` over the simulations. A model with an error under it cannot be told from
    a perfectly calibrated one with so many listings.
    """
    confidence = check_probabilities(proba).max(axis=1)
    rng = np.random.default_rng(seed)
    errors = [
        _binned_error(confidence, (rng.random((1, len(confidence))) < confidence).astype(float), n_bins)[0]
        for _ in range(n_simulations)
    ]
    return float(np.quantile(errors, quantile))


def _binned_error(
    confidence: NDArray[np.float64], right: NDArray[np.float64], n_bins: int
) -> NDArray[np.float64]:
    if len(confidence) == 0:
        raise TrainingError("A calibration error needs at least one row", "Give listings with known codes")
    if n_bins < 1:
        raise TrainingError(f"n_bins is {n_bins}, not at least 1", "Use 15")
    bins = np.minimum((confidence * n_bins).astype(np.int64), n_bins - 1)
    gaps = [np.abs(np.bincount(bins, weights=row - confidence, minlength=n_bins)).sum() for row in right]
    return np.asarray(gaps) / len(confidence)
