"""``rayon backup`` and ``rayon restore``: everything that the service keeps, in one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.console import out, print_json, progress_bars
from rayon.cli.options import Json
from rayon.cli.service import known_models, open_database
from rayon.operations.backup import BackupSummary, back_up
from rayon.operations.backup import restore as bring_back
from rayon.settings import Settings
from rayon.store.database import Database
from rayon.store.images import open_images


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to make.", show_default=False)],
    model: Annotated[
        list[Path] | None,
        typer.Option("--model", metavar="MODEL_DIR", help="A model to take along; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take database, pictures, models and the files of open jobs into one file, while the service runs.

    The models are those in RAYON_HOME, RAYON_MODEL, and those that are named. The file holds what sellers
    sent, and password hashes: it can be read by its owner alone.

    Example: rayon backup rayon.tar
    """
    settings = Settings()
    images = open_images(settings.images_location)
    with open_database(settings) as database, progress_bars() as progress:
        models = known_models(settings, model or [])
        done = back_up(database, images, settings.home, models, file, progress)
    if as_json:
        print_json(asdict(done))
        return
    out.print(f"{file} ({file.stat().st_size / 1e6:,.1f} MB) holds {_content(done)}.", markup=False)


def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file that `rayon backup` made.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Bring everything back from a backup, into an empty database; SQLite or PostgreSQL, whichever it was.

    What was forgotten after the backup was made comes back too: forget it again.

    Example: RAYON_HOME=/srv/rayon rayon restore rayon.tar
    """
    settings = Settings()
    database = Database(settings.database_url)
    with progress_bars() as progress:
        done = bring_back(database, open_images(settings.images_location), settings.home, file, progress)
    database.close()
    if as_json:
        print_json(asdict(done))
        return
    out.print(f"Restored {_content(done)}, as of {done.created_at}.", markup=False)
    for name in done.models:
        out.print(f"Serve with: rayon serve --model {settings.models / name}", markup=False, soft_wrap=True)


def _content(summary: BackupSummary) -> str:
    missing = f" ({summary.missing_images:,} more are missing)" if summary.missing_images else ""
    return (
        f"{summary.rows.get('predictions', 0):,} predictions, {summary.rows.get('users', 0):,} users, "
        f"{summary.images:,} pictures{missing}, {len(summary.models):,} models and {summary.jobs:,} open jobs"
    )
