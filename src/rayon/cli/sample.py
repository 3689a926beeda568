"""``rayon sample``: a catalogue to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.console import progress_bars, say
from rayon.data.sample import make_sample


def sample(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that is not there yet.", show_default=False)
    ],
    listings: Annotated[int, typer.Option(min=27, help="How many listings.")] = 3000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same catalogue.")] = 0,
) -> None:
    """Make a small catalogue in the challenge's layout, with drawn pictures and realistic flaws.

    Example: rayon sample shop --listings 2000
    """
    with progress_bars() as progress:
        made = make_sample(
            folder, listings, seed, progress=lambda done: progress("Drawing listings", done, listings)
        )
    say(f"Made {made.listings:,} listings in {folder}. Next: rayon train {folder} --out model")
