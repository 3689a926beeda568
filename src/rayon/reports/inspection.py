"""The report of an inspection: what a catalogue holds, with its pictures, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rayon import __version__
from rayon.data.inspection import DuplicateGroup, DuplicateSummary, Inspection, Lengths, ListingRef
from rayon.data.listings import ImageSource, Listing
from rayon.reports.html import render_page, write_file
from rayon.reports.pictures import thumbnail
from rayon.reports.plots import bar_plot, histogram_plot
from rayon.reports.svg import short
from rayon.reports.words import LANGUAGES, plain_text

MAX_GROUPS = 6
"""Groups of duplicates that the page shows of each kind."""

MAX_SUSPECTS = 18
"""Suspicious labels that the page shows."""

MAX_CODES = 60
"""Codes whose number of listings is drawn; the largest of them where there are more."""

_SHEET_CODES = 30
_SHEET_PICTURES = 8
_SHEET_SIZE = 72


def write_inspection_report(
    path: Path,
    inspection: Inspection,
    *,
    title: str = "Inspection",
    listings: Sequence[Listing] | None = None,
    codes: Sequence[str] | None = None,
) -> Path:
    """Write the page.

    Parameters
    ----------
    path
        The file; an older one is replaced.
    inspection
        The figures.
    title
        What was inspected, in a few words.
    listings, codes
        The N listings and codes themselves, for a sheet of pictures by code; left out where not given.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    path = Path(path)
    sheet = _sheet(inspection, listings, codes) if listings and codes else []
    write_file(path, _page(inspection, title, sheet))
    return path


def _page(inspection: Inspection, title: str, sheet: list[dict[str, Any]]) -> str:
    duplicates = [("Text", inspection.text_duplicates), ("Picture", inspection.image_duplicates)]
    suspects = [{"listing": _view(one.listing), "suspect": one} for one in inspection.suspects[:MAX_SUSPECTS]]
    shown = [("overview", "Overview")]
    shown += [("codes", "Codes")] if inspection.codes else []
    shown += [("parts", "Parts and languages"), ("duplicates", "Duplicates")]
    shown += [("labels", "Suspicious labels")] if suspects else []
    shown += [("problems", "Problems"), ("pictures", "Pictures")] if sheet else [("problems", "Problems")]
    return render_page(
        "inspection.html.j2",
        title=title,
        subtitle="",
        facts={"Catalogue": ", ".join(inspection.sources), "Fingerprint": inspection.fingerprint[:16]},
        version=__version__,
        sections=shown,
        inspection=inspection,
        plots=_plots(inspection),
        languages=[(LANGUAGES.get(name, name), n) for name, n in inspection.languages.items()],
        missing=list(inspection.missing.items()),
        duplicates=[(name, _duplicates_view(one)) for name, one in duplicates if one is not None],
        suspects=suspects,
        unreadable=[{"listing": _view(one.listing), "reason": one.reason} for one in inspection.unreadable],
        sheet=sheet,
    )


def _plots(inspection: Inspection) -> dict[str, Any]:
    largest = sorted(inspection.codes or [], key=lambda one: -one.n)[:MAX_CODES]
    names = [one.code if one.label == one.code else f"{short(one.label, 28)}  {one.code}" for one in largest]
    return {
        "codes": bar_plot(names, [one.n for one in largest], "Listings by code"),
        "titles": _lengths_plot(inspection.title_lengths, "Lengths of titles"),
        "descriptions": _lengths_plot(inspection.description_lengths, "Lengths of descriptions"),
    }


def _lengths_plot(lengths: Lengths, description: str) -> Any:
    if not lengths.n:
        return None
    return histogram_plot(lengths.edges, lengths.counts, "characters, on a logarithmic scale", description)


def _duplicates_view(summary: DuplicateSummary) -> dict[str, Any]:
    conflicts = [_group_view(one) for one in summary.conflicts[:MAX_GROUPS]]
    same = [one for one in summary.examples if len(one.codes) < 2][:MAX_GROUPS]
    return {"summary": summary, "conflicts": conflicts, "examples": [_group_view(one) for one in same]}


def _group_view(group: DuplicateGroup) -> dict[str, Any]:
    return {"group": group, "listings": [_view(one) for one in group.listings]}


def _view(listing: ListingRef) -> dict[str, Any]:
    source = None if listing.image is None else Path(listing.image)
    return {
        "title": plain_text(listing.designation),
        "description": "",
        "place": listing.place,
        "code": listing.code,
        "has_image": source is not None,
        "picture": thumbnail(source),
    }


def _sheet(inspection: Inspection, listings: Sequence[Listing], codes: Sequence[str]) -> list[dict[str, Any]]:
    """The first readable pictures of the codes that most listings have."""
    sources: dict[str, list[ImageSource]] = {}
    for listing, code in zip(listings, codes, strict=True):
        kept = sources.setdefault(code, [])
        if listing.image is not None and len(kept) < 2 * _SHEET_PICTURES:
            kept.append(listing.image)
    rows = []
    for one in sorted(inspection.codes or [], key=lambda count: -count.n)[:_SHEET_CODES]:
        pictures = [thumbnail(source, _SHEET_SIZE) for source in sources.get(one.code, [])]
        readable = [picture for picture in pictures if picture is not None][:_SHEET_PICTURES]
        if readable:
            rows.append({"code": one.code, "label": one.label, "pictures": readable})
    return rows
