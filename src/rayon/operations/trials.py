"""Two models tried on what they cost and how they answer, apart from whether they are right."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rayon.data.listings import Listing
from rayon.learning.budgets import check_form, check_latency, check_size
from rayon.learning.crossfit import Progress
from rayon.learning.gate import Check
from rayon.learning.model import ProductClassifier
from rayon.learning.prediction import Prediction
from rayon.operations.smoke import run_smoke_set

TIMED = 16
"""So many listings are timed."""
_ROUNDS = 4


def try_out(
    champion: ProductClassifier,
    challenger: ProductClassifier,
    folders: tuple[Path, Path],
    listings: Sequence[Listing],
    progress: Progress,
) -> tuple[Check, ...]:
    """Compare the time and the room that two models take, and the form of their answers.

    Parameters
    ----------
    champion, challenger
        Loaded without a cache of vectors, which would hide what pictures cost. The smoke set warms them up.
    folders
        Where both lie.
    listings
        Some of these are timed, each on its own.
    progress
        Told how far it is.

    Raises
    ------
    ModelError
        When one of them does not answer the smoke set.
    """
    forms = [[_form(one) for one in run_smoke_set(model)] for model in (champion, challenger)]
    timed = _spread(listings, TIMED)
    seconds = time_listings((champion, challenger), timed, progress)
    sizes = [sum(path.stat().st_size for path in folder.iterdir()) for folder in folders]
    return (
        check_latency(seconds[0], seconds[1], len(timed)),
        check_size(sizes[0], sizes[1]),
        check_form(forms[0], forms[1]),
    )


def time_listings(
    models: Sequence[ProductClassifier], listings: Sequence[Listing], progress: Progress
) -> list[float]:
    """Median over listings of the seconds that each model takes for one.

    The models take turns on every listing, and the best of several rounds counts: whatever else the machine
    does delays both, and rarely every round.
    """
    best = np.full((len(listings), len(models)), np.inf)
    for row, listing in enumerate(listings):
        for _ in range(_ROUNDS):
            for column, model in enumerate(models):
                start = time.perf_counter()
                model.decide([listing])
                best[row, column] = min(best[row, column], time.perf_counter() - start)
        progress("Timing both", row + 1, len(listings))
    return [float(seconds) for seconds in np.median(best, axis=0)]


def _spread(listings: Sequence[Listing], most: int) -> list[Listing]:
    """Some listings from everywhere, those with a picture as often as they are."""
    chosen = np.linspace(0, len(listings) - 1, min(most, len(listings))).round().astype(int)
    return [listings[row] for row in chosen.tolist()]


def _form(answer: Prediction) -> dict[str, Any]:
    """What programs that read the answers rely on, whatever the code is."""
    return {
        "fields": sorted(answer.to_dict()),
        "answered": bool(answer.code),
        "modalities": list(answer.modalities),
        "scores": sorted(answer.scores),
        "degraded": answer.degraded,
    }
