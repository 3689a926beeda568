"""Which listings look like one of them, by the words they share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rayon.data.shingles import words

_WORDS = 100


def most_similar(seed: tuple[str, str, str], others: Sequence[tuple[str, str, str]], count: int) -> list[str]:
    """Give the ids of the listings that look most like one, which comes first itself.

    Parameters
    ----------
    seed
        Id, title and description of that one.
    others
        The same of the others; the seed may be among them.
    count
        How many at the most, with the seed.

    Notes
    -----
    The measure is the Jaccard similarity of their words; of the same similarity, the earlier one comes first.
    """
    wanted = _words(seed)
    rest = [one for one in others if one[0] != seed[0]]
    similarity = np.array([_jaccard(wanted, _words(one)) for one in rest])
    best = np.argsort(-similarity, kind="stable")[: count - 1]
    return [seed[0], *(rest[row][0] for row in best)]


def _words(listing: tuple[str, str, str]) -> set[bytes]:
    _, title, description = listing
    return set(words(title)) or set(words(description)[:_WORDS])


def _jaccard(one: set[bytes], other: set[bytes]) -> float:
    either = len(one | other)
    return len(one & other) / either if either else 0.0
