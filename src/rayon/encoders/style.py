"""How a text is written, as against what it says: its length, its capitals, its digits.

A bookseller's title is short and capitalised, an importer's is long and mixes cases, a collector's is full of
numbers. The counts are put into buckets, so that a linear model can use each of them on its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

OPENING_CHARS = 160
"""Raw characters of a text that are looked at for capitals and digits: about as many as a long title has."""

BUCKETS = 64
"""No trait has more buckets than this."""

_MOST_WORDS = 40
_CHARS_STEP = 8
_MOST_LOWER_WORDS = 8
_FIFTHS = 5


def letter_counts(texts: Sequence[str]) -> NDArray[np.int64]:
    """Capitals, small letters, digits, words, words that begin small, and capitals within words.

    Only the first `OPENING_CHARS` characters of a text count; letters outside Latin-1 are neither capital nor
    small.

    Returns
    -------
    int64[n, 6]
    """
    openings = [text[:OPENING_CHARS] for text in texts]
    joined = " " + " ".join(openings)
    kinds = np.frombuffer(joined.encode("latin-1", "replace").translate(_KINDS), np.uint8)
    starts = np.cumsum([0, *(len(opening) + 1 for opening in openings[:-1])])
    pairs = kinds * np.uint8(_N_KINDS)
    pairs[1:] = pairs[:-1] + kinds[1:]
    sums = np.add.reduceat(_SHARES[pairs], starts)
    return np.asarray(sums[:, None] >> _SHIFTS & 0xFF, np.int64)


def traits(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Buckets of n texts, `int64[n, 8]`; no two traits share the number of a bucket.

    Parameters
    ----------
    counts
        `int64[n, 8]`: words and characters of the normalised text, then what `letter_counts` gives.
    """
    words, chars, upper, lower, digits, spaced, lower_words, inner_upper = counts.T
    found = np.array(
        [
            words,
            chars // _CHARS_STEP,
            _DOUBLINGS[np.minimum(words, len(_DOUBLINGS) - 1)],
            lower_words,
            _FIFTHS * lower_words // np.maximum(spaced, 1),
            _DOUBLINGS[inner_upper],
            _FIFTHS * upper // np.maximum(upper + lower, 1),
            _DOUBLINGS[digits],
        ]
    )
    return np.asarray(np.minimum(found, _LAST) + _OFFSETS).T


def _kind(code: int) -> int:
    character = chr(code)
    tests = (str.isspace, str.isupper, str.islower, str.isdigit)
    return next((kind for kind, test in enumerate(tests) if test(character)), len(tests))


_N_KINDS = 5
_SPACE, _UPPER, _LOWER, _DIGIT, _OTHER = range(_N_KINDS)
_KINDS = bytes(map(_kind, range(256)))


def _share(before: int, kind: int) -> int:
    """What a character adds to each of the counts, one byte for each: no count passes `OPENING_CHARS`."""
    begins = before == _SPACE != kind
    added = (
        kind == _UPPER,
        kind == _LOWER,
        kind == _DIGIT,
        begins,
        begins and kind == _LOWER,
        kind == _UPPER and not begins,
    )
    return sum(int(one) << int(shift) for one, shift in zip(added, _SHIFTS, strict=True))


_SHIFTS = np.arange(0, 48, 8)
_SHARES = np.array([_share(before, kind) for before in range(_N_KINDS) for kind in range(_N_KINDS)])
# Two buckets for each doubling.
_DOUBLINGS = np.floor(2 * np.log2(np.arange(1, 4097))).astype(np.int64)
_LAST = np.array([_MOST_WORDS, _MOST_WORDS, *[BUCKETS - 1] * 6], np.int64)[:, None]
_LAST[3] = _MOST_LOWER_WORDS
_OFFSETS = BUCKETS * np.arange(len(_LAST))[:, None]
