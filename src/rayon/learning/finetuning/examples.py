"""Listings as what a network takes: padded tokens, or normalised pixels."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rayon.data.image import decode_image
from rayon.data.listings import ImageSource
from rayon.encoders.deep.onnx_export import normalised
from rayon.errors import ImageError
from rayon.learning.finetuning.augmentation import augment

KEPT_BYTES = 1 << 30
"""Decoded pictures that are kept in memory from one epoch to the next."""


class Batch(NamedTuple):
    """What goes through the network, and the rows that it is of."""

    inputs: dict[str, Tensor]
    rows: NDArray[np.int64]


class Examples(Protocol):
    """Listings of which batches can be made."""

    lengths: NDArray[np.int64]
    """`int64[n]`: how long each is; all the same where it does not matter."""

    def batch(self, rows: NDArray[np.int64], seed: tuple[int, int] | None) -> Batch:
        """Make a batch of some rows; changed at random where there is a seed, of which each row has its own.

        What cannot be read is left out of the batch.
        """
        ...


class TextExamples:
    """Tokens of `n` listings.

    Parameters
    ----------
    tokens
        Of each listing.
    pad, mask
        Numbers of the tokens that fill up, and that stand for one that is hidden.
    marks
        Numbers of the tokens that mark beginning and end, which are never hidden.
    hidden
        Share of the tokens that are hidden where there is a seed.
    """

    def __init__(
        self,
        tokens: Sequence[Sequence[int]],
        pad: int,
        mask: int | None = None,
        marks: Sequence[int] = (),
        hidden: float = 0.0,
    ) -> None:
        self._tokens = tokens
        self._pad, self._marks = pad, list(marks)
        self._mask = pad if mask is None else mask
        self._hidden = 0.0 if mask is None else hidden
        self.lengths = np.array([len(found) for found in tokens], np.int64)

    def batch(self, rows: NDArray[np.int64], seed: tuple[int, int] | None) -> Batch:
        """Tokens, padded to the longest, and which of them are not padding."""
        width = max(1, int(self.lengths[rows].max()))
        ids = np.full((len(rows), width), self._pad, np.int64)
        mask = np.zeros((len(rows), width), np.int64)
        for place, row in enumerate(rows):
            found = self._tokens[row]
            ids[place, : len(found)] = found
            mask[place, : len(found)] = 1
            if seed is not None and self._hidden:
                hide = np.random.default_rng([*seed, row]).random(len(found)) < self._hidden
                ids[place, : len(found)][hide & ~np.isin(found, self._marks)] = self._mask
        inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        return Batch(inputs, rows)


class ImageExamples:
    """Pictures of `n` listings, decoded in parallel, and kept in memory where there are few enough.

    Parameters
    ----------
    sources
        Files or encoded pictures.
    size, mean, std
        What the network takes.
    pool
        Threads that decode.
    augmented
        Whether pictures change at random where there is a seed.
    """

    def __init__(
        self,
        sources: Sequence[ImageSource | None],
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
        pool: ThreadPoolExecutor,
        *,
        augmented: bool,
    ) -> None:
        self._sources = sources
        self._size, self._mean, self._std = size, mean, std
        self._pool = pool
        self._augmented = augmented
        self._kept: dict[int, NDArray[np.uint8] | None] = {}
        self._keeps = len(sources) * size * size * 3 <= KEPT_BYTES
        self.lengths = np.ones(len(sources), np.int64)

    def batch(self, rows: NDArray[np.int64], seed: tuple[int, int] | None) -> Batch:
        """Normalised pixels of the pictures that can be read."""

        def look(row: int) -> NDArray[np.uint8] | None:
            pixels = self._pixels(row)
            if pixels is None or seed is None or not self._augmented:
                return pixels
            return augment(pixels, np.random.default_rng([*seed, row]))

        found = list(self._pool.map(look, rows.tolist()))
        read = [place for place, pixels in enumerate(found) if pixels is not None]
        pictures = [pixels for pixels in found if pixels is not None]
        if not pictures:
            return Batch({}, rows[:0])
        return Batch({"pixels": normalised(np.stack(pictures), self._mean, self._std)}, rows[read])

    def _pixels(self, row: int) -> NDArray[np.uint8] | None:
        """The picture of a row, ``None`` where it cannot be read."""
        if row in self._kept:
            return self._kept[row]
        source = self._sources[row]
        try:
            pixels = None if source is None else decode_image(source, self._size)
        except ImageError:
            pixels = None
        if self._keeps:
            self._kept[row] = pixels
        return pixels
