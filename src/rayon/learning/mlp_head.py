"""A head on dense embeddings of texts: a network with one hidden layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rayon.encoders.base import Features
from rayon.errors import ModelError, NotFittedError
from rayon.learning.heads import check_training
from rayon.learning.minibatches import Floats, softmax

_NAMES = ("mean", "scale", "hidden", "hidden_bias", "out", "out_bias")
_SMALLEST_BATCH, _LARGEST_BATCH, _LEAST_STEPS = 16, 256, 64
"""Rows a step: few enough that an epoch has 64 steps, where there are few listings."""

_RATE = 2e-3
_DECAY = 0.01
_SMOOTHING = 0.05
_INPUT_DROPOUT, _DROPOUT = 0.1, 0.4
_ENOUGH, _LEAST_EPOCHS, _MOST_EPOCHS = 500_000, 12, 60
_ROWS_AT_ONCE = 4096


class MlpHead:
    """One hidden layer of rectified units on standardised embeddings, with dropout.

    Pooled embeddings of sentences are not made to be told apart by planes: on short titles a hidden layer is
    worth seven points of F1. Learned by AdamW (Loshchilov and Hutter, 2019) with a step size that falls as a
    cosine, and smoothed labels.

    Parameters
    ----------
    units
        Of the hidden layer.
    epochs
        Passes over the data; where not given 12, and up to 60 for fewer than 42,000 listings.
    random_state
        Seed.
    """

    def __init__(self, *, units: int = 1024, epochs: int | None = None, random_state: int = 0) -> None:
        self.units = units
        self.epochs = epochs
        self.random_state = random_state
        self._weights: dict[str, Floats] = {}

    def params(self) -> dict[str, Any]:
        """JSON-ready parameters of the constructor."""
        return {"units": self.units, "epochs": self.epochs, "random_state": self.random_state}

    def fit(
        self, X: Features, y: NDArray[Any], n_classes: int, sample_weight: NDArray[Any] | None = None
    ) -> Self:
        """Learn from `n` finite vectors; see `Head.fit`."""
        dense = _dense(X)
        y = np.asarray(y, np.int64)
        weight = check_training(len(dense), y, n_classes, sample_weight)
        mean, spread = dense.mean(axis=0), dense.std(axis=0)
        scale = (1 / np.maximum(spread, 1e-3 * spread.max() + 1e-12)).astype(np.float32)
        rng = np.random.default_rng(self.random_state)
        epochs = self.epochs or int(np.clip(_ENOUGH // len(dense), _LEAST_EPOCHS, _MOST_EPOCHS))
        learner = _Learner(dense.shape[1], self.units, n_classes, rng)
        for rows, rate in _schedule(len(dense), epochs, rng):
            learner.step((dense[rows] - mean) * scale, y[rows], weight[rows], rate)
        found = {"mean": mean, "scale": scale, **learner.weights}
        self._weights = {name: value.astype(np.float32) for name, value in found.items()}
        return self

    def predict_proba(self, X: Features) -> NDArray[np.float64]:
        """Class probabilities `float64[n, K]` of vectors `[n, d]`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ModelError
            When the vectors are of another length than those that were learned from.
        """
        if not self._weights:
            raise NotFittedError("The head has not learned anything yet", "Call fit first")
        dense = _dense(X)
        if dense.ndim != 2 or dense.shape[1] != len(self._weights["mean"]):
            raise ModelError(
                f"The head takes vectors [n, {len(self._weights['mean'])}], not {list(dense.shape)}",
                "Encode with the encoder that it was trained with",
            )
        proba = np.empty((len(dense), len(self._weights["out_bias"])))
        for start in range(0, len(dense), _ROWS_AT_ONCE):
            proba[start : start + _ROWS_AT_ONCE] = self._proba(dense[start : start + _ROWS_AT_ONCE])
        return proba

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Learned state and parameters as plain arrays."""
        if not self._weights:
            raise NotFittedError("The head has not learned anything yet", "Call fit first")
        numbers = {name: np.array(value or 0) for name, value in self.params().items()}
        return {**numbers, **self._weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Fitted head from what `to_arrays` gave; see `Head.from_arrays`."""
        hint = "Restore the model from a backup, or train again"
        try:
            head = cls(
                units=int(arrays["units"]),
                epochs=int(arrays["epochs"]) or None,
                random_state=int(arrays["random_state"]),
            )
            weights = {name: arrays[name].astype(np.float32) for name in _NAMES}
        except (KeyError, ValueError, TypeError) as error:
            raise ModelError(f"The head of an encoder cannot be read ({error})", hint) from None
        d, units, n_classes = len(weights["mean"]), head.units, weights["out_bias"].size
        shapes = ((d,), (d,), (d, units), (units,), (units, n_classes), (n_classes,))
        if any(weights[name].shape != shape for name, shape in zip(_NAMES, shapes, strict=True)):
            raise ModelError("The arrays of the head of an encoder do not fit each other", hint)
        head._weights = weights
        return head

    def _proba(self, dense: Floats) -> Floats:
        w = self._weights
        hidden = np.maximum((dense - w["mean"]) * w["scale"] @ w["hidden"] + w["hidden_bias"], 0)
        return softmax(hidden @ w["out"] + w["out_bias"])


class _Learner:
    """The weights while they are learned, with AdamW's two averages of their gradients."""

    def __init__(self, d: int, units: int, n_classes: int, rng: np.random.Generator) -> None:
        self.weights = {
            "hidden": (rng.standard_normal((d, units)) * np.sqrt(2 / d)).astype(np.float32),
            "hidden_bias": np.zeros(units, np.float32),
            "out": np.zeros((units, n_classes), np.float32),
            "out_bias": np.zeros(n_classes, np.float32),
        }
        self._moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in self.weights.items()}
        self._steps = 0
        self._rng = rng

    def step(self, batch: Floats, y: NDArray[np.int64], weight: Floats, rate: float) -> None:
        """One step against the gradient of the smoothed cross-entropy of a batch."""
        w = self.weights
        batch = batch * self._kept(batch.shape, _INPUT_DROPOUT)
        hidden = np.maximum(batch @ w["hidden"] + w["hidden_bias"], 0)
        alive = (hidden > 0) * self._kept(hidden.shape, _DROPOUT)
        hidden = hidden * alive
        slope = softmax(hidden @ w["out"] + w["out_bias"])
        slope -= np.float32(_SMOOTHING / slope.shape[1])
        slope[np.arange(len(y)), y] -= np.float32(1 - _SMOOTHING)
        slope *= (weight / max(float(weight.sum()), 1e-12))[:, None]
        below = (slope @ w["out"].T) * alive
        gradients = {
            "hidden": batch.T @ below,
            "hidden_bias": below.sum(axis=0),
            "out": hidden.T @ slope,
            "out_bias": slope.sum(axis=0),
        }
        self._steps += 1
        for name, gradient in gradients.items():
            self._move(name, gradient, rate)

    def _kept(self, shape: tuple[int, ...], dropped: float) -> Floats:
        kept = self._rng.random(shape, dtype=np.float32) >= np.float32(dropped)
        return kept.astype(np.float32) * np.float32(1 / (1 - dropped))

    def _move(self, name: str, gradient: Floats, rate: float) -> None:
        first, second = self._moments[name]
        first += np.float32(0.1) * (gradient - first)
        second += np.float32(0.001) * (gradient * gradient - second)
        step = np.float32(rate / (1 - 0.9**self._steps))
        value = self.weights[name]
        if value.ndim > 1:
            value *= np.float32(1 - rate * _DECAY)
        value -= (
            step * first / (np.sqrt(second * np.float32(1 / (1 - 0.999**self._steps))) + np.float32(1e-8))
        )


def _schedule(n: int, epochs: int, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.int64], float]]:
    """Rows of each minibatch in a new random order each epoch, with a step size that falls as a cosine."""
    size = int(np.clip(n // _LEAST_STEPS, _SMALLEST_BATCH, _LARGEST_BATCH))
    steps = epochs * -(-n // size)
    done = 0
    for _ in range(epochs):
        order = rng.permutation(n)
        for start in range(0, n, size):
            yield order[start : start + size], _RATE * 0.5 * (1 + np.cos(np.pi * done / steps))
            done += 1


def _dense(X: Features) -> Floats:
    return np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float32)
