"""``rayon inspect``: what a catalogue holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.console import DONE, SOME_ROWS_FAILED, out, print_json, progress_bars, say
from rayon.cli.options import Catalogues, Columns, Encoding, Images, Json, reading_options
from rayon.errors import OutputError
from rayon.operations.inspection import inspect_catalogues
from rayon.operations.results import refuse_input
from rayon.reports.console import inspection_tables
from rayon.reports.inspection import write_inspection_report


def inspect(
    catalogues: Catalogues,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page with pictures and plots.")
    ] = None,
    columns: Columns = None,
    images: Images = None,
    encoding: Encoding = None,
    json: Json = False,
) -> None:
    """Show rows, codes, languages, missing parts, duplicates, bad pictures, and labels that look wrong.

    Example: rayon inspect shop --report shop.html
    """
    if report is not None:
        _check_report(report, catalogues)
    with progress_bars() as progress:
        inspected = inspect_catalogues(
            catalogues, progress, reading=reading_options(columns, images, encoding)
        )
    if json:
        print_json({**inspected.inspection.to_dict(), "labels_note": inspected.note})
    else:
        out.print(inspection_tables(inspected.inspection))
    if inspected.note:
        say(f"Labels were not checked: {inspected.note}")
    if report is not None:
        write_inspection_report(
            report, inspected.inspection, listings=inspected.listings, codes=inspected.codes
        )
        say(f"Report: {report}")
    inspection = inspected.inspection
    raise typer.Exit(SOME_ROWS_FAILED if inspection.rejected_rows or inspection.unreadable_images else DONE)


def _check_report(report: Path, catalogues: list[Path]) -> None:
    refuse_input(report, catalogues)
    if report.suffix not in (".html", ".htm") or report.is_dir():
        raise OutputError(f"The report cannot be written as {report.name!r}", "End the name with .html")
