"""Many pictures to vectors: reading, decoding and encoding overlap, and what is known is not done again."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rayon.data.image import PREPROCESSING, decode_image, image_name, read_image
from rayon.data.listings import ImageSource
from rayon.encoders.base import ImageEncoder
from rayon.encoders.cache import EmbeddingCache, content_key
from rayon.errors import ImageError

CHUNK = 16
"""Pictures that one worker takes at a time."""

_CHUNKS_AHEAD = 2


def encode_images(
    encoder: ImageEncoder,
    sources: Sequence[ImageSource | None],
    *,
    cache: Path | None = None,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[NDArray[np.float32], list[str | None]]:
    """Encode pictures, on all cores and in bounded memory.

    Every worker thread decodes and encodes its own chunk: Pillow and ONNX Runtime both release the
    interpreter's lock, so one worker decodes while another encodes, and no core waits for a batch to fill.

    Parameters
    ----------
    encoder
        Its `encode` must be safe to call from several threads.
    sources
        `n` files or encoded pictures; ``None`` where there is none.
    cache
        Folder of the vectors that are kept between runs; nothing is kept where it is ``None``.
    threads
        Workers; as many as there are cores where it is not given.
    progress
        Called from the calling thread with the number of sources that are done.

    Returns
    -------
    vectors
        `float32[n, d]`, a row of NaN where there is no picture or it cannot be used. The rows do not
        depend on the number of threads, on the cache, or on each other.
    errors
        `n` of them: why a picture cannot be used, ``None`` where it can or where there is none.
    """
    dimension = _dimension(encoder)
    vectors = np.full((len(sources), dimension), np.nan, np.float32)
    errors: list[str | None] = [None] * len(sources)
    present = [row for row, source in enumerate(sources) if source is not None]
    done = len(sources) - len(present)
    with EmbeddingCache(cache, encoder.spec(), PREPROCESSING) if cache else nullcontext() as store:

        def work(rows: list[int]) -> _Chunk:
            return _encode_chunk(encoder, dimension, [(row, sources[row]) for row in rows], store)

        for chunk in _in_order(work, _split(present), threads or available_cores()):
            for row, vector in chunk.vectors.items():
                vectors[row] = vector
            for row, message in chunk.errors.items():
                errors[row] = message
            if store is not None:
                store.put(chunk.fresh)
            done += chunk.size
            if progress is not None:
                progress(done)
    return vectors, errors


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


@dataclass(slots=True)
class _Chunk:
    size: int
    vectors: dict[int, NDArray[np.float32]]
    errors: dict[int, str]
    fresh: dict[bytes, NDArray[np.float32]]


def _encode_chunk(
    encoder: ImageEncoder,
    dimension: int,
    items: list[tuple[int, ImageSource | None]],
    store: EmbeddingCache | None,
) -> _Chunk:
    chunk = _Chunk(len(items), {}, {}, {})
    encoded: dict[int, tuple[bytes, str]] = {}
    for row, source in items:
        if source is not None:
            try:
                encoded[row] = read_image(source), image_name(source)
            except ImageError as error:
                chunk.errors[row] = str(error)
    keys = {row: content_key(data) for row, (data, _) in encoded.items()} if store is not None else {}
    known = store.get(list(keys.values())) if store is not None else {}
    pictures: dict[int, NDArray[np.uint8]] = {}
    for row, (data, name) in encoded.items():
        vector = known.get(keys[row]) if keys else None
        if vector is not None and vector.shape == (dimension,):
            chunk.vectors[row] = vector
            continue
        try:
            pictures[row] = decode_image(data, encoder.input_size, name=name)
        except ImageError as error:
            chunk.errors[row] = str(error)
    if pictures:
        fresh = encoder.encode(np.stack(list(pictures.values())))
        chunk.vectors.update(zip(pictures, fresh, strict=True))
        chunk.fresh = {keys[row]: vector for row, vector in zip(pictures, fresh, strict=True) if keys}
    return chunk


def _dimension(encoder: ImageEncoder) -> int:
    known = getattr(encoder, "dimension", None)
    if isinstance(known, int):
        return known
    blank = np.full((1, encoder.input_size, encoder.input_size, 3), 255, np.uint8)
    return int(encoder.encode(blank).shape[1])


def _split(rows: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def _in_order(
    work: Callable[[list[int]], _Chunk], parts: Iterator[list[int]], threads: int
) -> Iterator[_Chunk]:
    """Results of the parts in their order, only a few of them ahead of what has been taken."""
    with ThreadPoolExecutor(threads, thread_name_prefix="rayon-images") as pool:
        waiting: deque[Future[_Chunk]] = deque()
        try:
            for part in parts:
                waiting.append(pool.submit(work, part))
                if len(waiting) >= threads * _CHUNKS_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # on an error or an interrupt, nothing that has not begun is begun
            pool.shutdown(wait=True, cancel_futures=True)
