"""Hashed word and character n-grams of title and description.

The n-grams are those of scikit-learn's ``word`` and ``char_wb`` analysers. They are hashed (Weinberger et
al., 2009) by polynomial rolling hashes (Karp and Rabin, 1987) over the code points of many listings at once,
so that nothing runs once per word in Python, and nothing has to be learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rayon.data.listings import Listing
from rayon.data.text import TextPreprocessor
from rayon.encoders.style import OPENING_CHARS, letter_counts, traits
from rayon.errors import ModelError

Keys = NDArray[np.uint64]

CHUNK_CHARS = 1 << 16
"""Characters hashed at a time: few enough for their arrays to stay in the processor's cache."""

_CHUNK_LISTINGS = 1 << 13
_CHUNKS_AT_ONCE = 64
_SPACE = 32
_ONE = np.uint64(1)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio (Knuth, 1973): mixes into the high bits
_CHAR_BASE = np.uint32(0x01000193)
_WORD_BASE = 0x5851F42D4C957F2D
_PAIR_BASE = np.uint64(0xC2B2AE3D27D4EB4F)
_LONGEST_WORD = 64
_EDGES = np.array([1 << 40, 2 << 40], np.uint64)
_TRAIT = np.uint64(3 << 40)
_REACH = 10
_OPENING = 16
# The place before a word holds the space, which must not count.
_POWERS = np.array([0, *(pow(_WORD_BASE, i, 1 << 64) for i in range(_LONGEST_WORD))], dtype=np.uint64)


def word_columns(dimension: int) -> slice:
    """Where an `NgramEncoder` of this dimension counts words and pairs; the other columns are characters."""
    return slice(0, dimension >> 1)


