"""The nearest training listings: what a person can look at to believe or doubt an answer.

Vectors are kept as short sketches: text features are folded into few columns with random signs (feature
hashing, Weinberger et al. 2009), image features are projected at random (Johnson-Lindenstrauss). Both keep
cosines up to a small noise, which is enough to find what looks alike, at a byte a dimension.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rayon.data.listings import Listing
from rayon.encoders.base import Features
from rayon.learning.modalities import Encoded

SKETCH_SIZE = 256
_TITLE_LENGTH = 160
_IDF_BUCKETS = 1 << 16
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A training listing that looks like the one that was asked about.

    Parameters
    ----------
    code
        Its product type code.
    title
        The beginning of its title; empty where it had none.
    productid
        The seller's identifier; empty where it had none.
    similarity
        Cosine of the sketches, about -0.1 to 1, averaged over the modalities that both have.
    """

    code: str
    title: str
    productid: str
    similarity: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)


class NeighbourIndex:
    """Sketches of the training listings, and what to show of them.

    Use `build` or `from_arrays`; the constructor takes what `to_arrays` gives.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = dict(arrays)
        self._seen = set(self._arrays["seen"].tolist())

    @classmethod
    def build(
        cls, listings: Sequence[Listing], codes: Sequence[str], encoded: Mapping[str, Encoded]
    ) -> NeighbourIndex:
        """Index N training listings with their codes by the features of each modality."""
        arrays: dict[str, NDArray[Any]] = {
            "codes": _pack(codes),
            "titles": _pack([listing.designation[:_TITLE_LENGTH] for listing in listings]),
            "productids": _pack([listing.productid for listing in listings]),
            "seen": np.unique(np.array([identity(listing) for listing in listings], dtype=np.uint64)),
        }
        for name, part in encoded.items():
            weights = _column_weights(part.features)
            sketches = np.zeros((len(listings), SKETCH_SIZE), dtype=np.int8)
            sketches[part.rows] = _quantise(_sketch(part.features, weights))
            arrays[f"sketch_{name}"] = sketches
            arrays[f"weights_{name}"] = weights
        return cls(arrays)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays without Python objects."""
        return self._arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> NeighbourIndex:
        """Make the index again from what `to_arrays` gave."""
        return cls(arrays)

    def __len__(self) -> int:
        return len(self._arrays["codes"])

    def was_seen(self, listing: Listing) -> bool:
        """Whether a listing with this very text (or, without text, this picture's name) taught the model."""
        return identity(listing) in self._seen

    def remembers(self, productids: Collection[str], identities: Collection[int]) -> bool:
        """Whether a listing of one of these product ids or `identity` numbers taught the model."""
        if not self._seen.isdisjoint(identities):
            return True
        wanted = _pack(sorted(productids)) if productids else np.array([], dtype=np.bytes_)
        return bool(np.isin(self._arrays["productids"], wanted).any())

    def nearest(self, features: Mapping[str, Features], n: int = 5) -> list[Neighbour]:
        """The most similar training listings of one listing.

        Parameters
        ----------
        features
            Modality to the features `[1, d]` of the listing.
        n
            How many at the most.
        """
        total = np.zeros(len(self))
        shared = np.zeros(len(self))
        for name, vector in features.items():
            if f"sketch_{name}" not in self._arrays:
                continue
            query = _quantise(_sketch(vector, self._arrays[f"weights_{name}"]))[0]
            cosine, present = _cosines(self._arrays[f"sketch_{name}"], query)
            total += cosine
            shared += present
        similarity = np.where(shared > 0, total / np.maximum(shared, 1), -1.0)
        best = np.argsort(-similarity, kind="stable")[:n]
        titles = _unpack(self._arrays["titles"], best)
        codes = _unpack(self._arrays["codes"], best)
        products = _unpack(self._arrays["productids"], best)
        return [
            Neighbour(code, title, product, round(float(similarity[row]), 3))
            for row, code, title, product in zip(best, codes, titles, products, strict=True)
            if shared[row] > 0
        ]


