"""``rayon data``: what people said of predictions, as data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.console import out, print_json, say
from rayon.cli.options import Columns, Encoding, Images, Json, reading_options
from rayon.cli.service import open_database
from rayon.data.loading import read_catalogue
from rayon.operations.golden_set import GoldenSet
from rayon.operations.snapshot import take_snapshot
from rayon.settings import Settings
from rayon.store.images import open_images

data = typer.Typer(no_args_is_help=True, help="What people said of predictions, as data.")


@data.callback()
def _group() -> None:
    """Keep the name of the command, however few there are."""


@data.command()
def snapshot(
    to: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.", show_default=False)],
    training: Annotated[
        list[Path] | None,
        typer.Option(metavar="CATALOGUE", help="What models learn from anyway. May be repeated."),
    ] = None,
    columns: Columns = None,
    images: Images = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Write validated predictions as a catalogue to train on, each product once and with one code.

    What the random audit drew is left to the golden set. What looks like a golden listing, what the training
    data has already, and what people disagree about is set aside, with the reason.

    Example: rayon data snapshot feedback --training shop
    """
    settings = Settings()
    reading = reading_options(columns, images, encoding)
    taught = read_catalogue(training, codes="required", **reading) if training else None
    known = (taught.listings, taught.codes or []) if taught else ([], [])
    with open_database(settings) as database:
        pictures = open_images(settings.images_location)
        golden = GoldenSet(database, pictures).listings()[0]
        made = take_snapshot(database, pictures, to, known, golden)
    if as_json:
        print_json(asdict(made))
        return
    for reason, n in made.set_aside.items():
        say(f"{n:,} were set aside: {reason}.")
    out.print(
        f"{made.catalogue} holds {made.listings:,} listings to learn from.", markup=False, soft_wrap=True
    )
