"""Many texts to vectors: what is dear to encode is kept by content, and not encoded again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rayon.data.listings import Listing
from rayon.encoders.base import Features, TextEncoder
from rayon.encoders.cache import EmbeddingCache, content_key
from rayon.encoders.onnx_text import PREPROCESSING, OnnxTextEncoder, plain_text

CHUNK = 512
"""Listings between two reports of progress, and between two writes to the cache."""

FEW = 32
"""Fewer listings are encoded sooner than they are looked up."""


def has_readable_text(encoder: TextEncoder, listing: Listing) -> bool:
    """Whether a listing has text, for networks once tags and entities are gone."""
    return bool(plain_text(listing)) if isinstance(encoder, OnnxTextEncoder) else listing.has_text


def encode_texts(
    encoder: TextEncoder,
    listings: Sequence[Listing],
    *,
    cache: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Features:
    """Encode the texts of `n` listings.

    Parameters
    ----------
    encoder
        The vectors of networks are kept; counting n-grams anew is quicker than reading them.
    listings
        All with some text.
    cache
        Folder of the vectors that are kept between runs; nothing is kept where it is ``None``.
    progress
        Called with the number of listings that are done.

    Returns
    -------
    ndarray or csr_matrix
        `[n, d]`, a row each.
    """
    if not isinstance(encoder, OnnxTextEncoder):
        features = encoder.encode(listings)
        if progress is not None:
            progress(len(listings))
        return features
    vectors = np.empty((len(listings), encoder.dimension), np.float32)
    kept = cache if len(listings) >= FEW else None
    with EmbeddingCache(kept, encoder.spec(), PREPROCESSING) if kept else nullcontext() as store:
        for start in range(0, len(listings), CHUNK):
            texts = [plain_text(listing) for listing in listings[start : start + CHUNK]]
            vectors[start : start + CHUNK] = _encode_chunk(encoder, texts, store)
            if progress is not None:
                progress(min(start + CHUNK, len(listings)))
    return vectors


def _encode_chunk(
    encoder: OnnxTextEncoder, texts: Sequence[str], store: EmbeddingCache | None
) -> NDArray[np.float32]:
    if store is None:
        return encoder.encode_texts(texts)
    keys = [content_key(text.encode()) for text in texts]
    known = store.get(keys)
    known = {key: vector for key, vector in known.items() if vector.shape == (encoder.dimension,)}
    fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if fresh:
        made = dict(zip(fresh, encoder.encode_texts(list(fresh.values())), strict=True))
        store.put(made)
        known |= made
    return np.stack([known[key] for key in keys]) if keys else np.empty((0, encoder.dimension), np.float32)
