"""Sparse rows in minibatches that touch only their own columns.

A pass over the data then costs little more than reading it, however many columns there are in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]

_TINY = np.float32(1e-10)


@dataclass(frozen=True)
class Minibatch:
    """Some rows, with only those `m'` columns that occur in them.

    Parameters
    ----------
    vectors
        CSR `float32[b, m']`.
    columns
        `int64[m']`, where those columns are among all.
    y, weight
        `int64[b]`, `float32[b]`.
    """

    vectors: sparse.csr_matrix
    columns: NDArray[np.int64]
    y: NDArray[np.int64]
    weight: Floats

    def transposed(self) -> sparse.csr_matrix:
        """CSR `float32[m', b]`; made anew each time: quick, where keeping it would double the memory."""
        return self.vectors.tocsc().T


class Schedule:
    """Minibatches in a new random order each epoch, with a step size that falls evenly to zero.

    Parameters
    ----------
    vectors, y, weight
        CSR `float32[n, m]`, `int64[n]`, `float32[n]`.
    batch_size, epochs
        Rows a step, passes over the data.
    rng
        Decides the order.
    """

    def __init__(
        self,
        vectors: sparse.csr_matrix,
        y: NDArray[np.int64],
        weight: Floats,
        *,
        batch_size: int,
        epochs: int,
        rng: np.random.Generator,
    ) -> None:
        self._epochs = epochs
        self._rng = rng
        self._batches = list(_cut(vectors, y, weight, batch_size, rng))

    def __iter__(self) -> Iterator[tuple[Minibatch, np.float32]]:
        """Minibatches with the share of the first step size that is left, from 1 to 0."""
        steps = self._epochs * len(self._batches)
        for epoch in range(self._epochs):
            for place, index in enumerate(self._rng.permutation(len(self._batches))):
                yield self._batches[index], np.float32(1 - (epoch * len(self._batches) + place) / steps)


class RowAdaGrad:
    """A matrix learned by AdaGrad (Duchi, Hazan and Singer, 2011) with one step size a row.

    Parameters
    ----------
    values
        `float32[m, k]`, changed in place.
    rate, decay
        First step size; share of a row that is lost at each step of that size.
    """

    def __init__(self, values: Floats, rate: float, decay: float = 0.0) -> None:
        self.values = values
        self._rate = np.float32(rate)
        self._decay = np.float32(decay)
        self._squares = np.zeros(len(values), np.float32)

    def step(self, rows: NDArray[np.int64], local: Floats, gradient: Floats, share: np.float32) -> None:
        """Move some rows, whose values are ``local``, against their gradient; both arrays are used up."""
        self._squares[rows] += np.einsum("ij,ij->i", gradient, gradient) / np.float32(gradient.shape[1])
        gradient *= (self._rate * share / np.sqrt(self._squares[rows] + _TINY))[:, None]
        if self._decay:
            local *= 1 - self._decay * share
        local -= gradient
        self.values[rows] = local


class AdaGrad:
    """A small dense array learned by AdaGrad with one step size a value."""

    def __init__(self, values: Floats, rate: float) -> None:
        self.values = values
        self._rate = np.float32(rate)
        self._squares = np.zeros_like(values)

    def step(self, gradient: Floats, share: np.float32) -> None:
        """Move all values against the gradient."""
        self._squares += gradient * gradient
        self.values -= self._rate * share * gradient / np.sqrt(self._squares + _TINY)


def softmax(scores: Floats) -> Floats:
    """Probabilities `[n, K]` of scores `[n, K]`, which are overwritten."""
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def cross_entropy_gradient(proba: Floats, batch: Minibatch) -> Floats:
    """Gradient of the weighted cross-entropy by the scores; overwrites the probabilities."""
    proba[np.arange(len(batch.y)), batch.y] -= 1
    proba *= batch.weight[:, None]
    return proba


def _cut(
    vectors: sparse.csr_matrix,
    y: NDArray[np.int64],
    weight: Floats,
    size: int,
    rng: np.random.Generator,
) -> Iterator[Minibatch]:
    order = rng.permutation(len(y))
    place = np.zeros(vectors.shape[1], np.int32)
    for start in range(0, len(y), size):
        rows = order[start : start + size]
        part = vectors[rows]
        present = np.zeros(vectors.shape[1], dtype=bool)
        present[part.indices] = True
        columns = np.flatnonzero(present)
        place[columns] = np.arange(len(columns), dtype=np.int32)
        shape = (len(rows), len(columns))
        local = sparse.csr_matrix((part.data, place[part.indices], part.indptr), shape=shape, copy=False)
        yield Minibatch(local, columns, y[rows], weight[rows])
