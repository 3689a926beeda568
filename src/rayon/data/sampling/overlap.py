"""Whether a text shares most of its words with one of many others."""

from __future__ import annotations

import html
import math
import re
from collections import defaultdict

from rayon.data.sampling.text import without_accents

_WORD = re.compile(r"[a-z0-9]+")
_TAG = re.compile(r"<[^>]*>")


class WordOverlap:
    """Finds texts with a word-set Jaccard similarity of at least `threshold`.

    Two such sets share at least ``threshold * n`` of the `n` words of either, so that it is enough to look
    at texts with one of the rarest words of a query (prefix filtering: Bayardo, Ma and Srikant, "Scaling Up
    All Pairs Similarity Search", 2007).
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._texts: list[frozenset[str]] = []
        self._places: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, text: str) -> None:
        """Remember a text; one without words is passed over."""
        words = _words(text)
        for word in words:
            self._places[word].append(len(self._texts))
        if words:
            self._texts.append(words)

    def has_like(self, text: str) -> bool:
        """Whether a remembered text is that similar to this one."""
        words = _words(text)
        by_rarity = sorted(words, key=lambda word: (len(self._places.get(word, ())), word))
        prefix = by_rarity[: len(words) - math.ceil(self._threshold * len(words)) + 1]
        places = {place for word in prefix for place in self._places.get(word, ())}
        return any(self._similar(words, self._texts[place]) for place in places)

    def _similar(self, one: frozenset[str], other: frozenset[str]) -> bool:
        shared = len(one & other)
        return shared >= self._threshold * (len(one) + len(other) - shared)


def _words(text: str) -> frozenset[str]:
    plain = _TAG.sub(" ", html.unescape(html.unescape(text)))
    return frozenset(_WORD.findall(without_accents(plain).lower()))
