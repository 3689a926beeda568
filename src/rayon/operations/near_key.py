"""A key that near-duplicates share, so that they do not flood the review queue."""

from __future__ import annotations

import hashlib

from rayon.data.listings import Listing
from rayon.data.shingles import words

_HASHES = 2
"""MinHash values in a key. Two titles with the Jaccard similarity J share it with probability J squared."""


def near_key(listing: Listing, image: str | None) -> str | None:
    """Give the key of a listing: of its title's words, else its description's, else its picture.

    Parameters
    ----------
    listing
        The listing.
    image
        SHA-256 of its picture; ``None`` where there is none.

    Returns
    -------
    str or None
        16 hexadecimal digits, the same on every machine; ``None`` where there is nothing to go by.

    Notes
    -----
    MinHash: A. Broder, "On the resemblance and containment of documents", 1997.
    """
    found = set(words(listing.designation)) or set(words(listing.description)[:50])
    if not found:
        return image[:16] if image else None
    values = [min(_hash(word, seed) for word in found) for seed in range(_HASHES)]
    return hashlib.blake2b(b"".join(values), digest_size=8).hexdigest()


def _hash(word: bytes, seed: int) -> bytes:
    return hashlib.blake2b(word, digest_size=8, salt=bytes([seed])).digest()
