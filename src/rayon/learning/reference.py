"""What the listings that a model learned from look like, and how others are counted against them.

Values become counts in bins that the training listings fix. Their ends are quantiles, closer together where a
change is expected to show: new products make up a small share of the listings, whose words are strange and
whose answers are unsure. Counts of the same bins can be compared with each other, those of two months too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rayon.data.languages import LANGUAGES, OTHER, UNKNOWN
from rayon.data.listings import Listing
from rayon.errors import ModelError, RayonError
from rayon.learning.histograms import Histogram, SignalCounts, interval_edges, interval_labels
from rayon.learning.picture_statistics import PICTURE_SIGNALS
from rayon.learning.signals import (
    PARTS,
    Vocabulary,
    languages,
    novelty,
    sample_parts,
    text_lengths,
    word_hashes,
)

SURE = "(sure)"
"""The bin of ``doubtful_codes`` for the answers that are not among the most doubtful of training."""

OTHERS = "(others)"
"""The bin of the codes that training hardly ever predicts."""

TEXT_SIGNALS = ("text_length", "language", "novelty")
"""Names of what is measured of the texts."""

TRAINING_TEXTS = 10_000
TRAINING_PICTURES = 3_000
LIVE_PICTURES = 2_000

_DOUBTFUL = 0.4
_RARE = 0.002
_BOTH_TAILS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_QUANTILES: Mapping[str, Sequence[float]] = {
    "text_length": (0.05, 0.25, 0.5, 0.75, 0.95),
    "novelty": (0.5, 0.8, 0.95, 0.99),
    "confidence": (0.01, 0.05, 0.2, 0.5),
    **dict.fromkeys(PICTURE_SIGNALS, _BOTH_TAILS),
}
_DIGITS = 6  # of a confidence, as predictions give it

Values = dict[str, NDArray[np.float64] | Sequence[str]]
"""Name of a signal to the values of the listings that have it: numbers, or categories."""


@dataclass(frozen=True)
class Reference:
    """Bins of each signal, the words that are known, and the counts of the training listings.

    Parameters
    ----------
    edges
        Signal to the inner ends of its intervals, ``float64[b]`` ascending; an interval holds its upper end.
    categories
        Signal to its categories, the most frequent one of training first; what is none of them is counted
        under `OTHERS` if that is among them, and otherwise not at all.
    vocabulary
        The words that training knows.
    doubtful_below
        Confidence up to which an answer is among the most doubtful two fifths of training.
    counts
        Of the training listings.
    """

    edges: dict[str, NDArray[np.float64]]
    categories: dict[str, tuple[str, ...]]
    vocabulary: Vocabulary
    doubtful_below: float
    counts: SignalCounts

    @classmethod
    def learn(
        cls,
        listings: Sequence[Listing],
        rows: NDArray[np.intp],
        confidence: NDArray[np.float64],
        codes: Sequence[str],
        modalities: Sequence[str],
        *,
        seed: int = 0,
        threads: int | None = None,
    ) -> Self:
        """Measure the training listings.

        Parameters
        ----------
        listings
            All N that the model learned from, train-only ones too: their words are known.
        rows
            ``int[M]``, the trusted ones among them; these make the distributions.
        confidence, codes
            ``float64[M]`` and M codes: what the trusted listings are answered by models that never saw them.
        modalities
            ``"text"``, ``"image"`` or both: what the model looks at.
        seed
            Of the random samples.
        threads
            Workers that decode pictures.
        """
        confidence = np.round(confidence, _DIGITS)
        hashes = [word_hashes(one) for one in listings] if "text" in modalities else []
        vocabulary, known_to_others = Vocabulary.learn(hashes)
        rng = np.random.default_rng(seed)
        drawn = np.sort(rng.choice(rows, min(len(rows), TRAINING_TEXTS), replace=False))
        doubtful_below = float(np.quantile(confidence, _DOUBTFUL, method="inverted_cdf"))
        values = _answer_values(confidence, codes, doubtful_below)
        if "text" in modalities:
            texts = [listings[row] for row in drawn if listings[row].has_text]
            own = [hashes[row] for row in drawn]
            values |= _text_values(texts, novelty(own, known_to_others))
        pictures = TRAINING_PICTURES if "image" in modalities else 0
        values |= _part_values([listings[row] for row in rows], pictures, seed, threads)
        edges = {
            name: interval_edges(np.asarray(value, dtype=np.float64), _QUANTILES[name])
            for name, value in values.items()
            if name in _QUANTILES
        }
        categories = {
            name: _categories(name, [str(one) for one in value])
            for name, value in values.items()
            if name not in _QUANTILES
        }
        empty = cls(edges, categories, vocabulary, doubtful_below, SignalCounts({}))
        return cls(edges, categories, vocabulary, doubtful_below, empty.count(values))

    @property
    def has_text(self) -> bool:
        """Whether texts are measured."""
        return "novelty" in self.edges

    @property
    def has_pictures(self) -> bool:
        """Whether pictures are measured."""
        return "brightness" in self.edges

    def count(self, values: Values) -> SignalCounts:
        """Count values in the bins of their signals; signals that training lacks are left out."""
        found = {}
        for name, value in values.items():
            if name in self.edges:
                edges = self.edges[name]
                places = np.searchsorted(edges, np.asarray(value, dtype=np.float64), side="left")
                labels = interval_labels(edges)
            elif name in self.categories:
                labels = self.categories[name]
                place = {label: index for index, label in enumerate(labels)}
                other = place.get(OTHERS, -1)
                places = np.array([place.get(str(one), other) for one in value], dtype=np.int64)
                places = places[places >= 0]
            else:
                continue
            found[name] = Histogram(labels, np.bincount(places, minlength=len(labels)).astype(np.int64))
        return SignalCounts(found)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays without Python objects."""
        arrays: dict[str, NDArray[Any]] = {
            "known": self.vocabulary.known,
            "doubtful_below": np.array(self.doubtful_below),
        }
        arrays |= {f"edges_{name}": edges for name, edges in self.edges.items()}
        arrays |= {f"labels_{name}": np.array(one, dtype=np.str_) for name, one in self.categories.items()}
        arrays |= {f"counts_{name}": one.counts for name, one in self.counts.histograms.items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Make the reference again from what `to_arrays` gave.

        Raises
        ------
        ModelError
            When counts and bins differ in number.
        """

        def named(prefix: str) -> dict[str, NDArray[Any]]:
            return {key.removeprefix(prefix): one for key, one in arrays.items() if key.startswith(prefix)}

        edges = named("edges_")
        categories = {name: tuple(one.tolist()) for name, one in named("labels_").items()}
        labels = {name: interval_labels(one) for name, one in edges.items()} | categories
        counts = named("counts_")
        if any(len(labels[name]) != len(one) for name, one in counts.items()):
            raise ModelError("The reference of the model has other counts than bins", "Train it again")
        histograms = {name: Histogram(labels[name], one) for name, one in counts.items()}
        return cls(
            edges,
            categories,
            Vocabulary(arrays["known"]),
            float(arrays["doubtful_below"]),
            SignalCounts(histograms),
        )


def measure_signals(
    listings: Sequence[Listing],
    reference: Reference,
    *,
    confidence: NDArray[np.float64] | None = None,
    codes: Sequence[str] | None = None,
    max_pictures: int = LIVE_PICTURES,
    seed: int = 0,
    threads: int | None = None,
) -> SignalCounts:
    """Count live listings and answers in the bins of the reference.

    Parameters
    ----------
    listings
        N of them. All texts are measured, and the pictures of a random sample.
    reference
        Of the model that answered.
    confidence, codes
        ``float64[P]`` and P codes, of P answers, which need not be those of the listings. An answer without a
        code (nothing could be classified) is left out.
    max_pictures
        How many pictures are read at the most.
    seed
        Of the sample.
    threads
        Workers that decode pictures.

    Raises
    ------
    RayonError
        When confidence and codes differ in number.
    """
    values: Values = {}
    if reference.has_text:
        texts = [listing for listing in listings if listing.has_text]
        hashes = [word_hashes(listing) for listing in texts]
        values |= _text_values(texts, novelty(hashes, reference.vocabulary.known))
    values |= _part_values(listings, max_pictures if reference.has_pictures else 0, seed, threads)
    if confidence is not None and codes is not None:
        values |= _answer_values(confidence, codes, reference.doubtful_below)
    elif confidence is not None:
        values["confidence"] = confidence
    elif codes is not None:
        values["codes"] = [code for code in codes if code]
    return reference.count(values)


def _text_values(texts: Sequence[Listing], strange: NDArray[np.float64]) -> Values:
    return dict(zip(TEXT_SIGNALS, (text_lengths(texts), languages(texts), strange), strict=True))


def _part_values(listings: Sequence[Listing], pictures: int, seed: int, threads: int | None) -> Values:
    sampled = sample_parts(listings, pictures, seed=seed, threads=threads)
    return {"parts": sampled.parts, **(sampled.pictures if pictures else {})}


def _answer_values(confidence: NDArray[np.float64], codes: Sequence[str], doubtful_below: float) -> Values:
    if len(confidence) != len(codes):
        raise RayonError(
            f"There are {len(confidence)} confidences and {len(codes)} codes",
            "Give the confidence and the code of the same answers",
        )
    given = [code for code in codes if code]
    sure = confidence[np.array([bool(code) for code in codes], dtype=np.bool_)]
    doubtful = [
        code if value <= doubtful_below else SURE for code, value in zip(given, sure.tolist(), strict=True)
    ]
    return {"confidence": sure, "codes": given, "doubtful_codes": doubtful}


def _categories(name: str, values: Sequence[str]) -> tuple[str, ...]:
    fixed = {"language": (*LANGUAGES, OTHER, UNKNOWN), "parts": PARTS}.get(name)
    found, counts = np.unique(np.array(values, dtype=np.str_), return_counts=True)
    share = dict(zip(found.tolist(), (counts / max(len(values), 1)).tolist(), strict=True))
    if fixed is not None:
        return tuple(sorted(fixed, key=lambda label: -share.get(label, 0.0)))
    frequent = [label for label in share if share[label] >= _RARE and label != OTHERS]
    return (*sorted(frequent, key=lambda label: -share[label]), OTHERS)
