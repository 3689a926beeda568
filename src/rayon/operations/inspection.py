"""What a catalogue holds, and which of its labels look wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rayon.data.duplicates import duplicate_groups
from rayon.data.inspection import Inspection, LabelIssue, inspect_catalogue
from rayon.data.listings import Listing
from rayon.data.loading import LoadedCatalogue, read_catalogue
from rayon.data.splits import grouped_folds
from rayon.data.taxonomy import Taxonomy, sort_codes
from rayon.encoders.text import NgramEncoder
from rayon.errors import MissingExtraError
from rayon.learning.audit import find_label_issues
from rayon.learning.crossfit import Progress, cross_fit
from rayon.learning.modalities import TextModality
from rayon.learning.text_head import TextHead

_FOLDS = 5
_LEAST = 100


@dataclass(frozen=True)
class Inspected:
    """The inspection of a catalogue.

    Parameters
    ----------
    inspection
        The figures.
    listings, codes
        What was inspected.
    note
        Why labels were not checked; empty where they were.
    """

    inspection: Inspection
    listings: list[Listing]
    codes: list[str] | None
    note: str


def inspect_catalogues(
    catalogues: Sequence[Path], progress: Progress, *, reading: Mapping[str, Any] | None = None
) -> Inspected:
    """Inspect catalogues, joined.

    Labels are checked by text: what heads that never saw a listing would call it, against its label.

    Parameters
    ----------
    catalogues
        With or without codes.
    progress
        Told how far each stage is.
    reading
        How to read them: the keywords ``columns``, ``images`` and ``encoding`` of `read_catalogue`.
    """
    loaded = read_catalogue(catalogues, **(reading or {}))
    taxonomy = Taxonomy.known(loaded.codes or [])
    issues, note = None, "the catalogue has no codes"
    if loaded.codes is not None:
        issues, note = _check_labels(loaded, progress)
    inspection = inspect_catalogue(
        loaded,
        taxonomy=taxonomy,
        issues=issues,
        progress=lambda done, total: progress("Looking at pictures", done, total),
    )
    return Inspected(inspection, loaded.listings, loaded.codes, note)


def _check_labels(loaded: LoadedCatalogue, progress: Progress) -> tuple[list[LabelIssue] | None, str]:
    given = loaded.codes or []
    codes = sort_codes(set(given))
    position = {code: index for index, code in enumerate(codes)}
    y = np.array([position[code] for code in given], dtype=np.int64)
    encoded = TextModality(NgramEncoder()).encode(loaded.listings)
    rows = encoded.rows
    if len(rows) < _LEAST or len(np.unique(y[rows])) < 2:
        return None, f"checking labels takes at least {_LEAST} listings with text, and two codes"
    folds = grouped_folds(y[rows], duplicate_groups([loaded.listings[i] for i in rows], image=False), _FOLDS)
    proba = np.full((len(y), len(codes)), np.nan)
    proba[rows] = cross_fit(
        TextHead,
        encoded.features,
        y[rows],
        folds,
        np.ones(len(rows), dtype=bool),
        len(codes),
        on_fold=lambda done: progress("Checking labels", done, _FOLDS),
    )
    try:
        return find_label_issues(y, proba, codes), ""
    except MissingExtraError as error:
        return None, str(error)
