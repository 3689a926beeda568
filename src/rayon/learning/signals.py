"""What is measured of listings to see whether they still look like those that a model learned from.

Only what is cheap: a text costs a fraction of a millisecond, a picture one or two, so that pictures are read
for a random sample. What the values are compared with is in `rayon.learning.reference`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from rayon.data.languages import guess_language
from rayon.data.listings import ImageSource, Listing
from rayon.data.shingles import words
from rayon.learning.picture_statistics import PICTURE_SIGNALS, picture_values

MAX_KNOWN_WORDS = 200_000
"""Words that a vocabulary holds at the most, four bytes each."""

_LEAST_LISTINGS = 2


@dataclass(frozen=True)
class Vocabulary:
    """The words that training knows: those of at least ``least`` of its listings.

    Words are kept as 32-bit hashes. Of 200,000 words, a strange one is taken for one of them with a chance of
    1 in 20,000.

    Parameters
    ----------
    known
        ``uint32[w]``, ascending.
    """

    known: NDArray[np.uint32]

    @classmethod
    def learn(
        cls, hashes: Sequence[NDArray[np.uint32]], limit: int = MAX_KNOWN_WORDS
    ) -> tuple[Self, NDArray[np.uint32]]:
        """Learn from the words of N training listings, each as `word_hashes` gives them.

        Returns
        -------
        tuple
            The vocabulary, and ``uint32[v]``, ascending: the words that it would hold whichever listing were
            left out. A training listing is measured by the latter, since it knows its own words; so its
            novelty is distributed like that of a listing from outside.
        """
        together = np.concatenate(hashes) if len(hashes) else np.empty(0, dtype=np.uint32)
        found, listings = np.unique(together, return_counts=True)
        least = _LEAST_LISTINGS
        while (listings >= least).sum() > limit:
            least += 1
        return cls(found[listings >= least]), found[listings > least]


def word_hashes(listing: Listing) -> NDArray[np.uint32]:
    """Hashes of the different words of a title and description, ascending."""
    found = {crc32(word) for word in words(listing.designation) + words(listing.description)}
    return np.array(sorted(found), dtype=np.uint32)


def novelty(hashes: Sequence[NDArray[np.uint32]], known: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Share of the words of each of n listings that are not among the known ones, 0 to 1.

    Parameters
    ----------
    hashes
        Of the n listings, as `word_hashes` gives them.
    known
        ``uint32[w]``, ascending.

    Returns
    -------
    ndarray
        ``float64[m]`` of the m listings that have words, in their order.
    """
    having = [one for one in hashes if len(one)]
    if not having:
        return np.empty(0)
    together = np.concatenate(having)
    places = np.searchsorted(known, together)
    strange = np.ones(len(together))
    inside = places < len(known)
    strange[inside] = known[places[inside]] != together[inside]
    sizes = np.array([len(one) for one in having])
    starts = np.cumsum(sizes) - sizes
    return np.asarray(np.add.reduceat(strange, starts) / sizes)


def text_lengths(listings: Sequence[Listing]) -> NDArray[np.float64]:
    """Characters of title and description of each listing, ``float64[N]``."""
    return np.array([len(one.designation) + len(one.description) for one in listings], dtype=np.float64)


def languages(listings: Sequence[Listing]) -> list[str]:
    """Guessed language of each listing; see `rayon.data.languages`."""
    return [guess_language(f"{one.designation} {one.description}") for one in listings]


@dataclass(frozen=True)
class SampledParts:
    """What a random sample of listings is made of, and the values of its pictures.

    Parameters
    ----------
    parts
        Of each sampled listing ``"text and picture"``, ``"text"``, ``"picture"`` or ``"nothing"``; a picture
        that cannot be read counts as absent.
    pictures
        Name of each of `PICTURE_SIGNALS` to ``float64[p]``, of the p pictures that could be read.
    """

    parts: list[str]
    pictures: dict[str, NDArray[np.float64]]


PARTS = ("text and picture", "text", "picture", "nothing")
"""What `SampledParts.parts` consists of."""


def sample_parts(
    listings: Sequence[Listing], max_pictures: int, *, seed: int = 0, threads: int | None = None
) -> SampledParts:
    """Look at listings in random order until enough pictures are seen.

    Parameters
    ----------
    listings
        N of them.
    max_pictures
        How many pictures are opened at the most; with 0 none, and all listings count as without.
    seed
        Of the order.
    threads
        Workers that decode; the machine decides where it is not given.
    """
    drawn: list[Listing] = []
    sources: list[ImageSource | None] = []
    remaining = max_pictures
    for row in np.random.default_rng(seed).permutation(len(listings)):
        listing = listings[row]
        source = listing.image if max_pictures else None
        if source is not None:
            if not remaining:
                break
            remaining -= 1
        drawn.append(listing)
        sources.append(source)
    with ThreadPoolExecutor(threads, thread_name_prefix="rayon-signals") as pool:
        values = list(pool.map(lambda source: None if source is None else picture_values(source), sources))
    parts = [
        PARTS[(not listing.has_text) * 2 + (value is None)]
        for listing, value in zip(drawn, values, strict=True)
    ]
    read = [value for value in values if value is not None]
    return SampledParts(parts, {name: np.array([one[name] for one in read]) for name in PICTURE_SIGNALS})
