"""The builtin image encoder: colour, shape and texture, computed in numpy, without any download.

What tells products apart without a trained network is mostly how they are photographed: a cover that fills
the frame, a single object on white, a room; saturated plastic or paper; text, stripes or smooth surfaces.
Each block of features is square-rooted (the Hellinger map) and scaled to unit length, so that heads may weigh
the blocks against each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayon.encoders.views import look

SIZE = 128
"""Side in pixels of the pictures that are looked at."""

_CELLS = 8
_ORIENTATIONS = 9
_LEVELS = 6
_TILES = 2
_INK = 245.0
_EDGE = 24.0
_PICTURES_AT_ONCE = 16


class BuiltinImageEncoder:
    """Colour, shape and texture features of fixed length, of a picture without its white border.

    The blocks are: joint colour histograms of the whole picture and of its quarters; a coarse thumbnail in
    opponent colours; histograms of oriented gradients on two grids (Dalal and Triggs, 2005); histograms of
    uniform local binary patterns (Ojala, Pietikäinen and Mäenpää, 2002) at two scales; and a few numbers on
    the outline: share of white, extent of the object, its profile along both axes, density of edges.
    """

    name = "builtin"
    input_size = SIZE
    version = 1

    def __init__(self) -> None:
        blank = np.full((1, SIZE, SIZE, 3), 255, np.uint8)
        self.dimension = self.encode(blank).shape[1]

    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Vectors `float32[n, d]` of `n` pictures `uint8[n, 128, 128, 3]` in RGB."""
        if pictures.ndim != 4 or pictures.shape[1:] != (SIZE, SIZE, 3):
            raise ValueError(f"pictures must be [n, {SIZE}, {SIZE}, 3], not {pictures.shape}")
        parts = [
            _features(look(pictures[start : start + _PICTURES_AT_ONCE], SIZE, "trimmed"))
            for start in range(0, max(1, len(pictures)), _PICTURES_AT_ONCE)
        ]
        return np.concatenate(parts)

    def spec(self) -> dict[str, Any]:
        """JSON-ready description."""
        return {"name": self.name, "version": self.version}


