"""Catalogues to a model version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayon.data.listings import Listing
from rayon.data.loading import LoadedCatalogue, Rejected, read_catalogue
from rayon.data.taxonomy import Taxonomy
from rayon.learning.crossfit import Progress
from rayon.learning.model import ProductClassifier
from rayon.learning.model_files import check_model_target
from rayon.learning.storage import describe

READING = "Reading catalogues"
SEPARATING = "Leaving out golden ones"

Teachable = Callable[[Sequence[Listing]], NDArray[np.bool_]]
"""Says which of N listings may be learned from, ``bool[N]``."""


@dataclass(frozen=True)
class TrainingSummary:
    """What a training run gave.

    Parameters
    ----------
    out
        The model folder.
    model
        The content of its ``model.json``.
    rejected
        Rows that were left out, with their reasons.
    unreadable_images
        Listings whose picture could not be used.
    missing_images
        Listings that name a picture which is not there; 0 where pictures are not wanted.
    small_codes
        Codes with fewer trusted listings than the policy needs to accept them, with their number.
    left_out
        Listings that may not be learned from.
    """

    out: str
    model: dict[str, Any]
    rejected: list[Rejected]
    unreadable_images: int
    missing_images: int
    small_codes: dict[str, int]
    left_out: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "out": self.out,
            "trusted": self.model["data"]["trusted"],
            "train_only": self.model["data"]["train_only"],
            "codes": len(self.model["codes"]),
            "figures": self.model["figures"]["modalities"],
            "promise": self.model["promise"],
            "rejected": [{"source": r.source, "row": r.number, "reason": r.reason} for r in self.rejected],
            "unreadable_images": self.unreadable_images,
            "missing_images": self.missing_images,
            "small_codes": self.small_codes,
            "left_out": self.left_out,
        }


def train(
    model: ProductClassifier,
    catalogues: Sequence[Path],
    out: Path,
    progress: Progress,
    *,
    train_only: Sequence[Path] = (),
    reading: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    teachable: Teachable | None = None,
) -> TrainingSummary:
    """Train on catalogues and save the model version.

    Parameters
    ----------
    model
        An unfitted classifier. Where it has no taxonomy and all codes are Rakuten's, theirs is used.
    catalogues
        Trusted ones: their labels count as true.
    out
        The model folder to make.
    progress
        Told how far each stage is.
    train_only
        Catalogues that teach the heads and nothing else.
    reading
        How to read all of them: the keywords ``columns``, ``images`` and ``encoding`` of `read_catalogue`.
    overwrite
        Whether to replace a model that is in ``out`` already.
    teachable
        Says which listings may be learned from; all of them where it is not given.

    Raises
    ------
    RayonError
        When a catalogue, the training or the model folder fails; nothing half made stays behind.
    """
    # Before hours of work rather than after: nobody should train into a folder that refuses the result.
    check_model_target(out, overwrite)
    trusted = _read(catalogues, model.taxonomy, reading, progress)
    extra = _read(train_only, model.taxonomy, reading, progress) if train_only else None
    listings, codes = _taught(trusted, teachable, progress)
    extra_listings, extra_codes = _taught(extra, teachable, progress) if extra else ([], [])
    left_out = len(trusted) - len(listings) + (len(extra) - len(extra_listings) if extra else 0)
    if model.taxonomy is None:
        model.set_params(taxonomy=Taxonomy.known(codes + extra_codes))
    model.fit(
        listings,
        codes,
        train_only=(extra_listings, extra_codes) if extra else None,
        progress=progress,
    )
    model.fingerprint_ = (
        trusted.fingerprint if extra is None else f"{trusted.fingerprint}+{extra.fingerprint}"
    )
    model.save(out, overwrite=overwrite)
    counts = Counter(codes)
    least = model.policy_.min_code_listings
    return TrainingSummary(
        str(out),
        describe(model),
        trusted.rejected + (extra.rejected if extra else []),
        len(model.training_errors_),
        0 if model.image == "none" else trusted.missing_images + (extra.missing_images if extra else 0),
        {code: counts[code] for code in model.taxonomy_.codes if counts[code] < least},
        left_out,
    )


def _taught(
    loaded: LoadedCatalogue, teachable: Teachable | None, progress: Progress
) -> tuple[list[Listing], list[str]]:
    """The listings of a catalogue that may be learned from, and their codes."""
    codes = list(loaded.codes or [])
    if teachable is None:
        return loaded.listings, codes
    progress(SEPARATING, 0, 1)
    rows = np.flatnonzero(teachable(loaded.listings)).tolist()
    progress(SEPARATING, 1, 1)
    return [loaded.listings[row] for row in rows], [codes[row] for row in rows]


def _read(
    paths: Sequence[Path], taxonomy: Taxonomy | None, reading: Mapping[str, Any] | None, progress: Progress
) -> LoadedCatalogue:
    loaded = read_catalogue(
        paths,
        taxonomy=taxonomy,
        codes="required",
        progress=lambda done, expected: progress(READING, done, expected),
        **(reading or {}),
    )
    progress(READING, len(loaded), len(loaded))
    return loaded
