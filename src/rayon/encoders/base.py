"""What every encoder promises.

An encoder is a *fixed* function from listings to vectors: it learns nothing, so that it can be run once
and its output shared by every fold. All that is learned from labels lives in the heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rayon.data.listings import Listing

Features: TypeAlias = NDArray[np.float32] | sparse.csr_matrix
"""Vectors of `n` listings: dense `float32[n, d]`, or a sparse CSR matrix of the same shape and type."""

Pixels: TypeAlias = NDArray[np.uint8]
"""One decoded picture: RGB, `uint8[height, width, 3]`."""


@runtime_checkable
class TextEncoder(Protocol):
    """Listings to vectors, from their title and description."""

    name: str

    def encode(self, listings: Sequence[Listing]) -> Features:
        """Vectors of `n` listings, `[n, d]`; a listing without text gives a row of zeros."""
        ...

    def spec(self) -> dict[str, Any]:
        """JSON-ready description from which the very same encoder can be made again."""
        ...


@runtime_checkable
class ImageEncoder(Protocol):
    """Decoded pictures to vectors."""

    name: str
    input_size: int
    """Side in pixels of the square picture that `encode` takes."""

    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Vectors `[n, d]` of `n` pictures `uint8[n, input_size, input_size, 3]` in RGB."""
        ...

    def spec(self) -> dict[str, Any]:
        """JSON-ready description from which the very same encoder can be made again."""
        ...
