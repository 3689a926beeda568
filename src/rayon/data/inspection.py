"""What a catalogue holds: the figures that `rayon inspect` prints and its report draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rayon.data.duplicates import Duplicates, picture_duplicates, text_duplicates
from rayon.data.inspection_types import (
    Balance,
    CodeCount,
    DuplicateGroup,
    DuplicateSummary,
    Inspection,
    LabelIssue,
    Lengths,
    ListingRef,
    SuspectLabel,
    UnreadableImage,
)
from rayon.data.languages import count_languages
from rayon.data.listings import Listing
from rayon.data.loading import LoadedCatalogue
from rayon.data.picture_hashes import PictureHashes, hash_pictures
from rayon.data.taxonomy import Taxonomy, sort_codes

__all__ = [
    "EXAMPLES",
    "Balance",
    "CodeCount",
    "DuplicateGroup",
    "DuplicateSummary",
    "Inspection",
    "LabelIssue",
    "Lengths",
    "ListingRef",
    "SuspectLabel",
    "UnreadableImage",
    "inspect_catalogue",
]

EXAMPLES = 20
"""How many rejected rows, groups of duplicates and so on are given in full; the counts cover all."""

_GROUP_EXAMPLES = 6
_TITLE = 200
_BINS = 20


def inspect_catalogue(
    catalogue: LoadedCatalogue,
    *,
    taxonomy: Taxonomy | None = None,
    images: bool = True,
    issues: Sequence[LabelIssue] | None = None,
    examples: int = EXAMPLES,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Inspect what `read_catalogue` read.

    Parameters
    ----------
    catalogue
        N listings and what was rejected.
    taxonomy
        Gives codes their labels and their order.
    images
        Whether to read and decode every picture, to find unreadable ones and duplicates.
    issues
        Codes that look wrong, the worst first; ``None`` where that was not checked.
    examples
        How many of each kind are given in full.
    workers
        Threads that decode pictures; ``None`` lets the machine decide.
    progress
        Called now and then with how many pictures were looked at and N.
    """
    listings = catalogue.listings
    hashes = None
    if images:
        hashes = hash_pictures([listing.image for listing in listings], workers=workers, progress=progress)
    return Inspection(
        sources=list(catalogue.sources),
        fingerprint=catalogue.fingerprint,
        rows=len(listings) + len(catalogue.rejected),
        listings=len(listings),
        rejected_rows=len(catalogue.rejected),
        rejected=catalogue.rejected[:examples],
        warning_rows=len(catalogue.warnings),
        warnings=catalogue.warnings[:examples],
        codes=_code_counts(catalogue.codes, taxonomy),
        balance=_balance(catalogue.codes, taxonomy),
        languages=count_languages(f"{listing.designation} {listing.description}" for listing in listings),
        title_lengths=_lengths([len(listing.designation) for listing in listings]),
        description_lengths=_lengths([len(listing.description) for listing in listings]),
        missing=_missing(listings),
        text_duplicates=_duplicates(catalogue, text_duplicates(listings), examples),
        image_duplicates=_duplicates(catalogue, picture_duplicates(hashes), examples) if hashes else None,
        unreadable_images=sum(error is not None for error in hashes.errors) if hashes else None,
        unreadable=_unreadable(catalogue, hashes, examples) if hashes else [],
        suspect_labels=None if issues is None else len(issues),
        suspects=_suspects(catalogue, (issues or [])[:examples], taxonomy),
    )


def _ref(catalogue: LoadedCatalogue, i: int) -> ListingRef:
    listing = catalogue.listings[i]
    image = str(listing.image) if isinstance(listing.image, Path) else None
    code = catalogue.codes[i] if catalogue.codes is not None else None
    return ListingRef(i, catalogue.place(i), listing.designation[:_TITLE], code, image)


def _code_counts(codes: list[str] | None, taxonomy: Taxonomy | None) -> list[CodeCount] | None:
    if codes is None:
        return None
    counts = Counter(codes)
    known = [code for code in taxonomy.codes if code in counts] if taxonomy else []
    order = known + sort_codes(set(counts) - set(known))
    label = taxonomy.label if taxonomy else str
    return [CodeCount(code, label(code), counts[code], counts[code] / len(codes)) for code in order]


