"""Two models on the same labelled listings, and the gate's word on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayon.data.listings import Listing
from rayon.data.loading import read_catalogue
from rayon.errors import CatalogueError
from rayon.learning.crossfit import Progress
from rayon.learning.gate import GoldenScores, Verdict, judge
from rayon.learning.model import ProductClassifier

_CHUNK = 2048


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the gate found.

    Parameters
    ----------
    verdict
        Check by check.
    listings
        How many listings both were scored on.
    seen
        Listings that were left out because one of the models had learned from them.
    rejected
        Rows that could not be read.
    """

    verdict: Verdict
    listings: int
    seen: int
    rejected: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        counts = {"listings": self.listings, "seen": self.seen, "rejected": self.rejected}
        return {**self.verdict.to_dict(), **counts}


def compare_models(
    champion: ProductClassifier,
    challenger: ProductClassifier,
    catalogues: Sequence[Path],
    progress: Progress,
    *,
    reading: Mapping[str, Any] | None = None,
) -> Comparison:
    """Score two models on labelled catalogues; see `compare_on`.

    Parameters
    ----------
    champion, challenger
        Fitted; their codes may differ.
    catalogues
        Labelled ones, joined.
    progress
        Told how far each stage is.
    reading
        How to read them, see `rayon.data.loading.read_catalogue`.

    Raises
    ------
    CatalogueError
        When nothing is left to compare on.
    """
    loaded = read_catalogue(catalogues, codes="required", **(reading or {}))
    found = compare_on(champion, challenger, loaded.listings, loaded.codes or [], progress)
    return replace(found, rejected=len(loaded.rejected))


def compare_on(
    champion: ProductClassifier,
    challenger: ProductClassifier,
    labelled: Sequence[Listing],
    labels: Sequence[str],
    progress: Progress,
) -> Comparison:
    """Score two models on the same labelled listings, those that neither has learned from.

    A code that one of them does not know is one that it never answers.

    Parameters
    ----------
    champion, challenger
        Fitted; their codes may differ.
    labelled, labels
        N listings and their true codes.
    progress
        Told how far each stage is.

    Raises
    ------
    CatalogueError
        When nothing is left to compare on.
    """
    fresh = [
        row
        for row, listing in enumerate(labelled)
        if not any(model.neighbours_.was_seen(listing) for model in (champion, challenger))
    ]
    if not fresh:
        raise CatalogueError(
            "No listing is left to compare on: the models have learned from all of them",
            "Give labelled listings that were kept out of training",
        )
    listings = [labelled[row] for row in fresh]
    true = [labels[row] for row in fresh]
    codes = list(dict.fromkeys([*champion.taxonomy_.codes, *challenger.taxonomy_.codes, *true]))
    index = {code: column for column, code in enumerate(codes)}
    y = np.array([index[code] for code in true], dtype=np.int64)
    before = _score(champion, listings, index, "Scoring the champion", progress)
    after = _score(challenger, listings, index, "Scoring the challenger", progress)
    verdict = judge(y, before, after, codes)
    return Comparison(verdict, len(y), len(labelled) - len(y), 0)


def _score(
    model: ProductClassifier,
    listings: Sequence[Listing],
    index: Mapping[str, int],
    stage: str,
    progress: Progress,
) -> GoldenScores:
    columns = [index[code] for code in model.taxonomy_.codes]
    proba: NDArray[np.float64] = np.zeros((len(listings), len(index)))
    accepted = np.zeros(len(listings), dtype=bool)
    for start in range(0, len(listings), _CHUNK):
        part = model.scores(listings[start : start + _CHUNK])
        stop = start + len(part.fused)
        proba[start:stop, columns] = part.fused
        accepted[start:stop] = model.policy_.accept(part.fused) & part.usable()
        progress(stage, stop, len(listings))
    return GoldenScores(proba, accepted, model.precision)
