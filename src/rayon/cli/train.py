"""``rayon train``: catalogues to a model."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.console import DONE, SOME_ROWS_FAILED, out, print_json, progress_bars, say
from rayon.cli.golden import golden_set
from rayon.cli.options import (
    Catalogues,
    Columns,
    Encoding,
    ImageEncoders,
    Images,
    Json,
    NetworkWords,
    TextEncoders,
    network_words,
    reading_options,
)
from rayon.cli.tracking import open_tracking
from rayon.data.taxonomy import Taxonomy
from rayon.errors import RayonError
from rayon.learning.finetuning.settings import NetworkTraining
from rayon.learning.model import ProductClassifier
from rayon.operations.training import TrainingSummary
from rayon.operations.training import train as train_model
from rayon.reports.console import figures_table
from rayon.settings import Settings

_SHOWN = 5


def train(
    catalogues: Catalogues,
    model_dir: Annotated[
        Path, typer.Option("--out", metavar="MODEL_DIR", help="The model folder to make.", show_default=False)
    ],
    train_only: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CATALOGUE",
            help="Teaches, but is never scored and sets no threshold: weak labels, other sources. "
            "May be repeated.",
        ),
    ] = None,
    taxonomy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Codes, labels and parents, as JSON.")
    ] = None,
    text_encoder: TextEncoders = None,
    image_encoder: ImageEncoders = None,
    finetune: Annotated[
        bool, typer.Option("--finetune", help="Train pretrained networks on, which takes long without a GPU.")
    ] = False,
    network: NetworkWords = None,
    folds: Annotated[int, typer.Option(min=2, help="Parts of the cross-fitting.")] = 5,
    precision: Annotated[float, typer.Option(help="What accepted listings are promised to keep.")] = 0.98,
    seed: Annotated[int, typer.Option(min=0, help="The same data and seed give the same predictions.")] = 0,
    columns: Columns = None,
    images: Images = None,
    encoding: Encoding = None,
    golden: Annotated[
        bool,
        typer.Option("--golden", help="Leave out the golden set of RAYON_HOME, and whatever looks like it."),
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace a model that is there already.")] = False,
    json: Json = False,
) -> None:
    """Learn from labelled catalogues and save a model with its card.

    Example: rayon train shop --out model --precision 0.95

    With pretrained weights beside the default: rayon train shop --out model --text-encoder ngrams
    --text-encoder hf:almanach/camembert-base --finetune
    """
    settings = Settings()
    tracker = open_tracking(settings)
    model = ProductClassifier(
        text=text_encoder or "ngrams",
        image=image_encoder or "builtin",
        precision=precision,
        folds=folds,
        taxonomy=Taxonomy.load(taxonomy) if taxonomy else None,
        cache=settings.embedding_cache,
        threads=settings.threads,
        random_state=seed,
        finetune=finetune,
        network=NetworkTraining.from_words(network_words(network)),
        workspace=settings.networks,
    )
    with golden_set() if golden else nullcontext() as kept, progress_bars() as progress:
        if kept is not None and not len(kept):
            raise RayonError(
                "There is no golden set to leave out", "Hold some listings out: rayon golden fix CATALOGUE"
            )
        summary = train_model(
            model,
            catalogues,
            model_dir,
            progress,
            train_only=train_only or (),
            reading=reading_options(columns, images, encoding),
            overwrite=overwrite,
            teachable=None if kept is None else kept.teachable,
            tracker=tracker,
        )
    if json:
        print_json(summary.to_dict())
    else:
        _show(summary)
    raise typer.Exit(SOME_ROWS_FAILED if summary.rejected or summary.unreadable_images else DONE)


def _show(summary: TrainingSummary) -> None:
    promise = summary.model["promise"]
    out.print(figures_table(summary.model["figures"]["modalities"], "Cross-fitted on the trusted listings"))
    out.print(promise["message"], markup=False)
    if promise["threshold"] is not None:
        out.print(
            "The table's share of accepted listings comes from thresholds that were set on fewer of them, "
            "so it may be smaller.",
            markup=False,
        )
    if summary.small_codes:
        named = ", ".join(f"{code} ({n})" for code, n in list(summary.small_codes.items())[:_SHOWN])
        more = len(summary.small_codes) - _SHOWN
        out.print(
            f"Too few trusted listings to accept these codes, so they go to review: {named}"
            + (f" and {more} more." if more > 0 else "."),
            markup=False,
        )
    if summary.left_out:
        say(f"{summary.left_out:,} listings were left out: they are golden, or look like one that is.")
    if summary.rejected:
        say(f"{len(summary.rejected):,} rows were left out:")
        for row in summary.rejected[:_SHOWN]:
            say(f"  {row.source}: {row.reason}")
    if summary.unreadable_images:
        say(f"{summary.unreadable_images:,} pictures could not be used; `rayon inspect` names them.")
    if summary.missing_images:
        say(f"{summary.missing_images:,} pictures that the listings name are not there; check --images.")
    out.print(f"Saved in {summary.out}; MODEL_CARD.md there says what it is good for.", markup=False)
