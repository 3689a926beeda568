"""A model on labelled catalogues that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayon.data.listings import Listing
from rayon.data.loading import Rejected, read_catalogue
from rayon.learning.crossfit import Progress
from rayon.learning.evaluation import evaluate
from rayon.learning.figures import Evaluation
from rayon.learning.model import ProductClassifier

_CHUNK = 2048


@dataclass(frozen=True)
class Evaluated:
    """The figures of a model, and what lies behind them.

    Parameters
    ----------
    evaluation
        The figures.
    listings, codes
        The N listings with their true codes.
    fused, accepted
        The N answers: probabilities `float64[N, K]` and decisions `bool[N]`.
    rejected
        Rows that were left out, with their reasons.
    missing_images
        How many listings name a picture that is not there.
    seen
        How many of the listings the model was trained on: their figures flatter it.
    """

    evaluation: Evaluation
    listings: list[Listing]
    codes: list[str]
    fused: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    rejected: list[Rejected]
    missing_images: int
    seen: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            **self.evaluation.to_dict(),
            "seen_in_training": self.seen,
            "missing_images": self.missing_images,
            "rejected": [{"source": r.source, "row": r.number, "reason": r.reason} for r in self.rejected],
        }


def evaluate_model(
    model: ProductClassifier,
    catalogues: Sequence[Path],
    progress: Progress,
    *,
    reading: Mapping[str, Any] | None = None,
) -> Evaluated:
    """Score a model on labelled catalogues, joined.

    Listings in which nothing could be used count as answered by the prior, and are never accepted.

    Parameters
    ----------
    model
        A fitted classifier.
    catalogues
        Labelled ones. Codes that the model does not know count as errors.
    progress
        Told how far each stage is.
    reading
        How to read them: the keywords ``columns``, ``images`` and ``encoding`` of `read_catalogue`.
    """
    loaded = read_catalogue(catalogues, codes="required", **(reading or {}))
    found = evaluate_on(model, loaded.listings, loaded.codes or [], progress)
    return replace(found, rejected=loaded.rejected, missing_images=loaded.missing_images)


def evaluate_on(
    model: ProductClassifier, listings: Sequence[Listing], true_codes: Sequence[str], progress: Progress
) -> Evaluated:
    """Score a model on labelled listings; see `evaluate_model`.

    Parameters
    ----------
    model
        A fitted classifier.
    listings, true_codes
        N listings and their true codes.
    progress
        Told how far each stage is.
    """
    known = {code: index for index, code in enumerate(model.taxonomy_.codes)}
    fused, accepted = [], []
    scores: dict[str, list[Any]] = {name: [] for name in model.parts_}
    for start in range(0, len(listings), _CHUNK):
        part = model.scores(listings[start : start + _CHUNK])
        fused.append(part.fused)
        accepted.append(model.policy_.accept(part.fused) & part.usable())
        for name, proba in part.probabilities.items():
            scores[name].append(proba)
        progress("Classifying", min(start + _CHUNK, len(listings)), len(listings))
    answers = np.concatenate(fused)
    decisions = np.concatenate(accepted)
    progress("Computing intervals", 0, 1)
    evaluation = evaluate(
        {name: np.concatenate(parts) for name, parts in scores.items()},
        answers,
        np.array([known.get(code, -1) for code in true_codes], dtype=np.int64),
        decisions,
        model.taxonomy_.codes,
        labels={category.code: category.label() for category in model.taxonomy_},
        true_codes=true_codes,
    )
    progress("Computing intervals", 1, 1)
    return Evaluated(
        evaluation,
        list(listings),
        list(true_codes),
        answers,
        decisions,
        [],
        0,
        sum(model.neighbours_.was_seen(listing) for listing in listings),
    )
