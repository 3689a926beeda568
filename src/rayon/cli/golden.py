"""``rayon golden``: the listings on which models are compared, and that none learns from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.console import out, print_json, progress_bars, say
from rayon.cli.options import Catalogues, Columns, Encoding, Images, Json, reading_options
from rayon.cli.service import open_database
from rayon.data.loading import read_catalogue
from rayon.operations.accounts import COMMAND_LINE as ACTOR
from rayon.operations.golden_set import SHARE, GoldenSet
from rayon.operations.training import READING
from rayon.settings import Settings
from rayon.store.images import open_images

golden = typer.Typer(
    no_args_is_help=True, help="The listings on which models are compared, and that none learns from."
)


@golden.command()
def fix(
    catalogues: Catalogues,
    share: Annotated[float, typer.Option(help="About how much of each code is held out, 0 to 1.")] = SHARE,
    seed: Annotated[int, typer.Option(min=0, help="The same listings and seed give the same set.")] = 0,
    columns: Columns = None,
    images: Images = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Hold a share of trusted listings out of all training, for good; before the first training.

    `rayon train --golden` leaves out what is held out here, and whatever looks like it.

    Example: rayon golden fix shop
    """
    with progress_bars() as progress:
        loaded = read_catalogue(
            catalogues,
            codes="required",
            progress=lambda done, expected: progress(READING, done, expected),
            **reading_options(columns, images, encoding),
        )
    with golden_set() as kept:
        held = kept.fix(loaded.listings, loaded.codes or [], ACTOR, share, seed)
    if loaded.rejected:
        say(f"{len(loaded.rejected):,} rows could not be read and were left out.")
    counts = {"golden": int(held.sum()), "left": int((~held).sum())}
    if as_json:
        print_json(counts)
    else:
        out.print(
            f"{counts['golden']:,} listings are golden now; {counts['left']:,} are left to learn from.",
            markup=False,
        )


@golden.command()
def grow(
    training: Annotated[
        list[Path],
        typer.Argument(
            metavar="CATALOGUE...",
            help="What models learn from; nothing like it is added.",
            show_default=False,
        ),
    ],
    columns: Columns = None,
    images: Images = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Add what the random audit drew and people validated.

    Example: rayon golden grow shop
    """
    taught = read_catalogue(training, **reading_options(columns, images, encoding)).listings
    with golden_set() as kept:
        growth, total = kept.grow(taught, ACTOR), len(kept)
    if as_json:
        print_json({**asdict(growth), "golden": total})
        return
    out.print(f"{growth.added:,} audited listings were added; {total:,} are golden now.", markup=False)
    if growth.known:
        out.print(
            f"{growth.known:,} stay outside: models have learned from listings like them.", markup=False
        )


@golden.command()
def show(as_json: Json = False) -> None:
    """Say how many listings are golden, by code.

    Example: rayon golden show
    """
    with golden_set() as kept:
        codes = kept.counts()
    if as_json:
        print_json({"golden": sum(codes.values()), "codes": codes})
        return
    out.print(f"{sum(codes.values()):,} listings are golden.", markup=False)
    for code, n in codes.items():
        out.print(f"{code}: {n:,}", markup=False)


@contextmanager
def golden_set() -> Iterator[GoldenSet]:
    """Open the golden set of this installation."""
    settings = Settings()
    with open_database(settings) as database:
        yield GoldenSet(database, open_images(settings.images_location))
