"""``rayon classify``: a code, a confidence and a decision for every row of a catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rayon.cli.console import DONE, SOME_ROWS_FAILED, out, print_json, progress_bars, say
from rayon.cli.options import Columns, Encoding, Images, Json, ModelDir, reading_options
from rayon.learning.model import ProductClassifier
from rayon.operations.inference import ClassifySummary, classify_catalogues
from rayon.settings import Settings


def classify(
    model_dir: ModelDir,
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="Catalogues, with or without codes.", show_default=False),
    ],
    results: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="Results: .csv, .parquet or .jsonl.", show_default=False),
    ],
    images: Images = None,
    form: Annotated[
        Literal["rayon", "challenge"],
        typer.Option("--format", help="`challenge` writes the challenge's submission file."),
    ] = "rayon",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run stopped.")] = False,
    columns: Columns = None,
    encoding: Encoding = None,
    json: Json = False,
) -> None:
    """Classify catalogues of any size in bounded memory.

    Example: rayon classify model new-listings.csv --out codes.csv
    """
    settings = Settings()
    model = ProductClassifier.load(model_dir, cache=settings.embedding_cache, threads=settings.threads)
    try:
        with progress_bars() as progress:
            summary = classify_catalogues(
                model,
                inputs,
                results,
                progress=lambda done, total: progress("Classifying", done, total),
                form=form,
                resume=resume,
                **reading_options(columns, images, encoding),
            )
    except KeyboardInterrupt:
        say("Run the same command with --resume to go on from here.")
        raise
    if resume and not summary.resumed:
        say("There was nothing to go on with: no interrupted run of this model over these inputs.")
    if summary.missing_images:
        say(f"{summary.missing_images:,} pictures that the listings name are not there; check --images.")
    if json:
        print_json(summary.to_dict())
    else:
        share = summary.accepted / summary.rows if summary.rows else 0.0
        resumed = f" ({summary.resumed:,} taken over from the interrupted run)" if summary.resumed else ""
        out.print(f"{summary.rows:,} rows in {results}{resumed}:", markup=False)
        out.print(f"  {summary.accepted:,} accepted ({share:.0%})", markup=False)
        out.print(f"  {summary.review:,} for review", markup=False)
        out.print(f"  {summary.failed:,} failed{_why(summary, form)}", markup=False)
    raise typer.Exit(SOME_ROWS_FAILED if summary.failed else DONE)


def _why(summary: ClassifySummary, form: str) -> str:
    if not summary.failed:
        return ""
    if form == "challenge":
        return ": they have no code there; without --format challenge the column error says why"
    return "; the column error says why"
