"""Catalogues to a model version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayon.data.listings import Listing
from rayon.data.loading import LoadedCatalogue, Rejected, read_catalogue
from rayon.data.taxonomy import Taxonomy
from rayon.errors import OutputError
from rayon.learning.crossfit import Progress
from rayon.learning.modalities import IMAGE
from rayon.learning.model import ProductClassifier
from rayon.learning.model_files import check_model_target
from rayon.learning.storage import cross_fitted_evaluation, describe
from rayon.operations.tracking import NoTracker, Tracker
from rayon.reports.evaluation import write_evaluation_report

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
    feedback: Sequence[Path] = (),
    tracker: Tracker | None = None,
    parent: str | None = None,
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
        How to read them: the keywords ``columns``, ``images`` and ``encoding`` of `read_catalogue`.
    overwrite
        Whether to replace a model that is in ``out`` already.
    teachable
        Says which listings may be learned from; all of them where it is not given.
    feedback
        Catalogues that `take_snapshot` made; trusted, and read in their own way.
    tracker
        Told of the training once the catalogues are read, and of how it ended.
    parent
        The champion that the model is to replace, for the tracker.

    Raises
    ------
    RayonError
        When a catalogue, the training or the model folder fails; nothing half made stays behind.
    """
    # Before hours of work rather than after: nobody should train into a folder that refuses the result.
    check_model_target(out, overwrite)
    trusted = [_read(catalogues, model.taxonomy, reading, progress)]
    trusted += [_read(feedback, model.taxonomy, None, progress)] if feedback else []
    extra = [_read(train_only, model.taxonomy, reading, progress)] if train_only else []
    listings, codes = _taught(trusted, teachable, progress)
    extra_listings, extra_codes = _taught(extra, teachable, progress)
    read = [*trusted, *extra]
    left_out = sum(map(len, read)) - len(listings) - len(extra_listings)
    if model.taxonomy is None:
        model.set_params(taxonomy=Taxonomy.known(codes + extra_codes))
    tracker = tracker or NoTracker()
    tracker.started(
        out.absolute().name,
        {
            **_chosen(model),
            "catalogues": [str(path) for path in catalogues],
            "train_only": [str(path) for path in train_only],
            "listings": len(listings),
        },
        parent=parent,
    )
    try:
        model.fit(
            listings,
            codes,
            train_only=(extra_listings, extra_codes) if extra else None,
            progress=progress,
            on_epoch=tracker.epoch,
        )
        model.fingerprint_ = "+".join(one.fingerprint for one in read)
        model.save(out, overwrite=overwrite)
    except BaseException as error:
        tracker.failed(error)
        raise
    for folder in model.training_folders_:
        folder.remove()
    document = describe(model)
    _tell(tracker, model, out, document)
    counts = Counter(codes)
    least = model.policy_.min_code_listings
    return TrainingSummary(
        str(out),
        document,
        [row for one in read for row in one.rejected],
        len(model.training_errors_),
        0 if IMAGE not in model.parts_ else sum(one.missing_images for one in read),
        {code: counts[code] for code in model.taxonomy_.codes if counts[code] < least},
        left_out,
    )


def _tell(tracker: Tracker, model: ProductClassifier, out: Path, document: Mapping[str, Any]) -> None:
    if isinstance(tracker, NoTracker):
        return
    with TemporaryDirectory() as folder:
        try:
            reports = write_evaluation_report(
                Path(folder),
                cross_fitted_evaluation(model),
                title="Training",
                subtitle="Cross-fitted on the trusted listings: each is scored by a model that never saw it",
                promised=model.precision,
                promise_note=document["promise"]["message"],
            )
        except OutputError:  # the model is made, and worth more than its report
            reports = []
        tracker.finished(out, document, reports)


def _chosen(model: ProductClassifier) -> dict[str, Any]:
    """What is known of a model before it has learned, under the names of `run_params`."""
    return {
        "text": _named(model.text),
        "image": _named(model.image),
        "finetune": model.finetune,
        "folds": model.folds,
        "random_state": str(model.random_state),
        "promise.precision": model.precision,
    }


def _named(chosen: Any) -> str:
    several = chosen if isinstance(chosen, list | tuple) else [chosen]
    return ", ".join(str(one) if isinstance(one, str | Path) else type(one).__name__ for one in several)


def _taught(
    parts: Sequence[LoadedCatalogue], teachable: Teachable | None, progress: Progress
) -> tuple[list[Listing], list[str]]:
    """The listings of catalogues that may be learned from, and their codes."""
    listings = [listing for part in parts for listing in part.listings]
    codes = [code for part in parts for code in part.codes or []]
    if teachable is None or not listings:
        return listings, codes
    progress(SEPARATING, 0, 1)
    rows = np.flatnonzero(teachable(listings)).tolist()
    progress(SEPARATING, 1, 1)
    return [listings[row] for row in rows], [codes[row] for row in rows]


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