class NgramEncoder:
    """Counts of hashed n-grams: words, pairs of words, and characters within words.

    Two kinds of pairs are counted: neighbours, in their order, throughout; and, among the first words of a
    text, any two that stand close to each other, in either order (skip-bigrams, Guthrie et al., 2006). A
    title names a product by a few words with fillers between them, and their combination tells the code
    where each alone does not.

    With ``style``, the first and the last word of a listing count as such too, and so do the `traits` of how
    it is written.

    The first half of the columns is for words, pairs of words and style, the second for characters. Title and
    description share columns; where there are both, an n-gram of the title counts several times, so that the
    title keeps its weight beside a long description.

    Parameters
    ----------
    bits
        There are 2 ** bits columns.
    chars
        Shortest and longest character n-gram, 2 to 8; the space before and after a word is part of it.
    pairs
        Whether pairs of neighbouring words count.
    reach
        How far apart two words of the opening may stand to count as a pair in either order; 1 for
        neighbours only, 0 for none.
    opening
        How many words of a title or description make up its opening.
    style
        Whether to count how the listing is written.
    preprocessor
        Cleans the texts.
    title_weight
        How often an n-gram of the title counts where there is a description too.
    threads
        Worker threads for many listings; numpy lets go of the interpreter's lock. The result does not
        depend on it.

    Raises
    ------
    ModelError
        When the number of bits or the lengths of the n-grams are out of bounds.
    """

    name = "ngrams"

    def __init__(
        self,
        bits: int = 21,
        chars: tuple[int, int] = (3, 4),
        pairs: bool = True,
        reach: int = _REACH,
        opening: int = _OPENING,
        style: bool = True,
        preprocessor: TextPreprocessor | None = None,
        title_weight: int = 3,
        threads: int = 2,
    ) -> None:
        if not 8 <= bits <= 30:
            raise ModelError(
                f"The text encoder cannot have {bits} bits, only 8 to 30", "The usual number is 21"
            )
        if not 2 <= chars[0] <= chars[1] <= 8:
            raise ModelError(
                f"The text encoder cannot count character n-grams of {chars[0]} to {chars[1]}",
                "Give the shortest and the longest, from 2 to 8",
            )
        if not 0 <= reach <= 64 or opening < 0:
            raise ModelError(
                f"The text encoder cannot pair words {reach} apart in an opening of {opening}",
                "Give a reach from 0 to 64 and an opening of 0 words or more",
            )
        self.bits = bits
        self.chars = chars
        self.pairs = pairs
        self.reach = reach
        self.opening = opening
        self.style = style
        self.preprocessor = preprocessor or TextPreprocessor()
        self.title_weight = title_weight
        self.threads = threads

    @property
    def dimension(self) -> int:
        """Number of columns, d."""
        return 1 << self.bits

    def encode(self, listings: Sequence[Listing]) -> sparse.csr_matrix:
        """Count the n-grams of `n` listings.

        Returns
        -------
        csr_matrix
            `float32[n, d]`, sorted and without duplicates; a listing without text gives a row of zeros.
            A row does not depend on the other listings.
        """
        chunks = self._chunks(listings)
        if len(listings) <= 256 or self.threads < 2:
            parts = [self._count(chunk) for chunk in chunks]
        else:
            parts = []
            with ThreadPoolExecutor(self.threads, thread_name_prefix="rayon-text") as pool:
                # Made while others are counted, chunks would keep the interpreter busy and hold those up.
                while some := list(islice(chunks, _CHUNKS_AT_ONCE)):
                    parts += pool.map(self._count, some)
        return _assemble(parts, self.dimension)

    def spec(self) -> dict[str, Any]:
        """JSON-ready description from which `from_spec` makes the same encoder."""
        return {
            "name": self.name,
            "bits": self.bits,
            "chars": list(self.chars),
            "pairs": self.pairs,
            "reach": self.reach,
            "opening": self.opening,
            "style": self.style,
            "title_weight": self.title_weight,
            "preprocessor": self.preprocessor.to_dict(),
        }

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Self:
        """Make the encoder that gave this description.

        Raises
        ------
        ModelError
            When the description is of another encoder or has unknown parts.
        """
        parts = dict(spec)
        if parts.pop("name", None) != cls.name:
            raise ModelError(
                f"The text encoder {spec.get('name')!r} is not {cls.name!r}", "The model needs another Rayon"
            )
        if missing := sorted(set(cls().spec()) - set(spec)):
            raise ModelError(
                f"The description of the text encoder lacks {missing[0]!r}", "Train the model again"
            )
        try:
            preprocessor = TextPreprocessor(**parts.pop("preprocessor"))
            chars = parts.pop("chars")
            return cls(chars=(int(chars[0]), int(chars[1])), preprocessor=preprocessor, **parts)
        except (TypeError, KeyError, ValueError, IndexError) as error:
            raise ModelError(
                f"The description of the text encoder cannot be used ({error})",
                "The model needs another Rayon",
            ) from None

    def _chunks(self, listings: Sequence[Listing]) -> Iterator[_Chunk]:
        chunk = _Chunk()
        for listing in listings:
            chunk.add(listing, self.preprocessor.title(listing), self.preprocessor.description(listing))
            if chunk.is_full:
                yield chunk
                chunk = _Chunk()
        if chunk.n:
            yield chunk

    def _count(self, chunk: _Chunk) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Row lengths, columns and weighted counts of one chunk."""
        keys = self._keys(chunk)
        keys.sort()
        places = keys >> _ONE
        first = np.flatnonzero(np.concatenate((keys[:1] == keys[:1], places[1:] != places[:-1])))
        counts = np.diff(first, append=len(keys))
        if chunk.has_weights and len(keys):
            counts += np.add.reduceat(keys & _ONE, first).astype(np.int64) * (self.title_weight - 1)
        distinct = places[first]
        lengths = np.bincount((distinct >> np.uint64(self.bits)).astype(np.int64), minlength=chunk.n)
        columns = (distinct & np.uint64(self.dimension - 1)).astype(np.int32)
        return lengths, columns, counts.astype(np.float32)

    def _keys(self, chunk: _Chunk) -> Keys:
        """``(row << bits | column) << 1 | counts as title`` of every n-gram of the texts, unsorted."""
        codes = _code_points(f" {' '.join(chunk.texts)} ")
        sizes = np.fromiter(map(len, chunk.texts), np.int64, len(chunk.texts)) + 1
        places = (np.array(chunk.rows, np.uint64) << np.uint64(self.bits + 1)) + np.array(
            chunk.weighted, np.uint64
        )
        bases = np.repeat(places, sizes)
        spaces = np.flatnonzero(codes == _SPACE)
        gaps = np.diff(spaces)
        to_space = np.repeat(spaces[1:], gaps) - np.arange(len(codes) - 1)
        in_word = np.repeat(gaps, gaps) - to_space
        words = np.add.reduceat(codes[:-1] * _POWERS[np.minimum(in_word, _LONGEST_WORD)], spaces[:-1])
        full = gaps > 1
        keys = self._word_keys(chunk, words[full], bases[spaces[:-1][full]])
        to_space[spaces[:-1][~full]] = 0  # nothing starts at the space of an empty text
        keys += self._char_keys(codes, bases, to_space)
        return np.concatenate(keys)

    def _word_keys(self, chunk: _Chunk, words: Keys, bases: Keys) -> list[Keys]:
        keys = [self._columns(words) + bases]
        if self.pairs:
            same = bases[1:] == bases[:-1]
            keys.append(self._columns((words[:-1] * _PAIR_BASE + words[1:])[same]) + bases[1:][same])
        if self.reach:
            keys.append(self._skip_keys(chunk, words, bases))
        if self.style and chunk.leads:
            keys += self._style_keys(chunk, words)
        return keys

    def _skip_keys(self, chunk: _Chunk, words: Keys, bases: Keys) -> Keys:
        """Keys of pairs of words, in either order, that stand near each other in the opening of a text."""
        ends = np.cumsum(chunk.n_words)
        opens = np.arange(len(words)) < np.repeat(ends - chunk.n_words + self.opening, chunk.n_words)
        words, bases = words[opens] * _SPREAD, bases[opens]
        words ^= words >> np.uint64(
            32
        )  # the sums of plain hashes meet: "1ab" and "2" give that of "2ab" and "1"
        partners = np.arange(len(words)) + np.arange(1, self.reach + 1)[:, None]
        near = (bases.take(partners, mode="clip") == bases) & (partners < len(words))
        other = words.take(partners, mode="clip")
        keys: Keys = (self._columns(words + other) + bases)[near]
        return keys

    def _style_keys(self, chunk: _Chunk, words: Keys) -> list[Keys]:
        """Keys of the first and last word of each listing's first text, and of its traits, counted once."""
        leads = np.array(chunk.leads, np.int64)
        rows = leads[:, 0].astype(np.uint64) << np.uint64(self.bits + 1)
        edges = words[leads[:, 1:3]] * _PAIR_BASE + _EDGES
        counts = np.hstack((leads[:, 3:], letter_counts(chunk.openings)))
        hashes = np.hstack((edges, (traits(counts).astype(np.uint64) + _TRAIT) * _PAIR_BASE))
        return [(self._columns(hashes) + rows[:, None]).ravel()]

    def _char_keys(self, codes: NDArray[np.uint32], bases: Keys, to_space: NDArray[np.int64]) -> list[Keys]:
        half = np.uint64(self.dimension)  # half of the columns, moved by the bit of the title
        shortest, longest = self.chars
        keys = []
        rolling = codes
        for n in range(2, longest + 1):
            rolling = rolling[:-1] * _CHAR_BASE + codes[n - 1 :]
            if n >= shortest:
                inside = to_space[: len(rolling)] >= n - 1
                columns = self._columns(rolling[inside] + np.uint64(n << 40))
                keys.append(columns + half + bases[: len(rolling)][inside])
        return keys

    def _columns(self, hashes: Keys) -> Keys:
        """Columns within one half of them, moved by the bit of the title."""
        return hashes * _SPREAD >> np.uint64(64 - self.bits + 1) << _ONE


