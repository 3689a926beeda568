"""Near-duplicate texts: MinHash over word shingles, and the true Jaccard similarity of what it proposes.

MinHash: A. Broder, "On the resemblance and containment of documents", 1997; banding: J. Leskovec,
A. Rajaraman, J. Ullman, "Mining of Massive Datasets", chapter 3.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

MAX_WORDS = 400
"""Words of a text that are compared; boilerplate beyond them says little about the product."""

_BANDS, _ROWS = 20, 5
_WINDOW = 12
_CHUNK = 2048
_PAIR_BUDGET = 4_000_000
_TAG = re.compile(r"<[^<>]{0,2000}>")
_WORD = re.compile(rb"[a-z0-9]+")
_ANY_WORD = re.compile(r"\w+")
_MARKS = re.compile("[\u0300-\u036f]")
_OTHER_SCRIPT = re.compile("[\u0370-\u1cff\u3040-\ud7ff]")
_MAX_CHARACTERS = 8_000


@dataclass(frozen=True)
class Shingles:
    """Hashed word shingles of n texts: their words and pairs of neighbouring words.

    Parameters
    ----------
    values
        `uint32[m]`, sorted and unique within each text.
    starts
        `int64[n + 1]`: those of text `i` are ``values[starts[i]:starts[i + 1]]``.
    """

    values: NDArray[np.uint32]
    starts: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """`int64[n]`, how many shingles each text has."""
        return np.diff(self.starts)


def words(text: str) -> list[bytes]:
    """Words of a text without markup, case, accents and punctuation, at most `MAX_WORDS`."""
    text = text[:_MAX_CHARACTERS]
    if "<" in text or "&" in text:
        text = html.unescape(_TAG.sub(" ", html.unescape(text)))
    if text.isascii():
        return _WORD.findall(text.lower().encode())[:MAX_WORDS]
    text = unicodedata.normalize("NFKD", text.lower())
    if _OTHER_SCRIPT.search(text):  # in which words would vanish together with the accents of Latin letters
        plain = _MARKS.sub("", text)
        return [word.encode() for word in _ANY_WORD.findall(plain)[:MAX_WORDS]]
    return _WORD.findall(text.encode("ascii", "ignore"))[:MAX_WORDS]


def shingle(texts: Iterable[Sequence[bytes]]) -> Shingles:
    """Hash the words and word pairs of n texts, given as their words; the same on every machine."""
    values: list[NDArray[np.uint32]] = []
    sizes: list[NDArray[np.int64]] = []
    stream = iter(texts)
    while chunk := list(islice(stream, _CHUNK)):
        part, count = _shingle_chunk(chunk)
        values.append(part)
        sizes.append(count)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), *sizes]).cumsum()
    return Shingles(np.concatenate(values) if values else np.empty(0, dtype=np.uint32), starts)


def _shingle_chunk(texts: Sequence[Sequence[bytes]]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    total = int(lengths.sum())
    single = np.fromiter(map(crc32, chain.from_iterable(texts)), dtype=np.uint64, count=total)
    owner = np.repeat(np.arange(len(texts), dtype=np.uint64), lengths)
    pairs = single[:-1] * np.uint64(0x9E3779B97F4A7C15) + single[1:]
    pairs = (pairs ^ (pairs >> np.uint64(31))) & np.uint64(0xFFFFFFFF)
    within = owner[:-1] == owner[1:]
    shift = np.uint64(32)
    keys = np.concatenate([(owner << shift) | single, ((owner[:-1] << shift) | pairs)[within]])
    keys.sort()
    keys = keys[np.concatenate([np.ones(min(1, len(keys)), dtype=np.bool_), keys[1:] != keys[:-1]])]
    count = np.bincount((keys >> shift).astype(np.int64), minlength=len(texts))
    return keys.astype(np.uint32), count.astype(np.int64)


def near_pairs(shingles: Shingles, threshold: float) -> NDArray[np.int64]:
    """Pairs of texts whose shingles have a Jaccard similarity of at least `threshold`.

    Candidates come from 20 bands of 5 MinHash values: of the pairs at similarity 0.8, 0.9996 are found; at
    0.7, 0.975. Of many texts that share a band only the nearest few in their order are compared, so that
    the work stays linear; their components still hang together. Texts of fewer than three shingles are
    left to exact comparison.

    Returns
    -------
    ndarray
        `int64[p, 2]`, each pair once, the smaller index first.
    """
    usable = np.flatnonzero(shingles.sizes >= 3)
    if len(usable) < 2:
        return np.empty((0, 2), dtype=np.int64)
    signatures = _signatures(shingles, usable)
    pairs = usable[_candidates(signatures)]
    sizes = shingles.sizes[pairs]
    similar_size = sizes.min(axis=1) >= threshold * sizes.max(axis=1)
    pairs = pairs[similar_size]
    near: NDArray[np.int64] = pairs[_jaccard(shingles, pairs) >= threshold]
    return near


def _signatures(shingles: Shingles, usable: NDArray[np.int64]) -> NDArray[np.uint32]:
    rng = np.random.default_rng(1997)
    factors = rng.integers(1, 2**32, _BANDS * _ROWS, dtype=np.uint32) | np.uint32(1)
    masks = rng.integers(0, 2**32, _BANDS * _ROWS, dtype=np.uint32)
    out = np.empty((_BANDS * _ROWS, len(usable)), dtype=np.uint32)
    for begin in range(0, len(usable), _CHUNK):
        rows = usable[begin : begin + _CHUNK]
        values, offsets = _take(shingles, rows)
        values ^= values >> np.uint32(16)
        values *= np.uint32(0x7FEB352D)
        for place, (factor, mask) in enumerate(zip(factors, masks, strict=True)):
            mixed = (values ^ mask) * factor
            mixed ^= mixed >> np.uint32(15)
            mixed *= np.uint32(0x846CA68B)
            out[place, begin : begin + len(rows)] = np.minimum.reduceat(mixed, offsets)
    return out


def _take(shingles: Shingles, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    sizes = shingles.sizes[rows]
    offsets = np.cumsum(sizes) - sizes
    places = np.repeat(shingles.starts[rows] - offsets, sizes) + np.arange(int(sizes.sum()))
    return shingles.values[places], offsets


def _candidates(signatures: NDArray[np.uint32]) -> NDArray[np.int64]:
    n = signatures.shape[1]
    found: list[NDArray[np.int64]] = []
    for band in range(_BANDS):
        key = np.zeros(n, dtype=np.uint64)
        for row in signatures[band * _ROWS : (band + 1) * _ROWS]:
            key = (key ^ row) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(29)
        found.append(window_pairs(key, _WINDOW))
    return unique_pairs(np.concatenate(found), n)


def window_pairs(keys: NDArray[np.uint64], window: int) -> NDArray[np.int64]:
    """Pairs of indices with the same key, at most `window` apart among those of that key: `int64[p, 2]`."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    found = []
    for step in range(1, window + 1):
        places = np.flatnonzero(ordered[:-step] == ordered[step:])
        if not len(places):
            break
        found.append(np.column_stack((order[places], order[places + step])))
    return np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)


def unique_pairs(pairs: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Each pair of indices below `n` once, the smaller first."""
    keys = np.unique(pairs.min(axis=1) * n + pairs.max(axis=1)) if len(pairs) else np.empty(0, dtype=np.int64)
    return np.column_stack((keys // n, keys % n)) if n else np.empty((0, 2), dtype=np.int64)


def _jaccard(shingles: Shingles, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    sizes = shingles.sizes[pairs]
    together = sizes.sum(axis=1)
    out = np.empty(len(pairs))
    ends = np.cumsum(together)
    begin = 0
    while begin < len(pairs):
        limit = (ends[begin - 1] if begin else 0) + _PAIR_BUDGET
        end = max(begin + 1, int(np.searchsorted(ends, limit, side="right")))
        rows = pairs[begin:end]
        values, _ = _take(shingles, rows.ravel())
        owner = np.repeat(np.arange(len(rows), dtype=np.uint64), together[begin:end])
        keys = np.sort((owner << np.uint64(32)) | values)
        shared = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
        common = np.bincount(shared.astype(np.int64), minlength=len(rows))
        out[begin:end] = common / (together[begin:end] - common)
        begin = end
    return out
