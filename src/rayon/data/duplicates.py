"""Listings that are the same product twice, word by word or nearly so, by text and by picture."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from rayon.data.listings import Listing
from rayon.data.picture_hashes import PictureHashes, hash_pictures, near_picture_pairs
from rayon.data.shingles import near_pairs, shingle, unique_pairs, words

THRESHOLD = 0.8
"""Jaccard similarity of word shingles from which two texts are near-duplicates."""

LONG_TITLE = 6
"""Different words from which two equal titles mean one product, whatever their descriptions say."""

PLACEHOLDER = 50
"""Listings from which one picture that they share says "no picture" rather than "same product"."""


@dataclass(frozen=True)
class Duplicates:
    """Groups of duplicates among N listings by one of their parts.

    Parameters
    ----------
    exact
        `int64[N]`, group of each listing where the part is the same (for texts: but for case, accents,
        punctuation and markup). A listing without the part is alone in its group.
    near
        `int64[N]`, the same with near-duplicates; a group of `exact` lies in one group of `near`.
    """

    exact: NDArray[np.int64]
    near: NDArray[np.int64]


def duplicate_groups(
    listings: Sequence[Listing],
    *,
    text: bool = True,
    image: bool = True,
    threshold: float = THRESHOLD,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.int64]:
    """Group of each listing: those that share a text or a picture, exactly or nearly, share a group.

    Parameters
    ----------
    listings
        N listings.
    text
        Whether to compare titles and descriptions.
    image
        Whether to compare pictures, which reads and decodes each of them. Unreadable ones count as absent.
    threshold
        Jaccard similarity of word shingles from which texts are near-duplicates.
    workers
        Threads that decode pictures; ``None`` lets the machine decide.
    progress
        Called now and then with how many pictures are hashed and N.

    Returns
    -------
    ndarray
        `int64[N]`, numbered from 0 in the order of each group's first listing.
    """
    found: list[NDArray[np.int64]] = []
    if text:
        found.append(text_duplicates(listings, threshold).near)
    if image and any(listing.image is not None for listing in listings):
        hashes = hash_pictures([listing.image for listing in listings], workers=workers, progress=progress)
        found.append(picture_duplicates(hashes, placeholder=PLACEHOLDER).near)
    return merge_groups(found, len(listings))


def text_duplicates(listings: Sequence[Listing], threshold: float = THRESHOLD) -> Duplicates:
    """Duplicates by title and description; see `duplicate_groups`.

    Near-duplicates have similar words and word pairs, or the same title of at least `LONG_TITLE` different
    words.
    """
    titles: list[Hashable] = []
    exact: list[Hashable] = []

    def new_texts() -> Iterator[list[bytes]]:  # each text once: copies would fill the bands
        known: set[Hashable] = set()
        for place, listing in enumerate(listings):
            title = words(listing.designation)
            text = title + words(listing.description)
            titles.append(_digest(title) if len(set(title)) >= LONG_TITLE else place)
            exact.append(_digest(text) if text else place)
            if exact[-1] not in known:
                known.add(exact[-1])
                yield text

    shingles = shingle(new_texts())
    same = _numbered(exact)
    first = np.unique(same, return_index=True)[1]
    pairs = near_pairs(shingles, threshold)
    near = merge_groups([same, _numbered(titles), _components(first[pairs], len(listings))], len(listings))
    return Duplicates(same, near)


def _digest(text: list[bytes]) -> bytes:
    return blake2b(b" ".join(text), digest_size=16).digest()


def picture_duplicates(hashes: PictureHashes, *, placeholder: int | None = None) -> Duplicates:
    """Duplicates among n hashed pictures; see `duplicate_groups`.

    Parameters
    ----------
    hashes
        Of n pictures.
    placeholder
        Pictures that more listings than this share are taken for placeholders and join nothing.
    """
    n = len(hashes.contents)
    keys: list[Hashable] = [
        place if content is None else content for place, content in enumerate(hashes.contents)
    ]
    same = _numbered(keys)
    first, counts = np.unique(same, return_index=True, return_counts=True)[1:]
    common = counts > placeholder if placeholder is not None else np.zeros(len(counts), dtype=np.bool_)
    alone = np.where(common[same], np.arange(n) + len(counts), same)
    pairs = first[near_picture_pairs(hashes.small[first])]
    pairs = pairs[~common[same[pairs]].any(axis=1)]
    return Duplicates(_numbered(alone.tolist()), merge_groups([alone, _components(pairs, n)], n))


def merge_groups(groupings: Sequence[NDArray[np.int64]], n: int) -> NDArray[np.int64]:
    """The finest grouping of `n` listings that each of the given ones refines: `int64[n]`."""
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for grouping in groupings:
        _, first, inverse = np.unique(grouping, return_index=True, return_inverse=True)
        pairs.append(np.column_stack((np.arange(n), first[inverse])))
    return _components(unique_pairs(np.concatenate(pairs), n), n)


def _components(pairs: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    if not n:
        return np.empty(0, dtype=np.int64)
    links = sparse.coo_matrix((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    labels = connected_components(links.tocsr(), directed=False)[1]
    return _numbered(labels.tolist())


def _numbered(keys: Sequence[Hashable]) -> NDArray[np.int64]:
    numbers: dict[Hashable, int] = {}
    return np.fromiter(
        (numbers.setdefault(key, len(numbers)) for key in keys), dtype=np.int64, count=len(keys)
    )
