"""The classification layer that was trained together with its network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rayon.encoders.base import Features
from rayon.errors import ModelError, TrainingError
from rayon.learning.minibatches import softmax


class LinearHead:
    """Probabilities by a softmax over a linear map of the vectors.

    Parameters
    ----------
    weights, bias
        `float32[d, K]` and `float32[K]`, as the training of the network left them.
    """

    def __init__(self, weights: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        self._weights = weights
        self._bias = bias

    def params(self) -> dict[str, Any]:
        """No parameters."""
        return {}

    def fit(
        self,
        X: Features,  # noqa: ARG002
        y: NDArray[Any],  # noqa: ARG002
        n_classes: int,  # noqa: ARG002
        sample_weight: NDArray[Any] | None = None,  # noqa: ARG002
    ) -> Self:
        """Refuse: it is learned together with the network, and never without.

        Raises
        ------
        TrainingError
            Always.
        """
        raise TrainingError("The layer of a network is not learned on its own", "Train the network")

    def predict_proba(self, X: Features) -> NDArray[np.float64]:
        """Class probabilities `float64[n, K]` of vectors `[n, d]`.

        Raises
        ------
        ModelError
            When the vectors are of another length than those that were learned from.
        """
        dense = np.asarray(X.toarray() if sparse.issparse(X) else X, np.float32)
        if dense.ndim != 2 or dense.shape[1] != len(self._weights):
            raise ModelError(
                f"The layer of the network takes vectors [n, {len(self._weights)}], not {list(dense.shape)}",
                "Encode with the network that it was trained with",
            )
        return softmax(dense @ self._weights + self._bias).astype(np.float64)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The weights."""
        return {"weights": self._weights, "bias": self._bias}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Head from what `to_arrays` gave; see `Head.from_arrays`."""
        hint = "Restore the model from a backup, or train again"
        try:
            weights, bias = (arrays[name].astype(np.float32) for name in ("weights", "bias"))
        except (KeyError, ValueError) as error:
            raise ModelError(f"The layer of a network cannot be read ({error})", hint) from None
        if weights.ndim != 2 or bias.shape != weights.shape[1:]:
            raise ModelError("The arrays of the layer of a network do not fit each other", hint)
        return cls(weights, bias)
