"""The figures of an inspection, as the report draws them and `--json` prints them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rayon.data.loading import Rejected


@dataclass(frozen=True)
class ListingRef:
    """One listing, as a report names and shows it.

    Parameters
    ----------
    index
        Its place among the N usable listings, from 0.
    place
        Where it stands, such as ``shop.csv, row 12``.
    designation
        Its title, cut to 200 characters.
    code
        Its code; ``None`` where the catalogue has none.
    image
        Path of its picture; ``None`` where there is none or it came as bytes.
    """

    index: int
    place: str
    designation: str
    code: str | None
    image: str | None


@dataclass(frozen=True)
class CodeCount:
    """How many listings a code has; `share` is of all N."""

    code: str
    label: str
    n: int
    share: float


@dataclass(frozen=True)
class Balance:
    """How evenly the listings are spread over the codes.

    Parameters
    ----------
    n_codes
        Codes with at least one listing.
    largest, smallest
        Listings of the most and the least frequent of them.
    effective_codes
        Exponential of the entropy: as many codes of equal size would be as hard to guess.
    single
        Codes with one listing only.
    unused
        Codes of the taxonomy, where one was given, that have none.
    """

    n_codes: int
    largest: int
    smallest: int
    effective_codes: float
    single: list[str]
    unused: list[str]


@dataclass(frozen=True)
class Lengths:
    """Lengths of a part, over the n listings that have it, and their histogram.

    Parameters
    ----------
    n
        How many have it; with none, everything else is 0 or empty.
    minimum, median, mean, p95, maximum
        In characters.
    edges, counts
        Histogram: `counts[i]` lengths lie in ``[edges[i], edges[i + 1])``, the last bin closed on the
        right; edges grow geometrically, as a few texts are very long.
    """

    n: int
    minimum: int
    median: float
    mean: float
    p95: float
    maximum: int
    edges: list[float]
    counts: list[int]


@dataclass(frozen=True)
class DuplicateGroup:
    """Listings that are duplicates of each other: how many, up to six of them, and all their codes."""

    size: int
    exact: bool
    listings: list[ListingRef]
    codes: list[str]


@dataclass(frozen=True)
class DuplicateSummary:
    """Duplicates by one part of the listing.

    Parameters
    ----------
    exact_groups, exact_listings
        Groups of two and more whose part is the same, and the listings in them.
    near_groups, near_listings
        The same with near-duplicates; exact ones are included.
    conflicting_groups, conflicting_listings
        Those of the near groups whose listings bear different codes, and the listings in them; 0 without
        codes.
    examples
        The largest near groups.
    conflicts
        The largest near groups with different codes.
    """

    exact_groups: int
    exact_listings: int
    near_groups: int
    near_listings: int
    conflicting_groups: int
    conflicting_listings: int
    examples: list[DuplicateGroup]
    conflicts: list[DuplicateGroup]


@dataclass(frozen=True)
class UnreadableImage:
    """A picture that is there and cannot be used; `reason` names it."""

    listing: ListingRef
    reason: str


@dataclass(frozen=True)
class LabelIssue:
    """A listing whose code looks wrong, as `rayon.learning.audit.find_label_issues` finds them.

    Parameters
    ----------
    index
        Its place among the N listings, from 0.
    given, suggested
        The code it bears, and the one the model would give.
    quality
        How well the given code agrees with the model, from 0 (not at all) to 1.
    """

    index: int
    given: str
    suggested: str
    quality: float


@dataclass(frozen=True)
class SuspectLabel:
    """A label issue with its listing."""

    listing: ListingRef
    given: str
    suggested: str
    given_label: str
    suggested_label: str
    quality: float


@dataclass(frozen=True)
class Inspection:
    """All figures about one or several catalogues; N is `listings`.

    Parameters
    ----------
    sources
        The catalogues, as they were named.
    fingerprint
        SHA-256 of their content.
    rows
        Rows read: usable and rejected ones.
    listings
        Usable ones, N; everything below is about these.
    rejected_rows, rejected
        How many rows could not be used, and the first of them with their reasons.
    warning_rows, warnings
        The same for rows that are used although something is wrong with them.
    codes
        Listings of each code in the taxonomy's order, or sorted; ``None`` without codes.
    balance
        ``None`` without codes.
    languages
        Language (``fr``, ``en``, ``de``, ``es``, ``it``, ``other``, ``unknown``) to the number of listings,
        the most frequent first; listings without text are left out.
    title_lengths, description_lengths
        In characters, markup included.
    missing
        Listings without ``designation``, ``description``, ``text`` (either), ``image``, ``productid`` or
        ``imageid``; ``image file`` counts those that have an ``imageid`` but no picture.
    text_duplicates
        By title and description.
    image_duplicates
        By picture; ``None`` where pictures were not looked at.
    unreadable_images, unreadable
        How many pictures cannot be used, and the first of them; ``None`` and empty where they were not
        looked at.
    suspect_labels, suspects
        How many codes look wrong, and the worst of them; ``None`` and empty where that was not checked.
    """

    sources: list[str]
    fingerprint: str
    rows: int
    listings: int
    rejected_rows: int
    rejected: list[Rejected]
    warning_rows: int
    warnings: list[Rejected]
    codes: list[CodeCount] | None
    balance: Balance | None
    languages: dict[str, int]
    title_lengths: Lengths
    description_lengths: Lengths
    missing: dict[str, int]
    text_duplicates: DuplicateSummary
    image_duplicates: DuplicateSummary | None
    unreadable_images: int | None
    unreadable: list[UnreadableImage]
    suspect_labels: int | None
    suspects: list[SuspectLabel]

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-ready objects, under the names of the fields."""
        return asdict(self)