def _balance(codes: list[str] | None, taxonomy: Taxonomy | None) -> Balance | None:
    if codes is None:
        return None
    counts = Counter(codes)
    n = np.array(list(counts.values()), dtype=np.float64)
    share = n / n.sum()
    return Balance(
        n_codes=len(counts),
        largest=int(n.max()),
        smallest=int(n.min()),
        effective_codes=float(np.exp(-(share * np.log(share)).sum())),
        single=sort_codes(code for code, count in counts.items() if count == 1),
        unused=[code for code in taxonomy.codes if code not in counts] if taxonomy else [],
    )


def _lengths(lengths: list[int]) -> Lengths:
    present = np.array([length for length in lengths if length], dtype=np.int64)
    if not len(present):
        return Lengths(0, 0, 0.0, 0.0, 0.0, 0, [], [])
    low, high = int(present.min()), int(present.max())
    edges = np.geomspace(low, max(high, low + 1), _BINS + 1)
    edges[0], edges[-1] = low, max(high, low + 1)  # geomspace rounds its ends
    counts, _ = np.histogram(present, bins=edges)
    return Lengths(
        len(present),
        low,
        float(np.median(present)),
        float(present.mean()),
        float(np.percentile(present, 95)),
        high,
        edges.tolist(),
        counts.tolist(),
    )


def _missing(listings: Sequence[Listing]) -> dict[str, int]:
    return {
        "designation": sum(not listing.designation.strip() for listing in listings),
        "description": sum(not listing.description.strip() for listing in listings),
        "text": sum(not listing.has_text for listing in listings),
        "image": sum(not listing.has_image for listing in listings),
        "productid": sum(not listing.productid for listing in listings),
        "imageid": sum(not listing.imageid for listing in listings),
        "image file": sum(bool(listing.imageid) and not listing.has_image for listing in listings),
    }


def _duplicates(catalogue: LoadedCatalogue, found: Duplicates, examples: int) -> DuplicateSummary:
    exact = np.bincount(found.exact)
    near = np.bincount(found.near)
    groups = _members(found.near)
    conflicting = [rows for rows in groups if catalogue.codes and len({catalogue.codes[i] for i in rows}) > 1]

    def shown(chosen: list[NDArray[np.int64]]) -> list[DuplicateGroup]:
        return [_group(catalogue, rows, found.exact) for rows in chosen[:examples]]

    return DuplicateSummary(
        exact_groups=int((exact > 1).sum()),
        exact_listings=int(exact[exact > 1].sum()),
        near_groups=int((near > 1).sum()),
        near_listings=int(near[near > 1].sum()),
        conflicting_groups=len(conflicting),
        conflicting_listings=sum(len(rows) for rows in conflicting),
        examples=shown(groups),
        conflicts=shown(conflicting),
    )


def _members(groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return sorted((part for part in parts if len(part) > 1), key=lambda part: (-len(part), int(part[0])))


def _group(catalogue: LoadedCatalogue, rows: NDArray[np.int64], exact: NDArray[np.int64]) -> DuplicateGroup:
    codes = sort_codes({catalogue.codes[i] for i in rows}) if catalogue.codes else []
    same = len(set(exact[rows].tolist())) == 1
    return DuplicateGroup(
        len(rows), same, [_ref(catalogue, i) for i in rows[:_GROUP_EXAMPLES].tolist()], codes
    )


def _unreadable(catalogue: LoadedCatalogue, hashes: PictureHashes, examples: int) -> list[UnreadableImage]:
    bad = [(i, error) for i, error in enumerate(hashes.errors) if error is not None]
    return [UnreadableImage(_ref(catalogue, i), error) for i, error in bad[:examples]]


def _suspects(
    catalogue: LoadedCatalogue, issues: Sequence[LabelIssue], taxonomy: Taxonomy | None
) -> list[SuspectLabel]:
    label = taxonomy.label if taxonomy else str
    return [
        SuspectLabel(
            _ref(catalogue, issue.index),
            issue.given,
            issue.suggested,
            label(issue.given),
            label(issue.suggested),
            issue.quality,
        )
        for issue in issues
    ]
