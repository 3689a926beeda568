"""Whether a picture is nearly the same as one of many others."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 16
_MAX_BITS, _MAX_DISTANCE = 40, 11.0
_EDGE = 2.0


class LookAlikes:
    """Finds pictures with nearly the same small grey version and nearly the same gradient hash.

    At most 40 of 240 bits and 11 of 255 grey levels on average: wider than what a copy that was scaled or
    compressed anew differs by, so that no search for near-duplicates joins what this one lets pass. Gradient
    hash: N. Krawetz, "Kind of Like That", 2013, here of 16 × 16 cells.
    """

    def __init__(self) -> None:
        self._seen: list[NDArray[np.int16]] = []
        self._stacked: NDArray[np.int16] | None = None

    def add(self, picture: bytes) -> None:
        """Remember a JPEG file."""
        self._seen.append(_cells(picture))
        self._stacked = None

    def has_like(self, picture: bytes) -> bool:
        """Whether a remembered picture is nearly the same as this one."""
        if not self._seen:
            return False
        if self._stacked is None:
            self._stacked = np.stack(self._seen)
        cells = _cells(picture)
        distance = np.abs(self._stacked - cells).mean(axis=(1, 2))
        close = self._stacked[distance <= _MAX_DISTANCE]
        differing = (_signs(close) != _signs(cells[None])).sum(axis=(1, 2))
        return bool((differing <= _MAX_BITS).any())


def _cells(picture: bytes) -> NDArray[np.int16]:
    image = Image.open(BytesIO(picture))
    image.draft("L", (4 * _SIDE, 4 * _SIDE))
    small = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.int16)


def _signs(cells: NDArray[np.int16]) -> NDArray[np.bool_]:
    return (cells[:, :, 1:] - cells[:, :, :-1]) > _EDGE
