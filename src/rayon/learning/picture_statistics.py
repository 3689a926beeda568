"""Simple statistics of a picture: of its light, its colours, and what is behind the product."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rayon.data.image import decode_image, image_name, read_image
from rayon.data.image_header import read_header
from rayon.data.listings import ImageSource
from rayon.errors import ImageError

PICTURE_SIGNALS = (
    "brightness",
    "contrast",
    "colourfulness",
    "sharpness",
    "white_border",
    "border_spread",
    "aspect_ratio",
)
"""Names of what `picture_values` gives, in order."""

_SIDE = 128
_BORDER = 16
_NEAR_WHITE = 240
_WHITE = 255
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def picture_values(source: ImageSource) -> Mapping[str, float] | None:
    """Simple statistics of a picture, on a version whose longest side has 64 pixels.

    So small that a picture keeps its values when it is stored in another size.

    Returns
    -------
    mapping or None
        ``None`` where the picture cannot be read. Otherwise:

        - ``brightness`` and ``contrast``: mean and standard deviation of the luma, 0 to 1;
        - ``colourfulness``: Hasler and Süsstrunk, "Measuring colourfulness in natural images", 2003;
        - ``sharpness``: variance of the Laplacian of the luma (Pech-Pacheco et al., "Diatom autofocusing in
          brightfield microscopy", 2000);
        - ``white_border``: share of the pixels near the edge that are almost white;
        - ``border_spread``: standard deviation of the luma near the edge, 0 for a plain background;
        - ``aspect_ratio``: width divided by height.
    """
    try:
        data = read_image(source)
        square = decode_image(data, _SIDE, name=image_name(source))
    except ImageError:
        return None
    header = read_header(data)
    width, height = (1, 1) if header is None else (header.width, header.height)
    framed, aspect = _without_padding(square, width, height)
    pixels = _halved(framed)
    luma = pixels @ _LUMA
    edge = _near_edge(luma.shape)
    return {
        "brightness": float(luma.mean()) / 255,
        "contrast": float(luma.std()) / 255,
        "colourfulness": _colourfulness(pixels),
        "sharpness": _sharpness(luma),
        "white_border": float((pixels[edge].min(axis=-1) >= _NEAR_WHITE).mean()),
        "border_spread": float(luma[edge].std()) / 255,
        "aspect_ratio": aspect,
    }


def _without_padding(square: NDArray[np.uint8], width: int, height: int) -> tuple[NDArray[np.float32], float]:
    """The picture ``float32[h, w, 3]`` without the white beside it, and its width divided by its height."""
    padding = np.ones(square.shape[:2], dtype=np.bool_)
    padding[_box(width, height, grown=1)] = False
    # The header's size is that before the camera's orientation is honoured, which may turn the picture.
    if (square[padding] != _WHITE).any():
        width, height = height, width
    return square[_box(width, height, grown=-1)].astype(np.float32), width / height


def _box(width: int, height: int, grown: int) -> tuple[slice, slice]:
    """Where `decode_image` puts a picture; where it is padded, so many pixels are added.

    Its rounding starts from a size that a decoder may have reduced, so a pixel at the seam may be either.
    """

    def span(side: int) -> slice:
        longest = max(width, height)
        length = max(1, round(side * _SIDE / longest))
        start = (_SIDE - length) // 2
        seam = grown if side < longest and length + 2 * grown > 0 else 0
        return slice(max(0, start - seam), start + length + seam)

    return span(height), span(width)


def _halved(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    # How sharp a decoder's own scaling is depends on the size that it scales from; means hide most of that.
    height, width = (max(1, side // 2) for side in pixels.shape[:2])
    rows, columns = (min(2, side) for side in pixels.shape[:2])
    cells = pixels[: height * rows, : width * columns].reshape(height, rows, width, columns, 3)
    return np.asarray(cells.mean(axis=(1, 3)), dtype=np.float32)


def _near_edge(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    thickness = max(1, max(shape) // _BORDER)
    edge = np.ones(shape, dtype=np.bool_)
    edge[thickness:-thickness, thickness:-thickness] = False
    return edge


def _colourfulness(pixels: NDArray[np.float32]) -> float:
    red, green, blue = np.moveaxis(pixels, -1, 0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    strength = np.hypot(red_green.mean(), yellow_blue.mean())
    return float(spread + 0.3 * strength) / 255


def _sharpness(luma: NDArray[np.float32]) -> float:
    padded = np.pad(luma, 1, mode="edge")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    return float((around - 4 * luma).var()) / 255**2
