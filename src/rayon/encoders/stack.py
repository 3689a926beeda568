"""Several image encoders, and several views of one picture, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rayon.encoders.base import ImageEncoder
from rayon.encoders.views import View, look


class Part(NamedTuple):
    """An encoder, and the views of a picture that it is shown."""

    encoder: ImageEncoder
    views: tuple[View, ...]


class StackedImageEncoder:
    """The vectors of several encoders and views, one after the other.

    A network trained on photographs is nearly blind to the colour, layout and texture that the builtin
    features measure, and what it sees depends on the framing: a head on all of them is clearly better than
    on any one.

    Parameters
    ----------
    parts
        Encoders with their views. A picture is decoded once, at the largest size that any of them takes.
    """

    name = "stack"

    def __init__(self, parts: Sequence[Part]) -> None:
        if not parts or not all(part.views for part in parts):
            raise ValueError("a stack needs at least one encoder, and each encoder a view")
        self.parts = tuple(parts)
        self.input_size = max(part.encoder.input_size for part in self.parts)

    @property
    def path(self) -> Path | None:
        """File of the part that has one."""
        files = (getattr(part.encoder, "path", None) for part in self.parts)
        return next((file for file in files if isinstance(file, Path)), None)

    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Vectors `float32[n, d]` of `n` pictures `uint8[n, input_size, input_size, 3]` in RGB."""
        vectors = [
            encoder.encode(look(pictures, encoder.input_size, view))
            for encoder, views in self.parts
            for view in views
        ]
        return np.concatenate(vectors, axis=1)

    def spec(self) -> dict[str, Any]:
        """JSON-ready description: those of the parts."""
        parts = [{"encoder": part.encoder.spec(), "views": list(part.views)} for part in self.parts]
        return {"name": self.name, "parts": parts}
