"""Why a listing got its code: the words, the region of the picture, and the nearest known listings.

Words and regions are weighed by occlusion (Zeiler and Fergus, 2014): one is taken away, and the change of
the heads' log-odds for the code is its weight. It holds for any encoder and head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rayon.data.image import decode_image
from rayon.data.listings import Listing
from rayon.data.text import TextPreprocessor
from rayon.encoders.base import Features
from rayon.encoders.views import look
from rayon.errors import ImageError, ListingError
from rayon.learning.modalities import ImageModality, TextModality, by_part
from rayon.learning.neighbours import Neighbour

if TYPE_CHECKING:
    from rayon.learning.model import ProductClassifier

MAX_WORDS = 200
"""Words weighed at the most, from the start of title and description."""

GRID = 7
"""The picture is covered cell by cell on a grid of this many rows and columns."""


@dataclass(frozen=True, slots=True)
class WordWeight:
    """How much one word speaks for the code.

    Parameters
    ----------
    field
        ``"designation"`` or ``"description"``.
    start, end
        Position of the word in that field, in characters, end excluded.
    word
        The word as it stands there.
    weight
        Log-odds that the code loses when the word is taken away; negative where it spoke against.
    """

    field: str
    start: int
    end: int
    word: str
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What speaks for and against one code of one listing.

    Parameters
    ----------
    code, label, confidence
        The code that is explained, with its calibrated probability.
    words
        In reading order; empty where there is no text.
    regions
        `GRID` rows of `GRID` log-odds from the top left, as in `WordWeight`; ``None`` without a picture.
    neighbours
        Nearest training listings, most similar first.
    scores
        Per modality, the probability of the code that it alone would give.
    """

    code: str
    label: str
    confidence: float
    words: tuple[WordWeight, ...]
    regions: tuple[tuple[float, ...], ...] | None
    neighbours: tuple[Neighbour, ...]
    scores: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)


def explain_listing(model: ProductClassifier, listing: Listing, code: Any, n_neighbours: int) -> Explanation:
    """Explain one listing; see `ProductClassifier.explain`."""
    features = _features(model, listing)
    given = model.scores([listing])
    fused = given.fused[0]
    index = int(fused.argmax()) if code is None else _index(model, str(code))
    name = model.taxonomy_.codes[index]
    words: tuple[WordWeight, ...] = ()
    regions = None
    present = [modality for modality in model.modalities_ if modality.name in features]
    if texts := [modality for modality in present if isinstance(modality, TextModality)]:
        words = _weigh_words(model, texts, listing, index)
    if images := [modality for modality in present if isinstance(modality, ImageModality)]:
        regions = _weigh_regions(model, images, listing, index)
    return Explanation(
        name,
        model.taxonomy_.label(name),
        round(float(fused[index]), 6),
        words,
        regions,
        tuple(model.neighbours_.nearest(features, n_neighbours)),
        {part: round(float(given.probabilities[part][0, index]), 6) for part in by_part(features)},
    )


def _features(model: ProductClassifier, listing: Listing) -> Mapping[str, Features]:
    features: dict[str, Features] = {}
    reasons: list[str] = []
    for modality in model.modalities_:
        encoded = modality.encode([listing])
        reasons += encoded.errors.values()
        if len(encoded.rows):
            features[modality.name] = encoded.features
    if not features:
        raise ListingError(
            reasons[0].capitalize() if reasons else "There is nothing to explain in this listing",
            "Give a title, a description or a readable picture",
        )
    return features


def _index(model: ProductClassifier, code: str) -> int:
    model.taxonomy_.require([code])
    return model.taxonomy_.codes.index(code)


def _weigh_words(
    model: ProductClassifier, modalities: Sequence[TextModality], listing: Listing, index: int
) -> tuple[WordWeight, ...]:
    preprocessor = getattr(modalities[0].encoder, "preprocessor", TextPreprocessor())
    spans = [
        (field, start, end, word)
        for field in ("designation", "description")
        for start, end, word in preprocessor.tokens(getattr(listing, field))
    ][:MAX_WORDS]
    without = [_without(listing, field, start, end) for field, start, end, _ in spans]
    odds = _mean_log_odds(
        model, {one.name: one.encoder.encode([listing, *without]) for one in modalities}, index
    )
    return tuple(
        WordWeight(field, start, end, getattr(listing, field)[start:end], round(float(odds[0] - odd), 4))
        for (field, start, end, _), odd in zip(spans, odds[1:], strict=True)
    )


def _without(listing: Listing, field: str, start: int, end: int) -> Listing:
    if field == "designation":
        return replace(listing, designation=f"{listing.designation[:start]} {listing.designation[end:]}")
    return replace(listing, description=f"{listing.description[:start]} {listing.description[end:]}")


def _weigh_regions(
    model: ProductClassifier, modalities: Sequence[ImageModality], listing: Listing, index: int
) -> tuple[tuple[float, ...], ...] | None:
    if listing.image is None:
        return None
    size = max(one.encoder.input_size for one in modalities)
    try:
        picture = decode_image(listing.image, size)
    except ImageError:
        return None
    covered = np.repeat(picture[None], GRID * GRID + 1, axis=0)
    edges = np.linspace(0, size, GRID + 1).astype(int)
    grey = picture.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    for cell in range(GRID * GRID):
        row, column = divmod(cell, GRID)
        covered[cell + 1, edges[row] : edges[row + 1], edges[column] : edges[column + 1]] = grey
    odds = _mean_log_odds(
        model,
        {one.name: one.encoder.encode(look(covered, one.encoder.input_size, "whole")) for one in modalities},
        index,
    )
    weights = np.round(odds[0] - odds[1:], 4).reshape(GRID, GRID)
    return tuple(tuple(float(weight) for weight in row) for row in weights)


def _mean_log_odds(
    model: ProductClassifier, features: Mapping[str, Features], index: int
) -> NDArray[np.float64]:
    """Log-odds of a code `float64[n]`, averaged over the modalities of a part."""
    odds = [_log_odds(model.head_proba(name, vectors), index) for name, vectors in features.items()]
    return np.asarray(np.mean(odds, axis=0))


def _log_odds(proba: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    p = np.clip(proba[:, index], 1e-9, 1 - 1e-9)
    return np.log(p) - np.log1p(-p)


def strongest(words: Sequence[WordWeight], n: int = 8) -> list[WordWeight]:
    """The ``n`` words with the largest weights, for or against, strongest first."""
    return sorted(words, key=lambda word: -abs(word.weight))[:n]
