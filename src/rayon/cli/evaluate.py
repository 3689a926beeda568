"""``rayon evaluate``: how good a model is on catalogues that it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.console import DONE, SOME_ROWS_FAILED, out, print_json, progress_bars, say
from rayon.cli.options import Catalogues, Columns, Encoding, Images, Json, ModelDir, reading_options
from rayon.errors import OutputError
from rayon.learning.model import ProductClassifier
from rayon.operations.evaluation import Evaluated, evaluate_model
from rayon.reports.console import evaluation_table
from rayon.reports.evaluation import find_worst_mistakes, write_evaluation_report
from rayon.settings import Settings


def evaluate(
    model_dir: ModelDir,
    catalogues: Catalogues,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write report.html and report.txt into this folder.")
    ] = None,
    columns: Columns = None,
    images: Images = None,
    encoding: Encoding = None,
    json: Json = False,
) -> None:
    """Score a model on labelled catalogues, with intervals.

    Example: rayon evaluate model held-out.csv --report report
    """
    settings = Settings()
    model = ProductClassifier.load(model_dir, cache=settings.embedding_cache, threads=settings.threads)
    if report is not None and report.exists() and not report.is_dir():
        raise OutputError(f"{report} is not a folder", "Name a folder for the report")
    with progress_bars() as progress:
        evaluated = evaluate_model(
            model, catalogues, progress, reading=reading_options(columns, images, encoding)
        )
    if json:
        print_json(evaluated.to_dict())
    else:
        out.print(evaluation_table(evaluated.evaluation))
    if evaluated.seen:
        say(
            f"Warning: the model was trained on {evaluated.seen:,} of these {len(evaluated.codes):,} "
            "listings; the figures flatter it."
        )
    if evaluated.missing_images:
        say(f"{evaluated.missing_images:,} pictures that the listings name are not there; check --images.")
    if report is not None:
        _write_report(report, model, model_dir, evaluated)
        say(f"Report: {report / 'report.html'}")
    if evaluated.rejected:
        say(f"{len(evaluated.rejected):,} rows were left out; the first: {evaluated.rejected[0].reason}")
    raise typer.Exit(SOME_ROWS_FAILED if evaluated.rejected else DONE)


def _write_report(folder: Path, model: ProductClassifier, model_dir: Path, evaluated: Evaluated) -> None:
    write_evaluation_report(
        folder,
        evaluated.evaluation,
        subtitle=f"Model {model_dir.name} on {len(evaluated.codes):,} labelled listings",
        promised=model.precision,
        promise_note=model.policy_.report()["message"],
        facts={
            "Model": str(model_dir),
            "Trained on": f"{model.n_listings_['trusted']:,} trusted and "
            f"{model.n_listings_['train_only']:,} train-only listings",
            "Seen in training": f"{evaluated.seen:,} of the listings scored here",
        },
        warning=(
            f"The model was trained on {evaluated.seen:,} of these {len(evaluated.codes):,} listings: the "
            "figures flatter it, and say nothing about the promise."
            if evaluated.seen
            else ""
        ),
        worst_mistakes=find_worst_mistakes(
            evaluated.listings, evaluated.fused, evaluated.codes, model.taxonomy_.codes, evaluated.accepted
        ),
    )
