"""What a listing becomes vectors by: its text or its picture, each by way of one or several encoders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rayon.data.listings import Listing
from rayon.encoders.base import Features, ImageEncoder, TextEncoder
from rayon.encoders.pipeline import encode_images
from rayon.encoders.text_pipeline import encode_texts, has_readable_text

TEXT, IMAGE = "text", "image"
"""The parts of a listing."""


def part_of(name: str) -> str:
    """The part of a listing that a modality looks at: ``"text"`` for ``"text-conv1d"``."""
    return name.partition("-")[0]


def by_part(names: Iterable[str]) -> dict[str, list[str]]:
    """Parts of a listing to the modalities that look at each, both in the given order."""
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(part_of(name), []).append(name)
    return parts


@dataclass(frozen=True, slots=True)
class Encoded:
    """Vectors of the listings that have a modality.

    Parameters
    ----------
    rows
        `int64[n]`, positions of those listings among all, ascending.
    features
        `[n, d]`, their vectors, in the same order.
    errors
        Position of a listing to the reason why its part could not be used.
    """

    rows: NDArray[np.int64]
    features: Features
    errors: dict[int, str] = field(default_factory=dict)


class Modality(Protocol):
    """A part of a listing, and an encoder that turns it into vectors."""

    @property
    def name(self) -> str:
        """``"text"`` or ``"image"``; with several encoders of a part, the others add a name to it."""
        ...

    def encode(self, listings: Sequence[Listing], on_done: Callable[[int], None] | None = None) -> Encoded:
        """Vectors of those listings that have this part; ``on_done`` is told how many are through."""
        ...

    def spec(self) -> dict[str, Any]:
        """JSON-ready description of the encoder."""
        ...


class TextModality:
    """Title and description, by way of a text encoder."""

    def __init__(self, encoder: TextEncoder, cache: Path | None = None, name: str = TEXT) -> None:
        self.name = name
        self.encoder = encoder
        self.cache = cache

    def encode(self, listings: Sequence[Listing], on_done: Callable[[int], None] | None = None) -> Encoded:
        """Vectors of the listings that have a title or a description that the encoder can read."""
        rows = np.array(
            [i for i, one in enumerate(listings) if has_readable_text(self.encoder, one)], np.int64
        )
        features = encode_texts(self.encoder, [listings[i] for i in rows], cache=self.cache, progress=on_done)
        return Encoded(rows, features)

    def spec(self) -> dict[str, Any]:
        """JSON-ready description of the encoder."""
        return self.encoder.spec()


class ImageModality:
    """The picture, by way of an image encoder."""

    def __init__(
        self,
        encoder: ImageEncoder,
        cache: Path | None = None,
        threads: int | None = None,
        name: str = IMAGE,
    ) -> None:
        self.name = name
        self.encoder = encoder
        self.cache = cache
        self.threads = threads

    def encode(self, listings: Sequence[Listing], on_done: Callable[[int], None] | None = None) -> Encoded:
        """Vectors of the listings whose picture can be read; the others are named in ``errors``."""
        given = [i for i, listing in enumerate(listings) if listing.has_image]
        vectors, errors = encode_images(
            self.encoder,
            [listings[i].image for i in given],
            cache=self.cache,
            threads=self.threads,
            progress=on_done,
        )
        read = [position for position, error in enumerate(errors) if error is None]
        return Encoded(
            np.array([given[position] for position in read], dtype=np.int64),
            vectors[read],
            {given[position]: error for position, error in enumerate(errors) if error is not None},
        )

    def spec(self) -> dict[str, Any]:
        """JSON-ready description of the encoder."""
        return self.encoder.spec()