def identity(listing: Listing) -> int:
    """A number by which a listing is known again: of its text, or without text of its picture's name."""
    picture = b""
    if not listing.has_text and listing.image is not None:
        picture = listing.image if isinstance(listing.image, bytes) else listing.image.name.encode()
    text = " ".join(f"{listing.designation} {listing.description}".casefold().split())
    return int.from_bytes(
        hashlib.blake2b(text.encode("utf-8", "replace") + b"\0" + picture, digest_size=8).digest()
    )


def _column_weights(features: Features) -> NDArray[np.float32]:
    """Inverse document frequency per bucket of columns; empty for dense features, which need none."""
    if not sparse.issparse(features):
        return np.empty(0, dtype=np.float32)
    frequency = np.bincount(features.indices % _IDF_BUCKETS, minlength=_IDF_BUCKETS)
    return np.log((1 + features.shape[0]) / (1 + np.minimum(frequency, features.shape[0]))).astype(np.float32)


def _sketch(features: Features, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vectors `float32[n, SKETCH_SIZE]`."""
    rows = cast("int", features.shape[0])
    sketches = np.empty((rows, SKETCH_SIZE), dtype=np.float32)
    for start in range(0, rows, _CHUNK):
        part = features[start : start + _CHUNK]
        if sparse.issparse(part):
            folded = _fold_columns(part, weights)
        else:
            folded = _project(np.asarray(part, dtype=np.float32))
        sketches[start : start + _CHUNK] = folded
    norms = np.linalg.norm(sketches, axis=1, keepdims=True)
    unit: NDArray[np.float32] = sketches / np.maximum(norms, 1e-9)
    return unit


def _fold_columns(part: sparse.csr_matrix, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    columns = part.indices.astype(np.uint64)
    mixed = (columns * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    signs = np.where(mixed & np.uint64(1), 1.0, -1.0)
    values = np.log1p(np.abs(part.data)) * weights[part.indices % _IDF_BUCKETS] * signs
    rows = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
    cells = rows * SKETCH_SIZE + ((mixed >> np.uint64(1)) % np.uint64(SKETCH_SIZE)).astype(np.int64)
    total = np.bincount(cells, weights=values, minlength=part.shape[0] * SKETCH_SIZE)
    return total.reshape(part.shape[0], SKETCH_SIZE).astype(np.float32)


def _project(part: NDArray[np.float32]) -> NDArray[np.float32]:
    # The projection is a fixed function of the width alone, so it need not be stored.
    directions = np.random.default_rng(part.shape[1]).standard_normal(
        (part.shape[1], SKETCH_SIZE), dtype=np.float32
    )
    # Without the common direction that all embeddings share, cosines would all be near one.
    projected: NDArray[np.float32] = (part - part.mean(axis=1, keepdims=True)) @ directions
    return projected


def _quantise(sketches: NDArray[np.float32]) -> NDArray[np.int8]:
    largest = np.abs(sketches).max(axis=1, keepdims=True)
    quantised: NDArray[np.int8] = np.rint(sketches / np.maximum(largest, 1e-9) * 127).astype(np.int8)
    return quantised


def _cosines(
    sketches: NDArray[np.int8], query: NDArray[np.int8]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    dots = np.empty(len(sketches))
    norms = np.empty(len(sketches))
    for start in range(0, len(sketches), _CHUNK):
        part = sketches[start : start + _CHUNK].astype(np.float32)
        dots[start : start + _CHUNK] = part @ query.astype(np.float32)
        norms[start : start + _CHUNK] = np.linalg.norm(part, axis=1)
    present = norms > 0
    scale = norms * np.linalg.norm(query.astype(np.float32))
    return np.where(present, dots / np.maximum(scale, 1e-9), 0.0), present


def _pack(texts: Sequence[str]) -> NDArray[Any]:
    """Texts as a fixed-width UTF-8 array, which npz stores without pickling."""
    return np.array([text.encode("utf-8", "replace") for text in texts], dtype=np.bytes_)


def _unpack(packed: NDArray[Any], rows: NDArray[np.intp]) -> list[str]:
    return [bytes(text).decode("utf-8", "replace") for text in packed[rows]]
