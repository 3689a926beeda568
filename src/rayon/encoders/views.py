"""Ways to look at one picture: as it is, or without the white around its object."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

View = Literal["whole", "trimmed"]

_WHITE = 255
_BORDER = 245
"""Grey level from which a pixel counts as white border."""

_SMALLEST = 8
"""Side in pixels below which what is left is a speck and no object."""

_IS_INK = [255] * _BORDER + [0] * (256 - _BORDER)


def look(pictures: NDArray[np.uint8], size: int, view: View) -> NDArray[np.uint8]:
    """Pictures `uint8[n, s, s, 3]` as `uint8[n, size, size, 3]`, seen in one way.

    Parameters
    ----------
    pictures
        Squares, padded with white.
    size
        Side in pixels of the result.
    view
        ``"whole"``, or ``"trimmed"``: cut to what is not nearly white, then padded to a square again, so that
        loosely and tightly framed photographs of the same product look alike.
    """
    if view == "whole" and pictures.shape[1] == size:
        return pictures
    seen = np.empty((len(pictures), size, size, 3), np.uint8)
    for index, pixels in enumerate(pictures):
        picture = Image.fromarray(pixels)
        seen[index] = np.asarray(_fit(_trim(picture) if view == "trimmed" else picture, size))
    return seen


def _trim(picture: Image.Image) -> Image.Image:
    box = picture.convert("L").point(_IS_INK).getbbox()
    if box is None:
        return picture
    left, top, right, bottom = box
    return picture if min(right - left, bottom - top) < _SMALLEST else picture.crop(box)


def _fit(picture: Image.Image, size: int) -> Image.Image:
    longest = max(picture.size)
    width, height = (max(1, round(side * size / longest)) for side in picture.size)
    scaled = picture.resize((width, height), Image.Resampling.BICUBIC)
    if width == height:
        return scaled
    canvas = Image.new("RGB", (size, size), (_WHITE, _WHITE, _WHITE))
    canvas.paste(scaled, ((size - width) // 2, (size - height) // 2))
    return canvas