class _Chunk:
    """Some listings' texts: one each, or two where there are both a title and a description.

    ``n_words`` goes with ``texts``. ``leads`` has a row for each listing with text: its number, the places of
    the first and the last word of its first text, and how many words and characters its texts have.
    ``openings`` are those first texts, as they came and as far as `letter_counts` looks.
    """

    def __init__(self) -> None:
        self.n = 0
        self.texts: list[str] = []
        self.rows: list[int] = []
        self.weighted: list[bool] = []
        self.n_words: list[int] = []
        self.leads: list[tuple[int, ...]] = []
        self.openings: list[str] = []
        self._size = 0
        self._words = 0

    def add(self, listing: Listing, title: str, description: str) -> None:
        """Take one more listing, as it came and with its texts normalised."""
        both = bool(title and description)
        begin, size = self._words, self._size
        self._append(title or description, weighted=both)
        end = self._words
        if both:
            self._append(description, weighted=False)
        if end > begin:
            self.leads.append((self.n, begin, end - 1, self._words - begin, self._size - size))
            self.openings.append((listing.designation if title else listing.description)[:OPENING_CHARS])
        self.n += 1

    def _append(self, text: str, *, weighted: bool) -> None:
        n_words = text.count(" ") + 1 if text else 0
        self.texts.append(text)
        self.rows.append(self.n)
        self.weighted.append(weighted)
        self.n_words.append(n_words)
        self._words += n_words
        self._size += len(text) + 1

    @property
    def is_full(self) -> bool:
        return self._size >= CHUNK_CHARS or self.n == _CHUNK_LISTINGS

    @property
    def has_weights(self) -> bool:
        return len(self.texts) > self.n


def _code_points(text: str) -> NDArray[np.uint32]:
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8).astype(np.uint32)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _assemble(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]], dimension: int
) -> sparse.csr_matrix:
    if not parts:
        return sparse.csr_matrix(np.zeros((0, dimension), np.float32))
    lengths, columns, counts = (
        parts[0] if len(parts) == 1 else (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    )
    indptr = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=indptr[1:])
    if len(columns) < 1 << 31:
        indptr = indptr.astype(np.int32)
    shape = (len(lengths), dimension)
    matrix = sparse.csr_matrix((counts, columns, indptr), shape=shape, copy=False)
    matrix.has_sorted_indices = True
    matrix.has_canonical_format = True
    return matrix
