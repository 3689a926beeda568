"""Pictures as they might have been taken as well."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SMALLEST_SHARE = 0.55
_LIGHT = 0.2


def augment(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Crop, mirror and light one picture at random.

    Parameters
    ----------
    pixels
        `uint8[s, s, 3]`.
    rng
        Decides how.

    Returns
    -------
    ndarray
        `uint8[s, s, 3]`.
    """
    side = len(pixels)
    part = max(1, round(side * np.sqrt(rng.uniform(_SMALLEST_SHARE, 1.0))))
    left, top = (int(rng.integers(0, side - part + 1)) for _ in range(2))
    picture = Image.fromarray(pixels[top : top + part, left : left + part])
    seen = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
    if rng.random() < 0.5:
        seen = seen[:, ::-1]
    light = rng.uniform(1 - _LIGHT, 1 + _LIGHT, 3) * rng.uniform(1 - _LIGHT, 1 + _LIGHT)
    return np.clip(255 - (255 - seen) * light, 0, 255).astype(np.uint8)
