"""Near-duplicate pictures: the gradient hash of a small version, and that version itself.

Gradient ("difference") hash: N. Krawetz, "Kind of Like That", 2013; here of 16 × 16 cells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rayon.data.image import decode_image, read_image
from rayon.data.listings import ImageSource
from rayon.data.shingles import unique_pairs, window_pairs
from rayon.errors import ImageError

SIDE = 16
MIN_SHARED = 0.75
"""Share of the edges of two near-duplicates that both have, at least (Jaccard similarity of the hashes)."""
MAX_DISTANCE = 4.0
"""Mean absolute difference, in levels of 255, of the small versions of near-duplicates, at most."""

_EDGE = 2.0
_MIN_EDGES = 32
_WINDOW = 24
_CHUNK = 1024


@dataclass(frozen=True)
class PictureHashes:
    """What is kept of n pictures to compare them.

    Parameters
    ----------
    contents
        SHA-256 of the encoded bytes; ``None`` where there is no picture or it cannot be read.
    small
        `uint8[n, 16, 16, 3]`, small versions in RGB; zeros where there is none.
    errors
        Why a picture cannot be read; ``None`` where there is none or it can.
    """

    contents: list[bytes | None]
    small: NDArray[np.uint8]
    errors: list[str | None]


def hash_pictures(
    sources: Sequence[ImageSource | None],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PictureHashes:
    """Read and decode n pictures, several at a time.

    Parameters
    ----------
    sources
        n pictures; ``None`` where there is none.
    workers
        Threads; ``None`` lets the machine decide.
    progress
        Called now and then with how many are done and n.
    """
    contents: list[bytes | None] = []
    errors: list[str | None] = []
    small = np.zeros((len(sources), SIDE, SIDE, 3), dtype=np.uint8)
    with ThreadPoolExecutor(workers) as pool:
        for begin in range(0, len(sources), _CHUNK):
            for content, cells, error in pool.map(_hash_picture, sources[begin : begin + _CHUNK]):
                if cells is not None:
                    small[len(contents)] = cells
                contents.append(content)
                errors.append(error)
            if progress is not None:
                progress(len(contents), len(sources))
    return PictureHashes(contents, small, errors)


def _hash_picture(
    source: ImageSource | None,
) -> tuple[bytes | None, NDArray[np.uint8] | None, str | None]:
    if source is None:
        return None, None, None
    try:
        data = read_image(source)
        pixels = decode_image(
            data, 4 * SIDE, name=None if isinstance(source, bytes) else f"The image {source}"
        )
    except ImageError as error:
        return None, None, error.message
    cells = pixels.reshape(SIDE, 4, SIDE, 4, 3).mean(axis=(1, 3), dtype=np.float32)
    return hashlib.sha256(data).digest(), np.round(cells).astype(np.uint8), None


def near_picture_pairs(small: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pairs among n small versions that show the same picture, scaled or compressed anew.

    A pair shares one of fifteen 16-bit bands of the hash (two hashes of fewer than fifteen different bits
    always do), at least `MIN_SHARED` of its edges, and differs by at most `MAX_DISTANCE` on average; of
    pencils on white paper, edges alone would make one product. Pictures that are almost plain are left to
    exact comparison: any two would be alike.

    Parameters
    ----------
    small
        `uint8[n, 16, 16, 3]`.

    Returns
    -------
    ndarray
        `int64[p, 2]`, each pair once, the smaller index first.
    """
    grey = small.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    bits = (grey[:, :, 1:] - grey[:, :, :-1]) > _EDGE
    flat = bits.reshape(len(small), SIDE * (SIDE - 1))
    usable = np.flatnonzero(flat.sum(axis=1) >= _MIN_EDGES)
    if len(usable) < 2:
        return np.empty((0, 2), dtype=np.int64)
    packed = np.packbits(flat[usable], axis=1)
    bands = packed.view(">u2").astype(np.uint64)
    found = []
    for band in bands.T:
        lit = np.flatnonzero(band)
        found.append(lit[window_pairs(band[lit], _WINDOW)])
    pairs = unique_pairs(np.concatenate(found), len(usable))
    keep = np.zeros(len(pairs), dtype=np.bool_)
    for begin in range(0, len(pairs), 65_536):
        left, right = pairs[begin : begin + 65_536].T
        both = np.bitwise_count(packed[left] & packed[right]).sum(axis=1, dtype=np.int64)
        either = np.bitwise_count(packed[left] | packed[right]).sum(axis=1, dtype=np.int64)
        close = np.flatnonzero(both >= MIN_SHARED * either)
        pictures = usable[pairs[begin + close]]
        apart = np.abs(small[pictures[:, 0]].astype(np.int16) - small[pictures[:, 1]])
        keep[begin + close[apart.mean(axis=(1, 2, 3)) <= MAX_DISTANCE]] = True
    return usable[pairs[keep]]