def _features(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    colour = pictures.astype(np.float32)
    grey = colour @ np.array([0.299, 0.587, 0.114], np.float32)
    half = _shrink(grey, 2)
    blocks = [
        *_colours(pictures),
        _thumbnail(colour),
        _gradients(grey, _CELLS),
        _gradients(half, _CELLS // 2),
        _patterns(grey),
        _patterns(half),
        _outline(grey),
    ]
    return np.concatenate(blocks, axis=1).astype(np.float32, copy=False)


def _colours(pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Joint histograms of the three channels, of the whole and of the tiles in coarser steps."""
    fine = _joint(pictures, _LEVELS)
    coarse = _joint(pictures, _LEVELS // 2)
    whole = _histogram(fine, 1, _LEVELS**3)
    tiles = _histogram(coarse, _TILES, (_LEVELS // 2) ** 3)
    return [_hellinger(whole), _hellinger(tiles)]


def _joint(pictures: NDArray[np.uint8], levels: int) -> NDArray[np.int64]:
    steps = (np.arange(256) * levels // 256).astype(np.uint8)
    red, green, blue = (steps[pictures[..., channel]] for channel in range(3))
    return ((red * np.uint8(levels) + green) * np.uint8(levels) + blue).astype(np.int64)


def _histogram(
    codes: NDArray[np.int64], tiles: int, bins: int, weights: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Counts of the codes in each cell of a `tiles` × `tiles` grid: `float32[n, tiles * tiles * bins]`."""
    n, height, width = codes.shape
    row = np.arange(height) * tiles // height
    column = np.arange(width) * tiles // width
    cell = row[:, None] * tiles + column[None, :]
    index = (np.arange(n)[:, None, None] * (tiles * tiles) + cell) * bins + codes
    flat = None if weights is None else weights.ravel()
    counts = np.bincount(index.ravel(), flat, minlength=n * tiles * tiles * bins)
    return counts.reshape(n, tiles * tiles * bins).astype(np.float32)


def _thumbnail(colour: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean opponent colours (brightness, red against green, blue against yellow) of each cell."""
    n = len(colour)
    side = SIZE // _CELLS
    strips = colour.reshape(n, _CELLS, side, SIZE * 3).mean(axis=2)
    mean = strips.reshape(n, _CELLS, _CELLS, side, 3).mean(axis=3) / 255
    red, green, blue = mean[..., 0], mean[..., 1], mean[..., 2]
    opponent = [1 - (red + green + blue) / 3, red - green, (red + green) / 2 - blue]
    return _unit(np.stack(opponent, axis=-1).reshape(n, _CELLS * _CELLS * 3))


def _gradients(grey: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """Histograms of oriented gradients, each cell normalised with its neighbourhood."""
    across = np.zeros_like(grey)
    down = np.zeros_like(grey)
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    strength = np.hypot(across, down)
    angle = np.arctan2(down, across) * np.float32(_ORIENTATIONS / np.pi)
    lower = np.floor(angle)
    share = angle - lower
    first = lower.astype(np.int64) % _ORIENTATIONS
    second = (first + 1) % _ORIENTATIONS
    counts = _histogram(first, cells, _ORIENTATIONS, strength * (1 - share))
    counts += _histogram(second, cells, _ORIENTATIONS, strength * share)
    grid = counts.reshape(len(grey), cells, cells, _ORIENTATIONS)
    energy = np.pad((grid**2).sum(axis=-1), ((0, 0), (1, 1), (1, 1)))
    around = np.zeros(grid.shape[:3], np.float32)
    for row in range(3):
        for column in range(3):
            around += energy[:, row : row + cells, column : column + cells]
    local = grid / np.sqrt(around + 1.0)[..., None]
    return _unit(np.sqrt(local).reshape(len(grey), cells * cells * _ORIENTATIONS))


def _uniform_codes() -> NDArray[np.int64]:
    """Map the 256 binary patterns to 58 uniform ones (at most two changes around) and one for the rest."""
    codes = np.full(256, 58, np.int64)
    uniform = [
        pattern
        for pattern in range(256)
        if bin(pattern ^ ((pattern >> 1) | ((pattern & 1) << 7))).count("1") <= 2
    ]
    codes[uniform] = np.arange(len(uniform))
    return codes


_UNIFORM = _uniform_codes()
_AROUND = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
_TOLERANCE = 3.0


def _patterns(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Histograms of uniform local binary patterns, of the whole and of the tiles."""
    height, width = grey.shape[1] - 2, grey.shape[2] - 2
    centre = grey[:, 1:-1, 1:-1] + _TOLERANCE  # so that noise on a flat surface makes no pattern
    pattern = np.zeros(centre.shape, np.uint8)
    for bit, (row, column) in enumerate(_AROUND):
        brighter = grey[:, row : row + height, column : column + width] > centre
        pattern |= brighter.astype(np.uint8) << np.uint8(bit)
    codes = _UNIFORM[pattern]
    whole, tiles = _histogram(codes, 1, 59), _histogram(codes, _TILES, 59)
    return np.concatenate([_hellinger(whole), _hellinger(tiles)], axis=1)


def _outline(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of white, extent and profiles of what is not white, density of edges, spread of brightness."""
    n = len(grey)
    ink = (grey < _INK).astype(np.float32)
    side = SIZE // 16
    columns = ink.mean(axis=1)
    rows = ink.mean(axis=2)
    edges = np.zeros(grey.shape, bool)
    edges[:, :, 1:] |= np.abs(np.diff(grey, axis=2)) > _EDGE
    edges[:, 1:] |= np.abs(np.diff(grey, axis=1)) > _EDGE
    strips = edges.reshape(n, 4, SIZE // 4, SIZE).astype(np.float32).mean(axis=2)
    cells = strips.reshape(n, 4, 4, SIZE // 4).mean(axis=3)
    width = (columns > 0).mean(axis=1, dtype=np.float32)
    height = (rows > 0).mean(axis=1, dtype=np.float32)
    corner = side * 2
    corners = [
        ink[:, top, left].mean(axis=(1, 2))
        for top in (slice(0, corner), slice(-corner, None))
        for left in (slice(0, corner), slice(-corner, None))
    ]
    numbers = [columns.mean(axis=1), width, height, width - height, *corners]
    numbers += [cells.mean(axis=(1, 2)), grey.std(axis=(1, 2)) / 128]
    profiles = [strip.reshape(n, 16, side).mean(axis=2) for strip in (columns, rows)]
    spread = np.quantile(grey.reshape(n, SIZE * SIZE)[:, ::8], [0.05, 0.25, 0.5, 0.75], axis=1).T / 255
    block = np.concatenate(
        [np.stack(numbers, axis=1), *profiles, cells.reshape(n, 16), spread.astype(np.float32)], axis=1
    )
    scaled: NDArray[np.float32] = (block / np.sqrt(block.shape[1])).astype(np.float32)
    return scaled


def _shrink(grey: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    n, height, width = grey.shape
    strips = grey.reshape(n, height // factor, factor, width).mean(axis=2)
    small: NDArray[np.float32] = strips.reshape(n, height // factor, width // factor, factor).mean(axis=3)
    return small


def _hellinger(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    return _unit(np.sqrt(counts))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
    scaled: NDArray[np.float32] = rows / (length + np.float32(1e-6))
    return scaled
