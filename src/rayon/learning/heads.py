"""Heads: everything that is learned between the vectors of one modality and its class probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rayon.encoders.base import Features
from rayon.errors import TrainingError


@runtime_checkable
class Head(Protocol):
    """Vectors of one modality to class probabilities.

    A head keeps its parameters as JSON-ready attributes, and its learned state as plain arrays, so that it
    can be stored without pickling. The same data and seed give the same bits.
    """

    def fit(
        self,
        X: Features,
        y: NDArray[Any],
        n_classes: int,
        sample_weight: NDArray[Any] | None = None,
    ) -> Self:
        """Learn from `n` vectors.

        Parameters
        ----------
        X
            `[n, d]`, dense or sparse float32.
        y
            `int64[n]`, class indices from 0 to K - 1; a class may have one listing or none.
        n_classes
            K, at least 2.
        sample_weight
            `float64[n]`, at least 0; all ones where not given.

        Raises
        ------
        TrainingError
            When the shapes differ, an index is out of range, or fewer than two classes occur.
        """
        ...

    def predict_proba(self, X: Features) -> NDArray[Any]:
        """Class probabilities `[n, K]` of `n` vectors; rows add up to 1."""
        ...

    def params(self) -> dict[str, Any]:
        """JSON-ready parameters of the constructor."""
        ...

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Learned state and parameters as plain arrays, none of them of objects."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Fitted head from what `to_arrays` gave.

        Raises
        ------
        ModelError
            When an array is missing or has an impossible shape.
        """
        ...


def check_training(
    n: int, y: NDArray[np.int64], n_classes: int, sample_weight: NDArray[Any] | None
) -> NDArray[np.float32]:
    """Refuse what a head cannot learn from.

    Parameters
    ----------
    n
        Number of vectors.
    y, n_classes, sample_weight
        As in `Head.fit`.

    Returns
    -------
    ndarray
        The weights, `float32[n]`, all ones where none were given.

    Raises
    ------
    TrainingError
        When the shapes differ, an index is out of range, a weight is negative or not finite, or fewer than
        two classes occur.
    """
    if y.shape != (n,):
        raise TrainingError(f"There are {n} vectors and labels of shape {y.shape}", "Give one label a vector")
    if n and (y.min() < 0 or y.max() >= n_classes):
        raise TrainingError(f"A class index is outside 0 to {n_classes - 1}", "Check the taxonomy")
    weight = np.ones(n, np.float32) if sample_weight is None else np.asarray(sample_weight, np.float32)
    if weight.shape != (n,) or not np.isfinite(weight).all() or (weight < 0).any():
        raise TrainingError(
            "The sample weights are not one finite number from 0 a vector", f"Give {n} weights, or none"
        )
    if len(np.unique(y[weight > 0])) < 2:
        raise TrainingError(
            "There are fewer than two classes to learn", "Give listings of two codes at least"
        )
    return weight
