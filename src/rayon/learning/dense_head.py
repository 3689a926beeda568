"""A head on dense embeddings: ridge-penalised multinomial logistic regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

from rayon.encoders.base import Features
from rayon.errors import ModelError, NotFittedError, TrainingError


class DenseHead:
    """Multinomial logistic regression on power-transformed, standardised embeddings.

    The signed square root evens out the heavy tails of pooled activations (the power normalisation of
    Perronnin, Sánchez and Mensink, 2010). By default every class weighs the same in training: the scores are
    then likelihoods up to a factor, to which fusion adds the class frequencies once and not twice.

    Parameters
    ----------
    C
        Inverse strength of the ridge penalty, as in scikit-learn, on weights with mean 1.
    max_iter
        Most iterations of L-BFGS; stopping early is part of the regularisation.
    balanced
        Whether every class weighs the same, whatever its number of listings.
    random_state
        Seed. Nothing is drawn at random; every head takes one.
    """

    def __init__(
        self, *, C: float = 0.0005, max_iter: int = 60, balanced: bool = True, random_state: int = 0
    ) -> None:
        self.C = C
        self.max_iter = max_iter
        self.balanced = balanced
        self.random_state = random_state

    def params(self) -> dict[str, Any]:
        """Parameters of the constructor, JSON-ready."""
        return {
            "C": self.C,
            "max_iter": self.max_iter,
            "balanced": self.balanced,
            "random_state": self.random_state,
        }

    def fit(
        self, X: Features, y: NDArray[Any], n_classes: int, sample_weight: NDArray[Any] | None = None
    ) -> Self:
        """Learn from `n` vectors.

        Parameters
        ----------
        X
            `[n, d]`, dense or sparse, finite.
        y
            `int64[n]`, class indices from 0 to K - 1. A class without listings gets the lowest probability
            everywhere.
        n_classes
            K.
        sample_weight
            `float64[n]`, at least 0.

        Raises
        ------
        TrainingError
            When the shapes do not fit, a value is not finite, an index is out of range, or fewer than two
            classes have weight.
        """
        Z = _power(_dense(X))
        y = np.asarray(y, np.int64)
        weight = _weights(Z, y, n_classes, sample_weight, balanced=self.balanced)
        mean = weight @ Z
        Z -= mean.astype(np.float32)
        spread = np.sqrt(weight @ np.square(Z))
        scale = 1.0 / np.maximum(spread, 1e-3 * spread.max() + 1e-12)
        Z *= scale.astype(np.float32)
        self._mean, self._scale = mean.astype(np.float32), scale.astype(np.float32)
        self._coef, self._intercept = _logistic(Z, y, n_classes, weight, self.C * len(y), self.max_iter)
        return self

    def predict_proba(self, X: Features) -> NDArray[np.float64]:
        """Class probabilities `float64[n, K]` of vectors `[n, d]`; a row of NaN gives a row of NaN.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ModelError
            When the vectors are of another length than those that were learned from.
        """
        self._require_fitted()
        dense = _dense(X)
        if dense.ndim != 2 or dense.shape[1] != len(self._coef):
            raise ModelError(
                f"The image head takes vectors [n, {len(self._coef)}], not {list(dense.shape)}",
                "Encode with the encoder that it was trained with",
            )
        Z = (_power(dense) - self._mean) * self._scale
        # One row at a time through the same product as a whole batch would differ in the last bits.
        logits = np.stack([row @ self._coef for row in Z]) if len(Z) else np.empty((0, len(self._intercept)))
        return _softmax(logits.astype(np.float64) + self._intercept)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Parameters and learned state as plain arrays."""
        self._require_fitted()
        return {
            **{name: np.asarray(value) for name, value in self.params().items()},
            "mean": self._mean,
            "scale": self._scale,
            "coef": self._coef,
            "intercept": self._intercept,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Fitted head from what `to_arrays` gave.

        Raises
        ------
        ModelError
            When an array is missing or has an impossible shape.
        """
        hint = "Restore the model from a backup, or train again"
        try:
            head = cls(**{name: arrays[name].item() for name in cls().params()})
            head._mean, head._scale = arrays["mean"], arrays["scale"]
            head._coef, head._intercept = arrays["coef"], arrays["intercept"]
        except KeyError as error:
            raise ModelError(f"The image head lacks the array {error.args[0]!r}", hint) from None
        except ValueError:
            raise ModelError("A parameter of the image head is not a single value", hint) from None
        shape = head._coef.shape
        d_and_k = (head._mean.shape, head._scale.shape, head._intercept.shape)
        if len(shape) != 2 or d_and_k != ((shape[0],), (shape[0],), (shape[1],)):
            raise ModelError("The arrays of the image head do not fit each other", hint)
        return head

    def _require_fitted(self) -> None:
        if not hasattr(self, "_coef"):
            raise NotFittedError("The image head has not learned anything yet", "Call fit first")


def _dense(X: Features) -> NDArray[np.float32]:
    return np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float32)


def _power(X: NDArray[np.float32]) -> NDArray[np.float32]:
    root: NDArray[np.float32] = np.sqrt(np.abs(X))
    return np.copysign(root, X, out=root)


def _weights(
    Z: NDArray[np.float32],
    y: NDArray[np.int64],
    n_classes: int,
    sample_weight: NDArray[Any] | None,
    *,
    balanced: bool,
) -> NDArray[np.float64]:
    """Weights of the listings, adding up to 1."""
    if Z.ndim != 2 or y.shape != (len(Z),):
        raise TrainingError(f"The image head cannot learn from vectors {Z.shape} and classes {y.shape}")
    if not np.isfinite(Z).all():
        raise TrainingError("The image head cannot learn from vectors that are not finite")
    if len(y) and (y.min() < 0 or y.max() >= n_classes):
        raise TrainingError(f"The image head takes classes from 0 to {n_classes - 1}")
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    if weight.shape != y.shape or not np.isfinite(weight).all() or (weight < 0).any():
        raise TrainingError("The image head takes one finite weight a listing, none of them negative")
    mass = np.bincount(y, weight, minlength=n_classes)
    if np.count_nonzero(mass) < 2:
        raise TrainingError("The image head needs listings of at least two classes")
    if balanced:
        weight = weight / np.where(mass > 0, mass, 1.0)[y]
    share: NDArray[np.float64] = weight / weight.sum()
    return share


def _logistic(
    Z: NDArray[np.float32],
    y: NDArray[np.int64],
    n_classes: int,
    weight: NDArray[np.float64],
    inverse_penalty: float,
    max_iter: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Coefficients `[d, K]` and intercepts `[K]`; products in float32, everything else in float64."""
    n, d = Z.shape
    rows = np.arange(n)
    mass = weight.astype(np.float32)[:, None]

    def objective(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        coef = theta[: d * n_classes].reshape(d, n_classes)
        proba = _softmax(Z @ coef.astype(np.float32) + theta[d * n_classes :].astype(np.float32))
        chosen = np.maximum(proba[rows, y].astype(np.float64), 1e-30)
        value = 0.5 * float(np.vdot(coef, coef)) / inverse_penalty - float(weight @ np.log(chosen))
        proba[rows, y] -= 1.0
        proba *= mass
        gradient = (Z.T @ proba).astype(np.float64) + coef / inverse_penalty
        return value, np.concatenate([gradient.ravel(), proba.sum(axis=0, dtype=np.float64)])

    theta = minimize(
        objective, np.zeros((d + 1) * n_classes), jac=True, method="L-BFGS-B", options={"maxiter": max_iter}
    ).x.astype(np.float32)
    return theta[: d * n_classes].reshape(d, n_classes), theta[d * n_classes :]


def _softmax(logits: NDArray[Any]) -> NDArray[Any]:
    proba: NDArray[Any] = np.exp(logits - logits.max(axis=1, keepdims=True))
    proba /= proba.sum(axis=1, keepdims=True)
    return proba
