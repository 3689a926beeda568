"""``rayon db``: the tables of the service."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.console import NEEDS_ATTENTION, out, print_json
from rayon.cli.options import Json
from rayon.cli.service import known_models
from rayon.operations.accounts import COMMAND_LINE as ACTOR
from rayon.operations.retention import Forgotten
from rayon.operations.retention import forget as erase_traces
from rayon.operations.retention import prune as erase
from rayon.settings import Settings
from rayon.store.database import Database
from rayon.store.images import open_images
from rayon.store.schema import SchemaStatus, schema_status, upgrade_schema

db = typer.Typer(no_args_is_help=True, help="The database of the service.")


@db.command()
def upgrade(as_json: Json = False) -> None:
    """Bring the tables up to what this version needs; `rayon serve` does so too.

    Example: rayon db upgrade
    """
    database = Database(Settings().database_url)
    _show(database, upgrade_schema(database), as_json)


@db.command()
def status(as_json: Json = False) -> None:
    """Say where the database is and which migrations are pending; exits with 3 where some are.

    Example: rayon db status
    """
    database = Database(Settings().database_url)
    found = schema_status(database)
    _show(database, found, as_json)
    if found.pending:
        raise typer.Exit(NEEDS_ATTENTION)


@db.command()
def prune(
    older_than: Annotated[
        int,
        typer.Option("--older-than", metavar="DAYS", min=1, help="Erase what is older.", show_default=False),
    ],
    as_json: Json = False,
) -> None:
    """Erase old predictions with their validations, pictures that nothing else uses, and ended jobs.

    The service may run meanwhile. What a model has learned stays in the model.

    Example: rayon db prune --older-than 365
    """
    settings = Settings()
    database = Database(settings.database_url)
    upgrade_schema(database)
    before = datetime.now(UTC) - timedelta(days=older_than)
    done = erase(database, open_images(settings.images_location), before, ACTOR)
    if as_json:
        print_json(asdict(done))
        return
    out.print(
        f"Erased {done.predictions:,} predictions, {done.images:,} pictures and {done.jobs:,} jobs "
        f"from before {before:%Y-%m-%d}.",
        markup=False,
    )


@db.command()
def forget(
    productid: Annotated[
        str | None, typer.Option(metavar="ID", help="Forget a product, by the id that came with it.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="Forget what a user asked; before deleting them.")
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option("--model", metavar="MODEL_DIR", help="A model to look into as well; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Erase all that is kept of a product, or of what a user asked; name the models that learned from it.

    The service may run meanwhile. Backups that were made before still hold what is erased. Exits with 3 where
    something is left to do.

    Example: rayon db forget --productid 3804725264
    """
    settings = Settings()
    database = Database(settings.database_url)
    upgrade_schema(database)
    images = open_images(settings.images_location)
    models = known_models(settings, model or [])
    done = erase_traces(database, images, settings.home, models, productid=productid, user=user, actor=ACTOR)
    if as_json:
        print_json({**asdict(done), "models": [str(folder) for folder in done.models]})
    else:
        _show_forgotten(done, len(models))
    if done.open_jobs or done.open_retrainings or done.models:
        raise typer.Exit(NEEDS_ATTENTION)


def _show_forgotten(done: Forgotten, looked_into: int) -> None:
    lines = [
        f"Erased {done.predictions:,} predictions, {done.golden:,} golden listings, "
        f"{done.images:,} pictures, {done.jobs:,} jobs and {done.exports:,} exported files."
    ]
    if done.open_jobs:
        lines.append(
            f"{done.open_jobs:,} jobs have not ended, and their files may hold more; run this again after."
        )
    if done.open_retrainings:
        lines.append("A retraining has not ended, and may be learning from it; run this again after.")
    lines += [f"{folder} was trained on it; train again without it." for folder in done.models]
    if not done.models:
        lines.append(f"None of the {looked_into:,} models that were looked into was trained on it.")
    lines.append("Backups made before still hold it.")
    out.print("\n".join(lines), markup=False)


def _show(database: Database, found: SchemaStatus, as_json: bool) -> None:
    if as_json:
        print_json({"database": database.address, **asdict(found)})
        return
    state = f"{len(found.pending)} migrations pending" if found.pending else "up to date"
    out.print(
        f"{database.address}: {state} (at {found.current or 'nothing'}, latest {found.latest})", markup=False
    )
