"""Two models on the same labelled listings, and the gate's word on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayon.data.listings import Listing
from rayon.data.taxonomy_change import MappedCode, TaxonomyChange
from rayon.errors import CatalogueError
from rayon.learning.crossfit import Progress
from rayon.learning.gate import GateThresholds, GoldenScores, Verdict, judge
from rayon.learning.model import ProductClassifier

_CHUNK = 512


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
    retired
        Listings that were left out because their code was retired, so that no answer can be right.
    """

    verdict: Verdict
    listings: int
    seen: int
    rejected: int
    retired: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        names = ("listings", "seen", "rejected", "retired")
        return {**self.verdict.to_dict(), **{name: getattr(self, name) for name in names}}


def compare_on(
    champion: ProductClassifier,
    challenger: ProductClassifier,
    labelled: Sequence[Listing],
    labels: Sequence[str],
    progress: Progress,
    change: TaxonomyChange | None = None,
    thresholds: GateThresholds | None = None,
) -> Comparison:
    """Score two models on the same labelled listings, those that neither has learned from.

    A code that one of them does not know is one that it never answers. Across a change of the taxonomy, codes
    that were merged or split count as one, with the sum of their probabilities, see `TaxonomyChange.groups`:
    what the challenger alone can tell apart speaks neither for nor against it.

    Parameters
    ----------
    champion, challenger
        Fitted; their codes may differ.
    labelled, labels
        N listings and their true codes, from before or after the change.
    progress
        Told how far each stage is.
    change
        What became of the champion's codes, where the challenger knows others.
    thresholds
        What the gate asks for.

    Raises
    ------
    CatalogueError
        When nothing is left to compare on.
    TaxonomyError
        When a code means one thing before the change and another after it.
    """
    groups = (change or TaxonomyChange()).groups(champion.taxonomy_.codes, challenger.taxonomy_.codes)
    mapped = [groups.get(label) or MappedCode((label,), (label,)) for label in labels]
    fresh = [
        row
        for row, listing in enumerate(labelled)
        if not any(model.neighbours_.was_seen(listing) for model in (champion, challenger))
    ]
    judged = [row for row in fresh if not mapped[row].retired]
    if not judged:
        why = "their codes were retired" if fresh else "the models have learned from all of them"
        raise CatalogueError(
            f"No listing is left to compare on: {why}",
            "Give labelled listings that were kept out of training",
        )
    listings = [labelled[row] for row in judged]
    true = [mapped[row] for row in judged]
    known = (groups[code] for model in (champion, challenger) for code in model.taxonomy_.codes)
    columns = {one: column for column, one in enumerate(dict.fromkeys([*known, *true]))}
    column_of = {code: columns[one] for code, one in groups.items() if one in columns}
    y = np.array([columns[one] for one in true], dtype=np.int64)
    before = _score(champion, listings, column_of, len(columns), "Scoring the champion", progress)
    after = _score(challenger, listings, column_of, len(columns), "Scoring the challenger", progress)
    verdict = judge(y, before, after, [one.name for one in columns], thresholds)
    return Comparison(verdict, len(y), len(labelled) - len(fresh), 0, len(fresh) - len(judged))


def _score(
    model: ProductClassifier,
    listings: Sequence[Listing],
    column_of: Mapping[str, int],
    n_columns: int,
    stage: str,
    progress: Progress,
) -> GoldenScores:
    columns = [column_of[code] for code in model.taxonomy_.codes]
    proba: NDArray[np.float64] = np.zeros((len(listings), n_columns))
    accepted = np.zeros(len(listings), dtype=bool)
    for start in range(0, len(listings), _CHUNK):
        part = model.scores(listings[start : start + _CHUNK])
        stop = start + len(part.fused)
        np.add.at(proba[start:stop].T, columns, part.fused.T)
        accepted[start:stop] = model.policy_.accept(part.fused) & part.usable()
        progress(stage, stop, len(listings))
    return GoldenScores(proba, accepted, model.precision)
