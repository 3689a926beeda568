"""``rayon db``: the tables of the service."""

from __future__ import annotations

from dataclasses import asdict

import typer

from rayon.cli.console import NEEDS_ATTENTION, out, print_json
from rayon.cli.options import Json
from rayon.settings import Settings
from rayon.store.database import Database
from rayon.store.schema import SchemaStatus, schema_status, upgrade_schema

app = typer.Typer(no_args_is_help=True, help="The database of the service.")


@app.command()
def upgrade(as_json: Json = False) -> None:
    """Bring the tables up to what this version needs; `rayon serve` does so too.

    Example: rayon db upgrade
    """
    database = Database(Settings().database_url)
    _show(database, upgrade_schema(database), as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Say where the database is and which migrations are pending; exits with 3 where some are.

    Example: rayon db status
    """
    database = Database(Settings().database_url)
    found = schema_status(database)
    _show(database, found, as_json)
    if found.pending:
        raise typer.Exit(NEEDS_ATTENTION)


def _show(database: Database, found: SchemaStatus, as_json: bool) -> None:
    if as_json:
        print_json({"database": database.address, **asdict(found)})
        return
    state = f"{len(found.pending)} migrations pending" if found.pending else "up to date"
    out.print(
        f"{database.address}: {state} (at {found.current or 'nothing'}, latest {found.latest})", markup=False
    )
