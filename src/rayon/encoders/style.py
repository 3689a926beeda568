"""How a text is written, as against what it says: its length, its capitals, its digits.

A bookseller's title is short and capitalised, an importer's is long and mixes cases, a collector's is full of
numbers. The counts are put into buckets, so that a linear model can use each of them on its own.
"""

from __future__ import annotations

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


def letter_counts(text: str) -> tuple[int, int, int, int, int, int]:
    """Capitals, small letters, digits, words, words that begin small, and capitals within words.

    Only the first `OPENING_CHARS` characters count; letters outside Latin-1 are neither capital nor small.
    """
    kinds = b" " + text[:OPENING_CHARS].encode("latin-1", "replace").translate(_KINDS)
    upper, blank = kinds.count(b"A"), kinds.count(b"  ")
    return (
        upper,
        kinds.count(b"a"),
        kinds.count(b"0"),
        kinds.count(b" ") - blank,
        kinds.count(b" a"),
        upper - kinds.count(b" A"),
    )


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


def _kind(code: int) -> str:
    character = chr(code)
    if character.isupper():
        return "A"
    if character.islower():
        return "a"
    if character.isdigit():
        return "0"
    return " " if character.isspace() else "."


_KINDS = "".join(map(_kind, range(256))).encode("ascii")
# Two buckets for each doubling.
_DOUBLINGS = np.floor(2 * np.log2(np.arange(1, 4097))).astype(np.int64)
_LAST = np.array([_MOST_WORDS, _MOST_WORDS, *[BUCKETS - 1] * 6], np.int64)[:, None]
_LAST[3] = _MOST_LOWER_WORDS
_OFFSETS = BUCKETS * np.arange(len(_LAST))[:, None]
