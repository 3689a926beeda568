"""The two models inside a text head: a linear one, and a network with one hidden layer.

They err differently: the linear one sees every character n-gram and is sure of what it has seen; the network
sees words only, and puts words that are used alike side by side. Their average is better than either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rayon.learning.minibatches import (
    AdaGrad,
    Floats,
    RowAdaGrad,
    Schedule,
    cross_entropy_gradient,
    softmax,
)


@dataclass(frozen=True)
class Training:
    """What both models learn from.

    Parameters
    ----------
    vectors, y, weight
        CSR `float32[n, m]`, `int64[n]`, `float32[n]`.
    n_classes
        K.
    epochs
        Passes over the data.
    random_state
        Seed.
    """

    vectors: sparse.csr_matrix
    y: NDArray[np.int64]
    weight: Floats
    n_classes: int
    epochs: int
    random_state: int


@dataclass(frozen=True)
class Linear:
    """Multinomial logistic regression.

    Parameters
    ----------
    weights, bias
        `float32[m, K]`, `float32[K]`.
    """

    weights: Floats
    bias: Floats

    BATCH: ClassVar[int] = 256
    RATE: ClassVar[float] = 0.2
    DECAY: ClassVar[float] = 1e-3
    MEMBERS: ClassVar[int] = 1

    @classmethod
    def fit(cls, training: Training) -> Self:
        """Learn by AdaGrad with decay of the weights."""
        rng = np.random.default_rng(training.random_state)
        weights = RowAdaGrad(
            np.zeros((training.vectors.shape[1], training.n_classes), np.float32), cls.RATE, cls.DECAY
        )
        bias = AdaGrad(np.zeros(training.n_classes, np.float32), cls.RATE)
        for batch, share in _schedule(training, cls.BATCH, rng):
            local = weights.values[batch.columns]
            error = cross_entropy_gradient(softmax(_product(batch.vectors, local) + bias.values), batch)
            weights.step(batch.columns, local, _product(batch.transposed(), error), share)
            bias.step(error.sum(axis=0), share)
        return cls(_halved(weights.values), bias.values)

    @classmethod
    def average(cls, models: Sequence[Self]) -> Self:
        """One model whose scores are the mean of those of several."""
        return cls(
            _halved(np.mean([model.weights for model in models], axis=0)),
            np.mean([model.bias for model in models], axis=0),
        )

    def log_proba(self, vectors: sparse.csr_matrix) -> Floats:
        """Log-probabilities `float32[n, K]`, up to a constant a row."""
        return _product(vectors, self.weights) + self.bias

    def check(self, m: int) -> None:
        """Refuse arrays that do not fit together or to `m` columns.

        Raises
        ------
        ValueError
            When they do not.
        """
        _require(self.weights.shape == (m, *self.bias.shape), self.bias.ndim == 1)


@dataclass(frozen=True)
class Network:
    """Embeddings of words, averaged, through one rectified hidden layer (as fastText, Joulin et al., 2017).

    Parameters
    ----------
    embeddings, shift
        `float32[m, h]`, `float32[h]`.
    weights, bias
        `float32[h, K]`, `float32[K]`.
    """

    embeddings: Floats
    shift: Floats
    weights: Floats
    bias: Floats

    HIDDEN: ClassVar[int] = 80
    BATCH: ClassVar[int] = 256
    RATE: ClassVar[float] = 0.2
    OUTPUT_RATE: ClassVar[float] = 0.02
    DECAY: ClassVar[float] = 1e-3
    MEMBERS: ClassVar[int] = 3
    """Networks depend on where they start; more of them gain nothing (cross-validated on rakuten-en)."""

    @classmethod
    def fit(cls, training: Training) -> Self:
        """Learn by AdaGrad with decay of the embeddings."""
        rng = np.random.default_rng(training.random_state)
        scale = np.float32(1 / np.sqrt(cls.HIDDEN))
        m, k = training.vectors.shape[1], training.n_classes
        embeddings = RowAdaGrad(
            rng.standard_normal((m, cls.HIDDEN), dtype=np.float32) * scale, cls.RATE, cls.DECAY
        )
        weights = AdaGrad(rng.standard_normal((cls.HIDDEN, k), dtype=np.float32) * scale, cls.OUTPUT_RATE)
        shift = AdaGrad(np.zeros(cls.HIDDEN, np.float32), cls.OUTPUT_RATE)
        bias = AdaGrad(np.zeros(k, np.float32), cls.OUTPUT_RATE)
        # Few listings need more steps than large batches would make of them.
        batch_size = int(np.clip(len(training.y) // 100, 64, cls.BATCH))
        for batch, share in _schedule(training, batch_size, rng):
            local = embeddings.values[batch.columns]
            hidden = np.maximum(_product(batch.vectors, local) + shift.values, 0)
            error = cross_entropy_gradient(softmax(hidden @ weights.values + bias.values), batch)
            back = error @ weights.values.T
            back *= hidden > 0
            embeddings.step(batch.columns, local, _product(batch.transposed(), back), share)
            weights.step(hidden.T @ error, share)
            shift.step(back.sum(axis=0), share)
            bias.step(error.sum(axis=0), share)
        return cls(_halved(embeddings.values), shift.values, weights.values, bias.values)

    @classmethod
    def average(cls, networks: Sequence[Self]) -> Self:
        """One network, as wide as several together, whose scores are the mean of theirs."""
        return cls(
            np.concatenate([network.embeddings for network in networks], axis=1),
            np.concatenate([network.shift for network in networks]),
            np.concatenate([network.weights / np.float32(len(networks)) for network in networks]),
            np.mean([network.bias for network in networks], axis=0),
        )

    def log_proba(self, vectors: sparse.csr_matrix) -> Floats:
        """Log-probabilities `float32[n, K]`, up to a constant a row."""
        hidden = np.maximum(_product(vectors, self.embeddings) + self.shift, 0)
        scores: Floats = np.concatenate([part @ self.weights for part in _small(hidden)]) + self.bias
        return scores

    def check(self, m: int) -> None:
        """Refuse arrays that do not fit together or to `m` columns.

        Raises
        ------
        ValueError
            When they do not.
        """
        _require(
            self.embeddings.shape == (m, *self.shift.shape),
            self.weights.shape == (*self.shift.shape, *self.bias.shape),
            self.shift.ndim == self.bias.ndim == 1,
        )


def _schedule(training: Training, batch_size: int, rng: np.random.Generator) -> Schedule:
    return Schedule(
        training.vectors,
        training.y,
        training.weight,
        batch_size=batch_size,
        epochs=training.epochs,
        rng=rng,
    )


def _product(left: sparse.csr_matrix, right: Floats) -> Floats:
    product: Floats = left @ right
    return product


def _small(hidden: Floats) -> list[Floats]:
    """Parts so small that BLAS starts no threads for them, which would keep the other workers waiting."""
    return [hidden[start : start + 64] for start in range(0, max(len(hidden), 1), 64)]


def _halved(values: Floats) -> Floats:
    """Round to what half precision can hold, so that a stored model and this one agree to the bit."""
    return np.clip(values, -6e4, 6e4).astype(np.float16).astype(np.float32)


def _require(*conditions: bool) -> None:
    if not all(conditions):
        raise ValueError("its arrays do not fit together")
