"""Migrations: bringing the tables of a database up to what this version of Rayon needs, and back."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from rayon.errors import StoreError
from rayon.store.database import Database

_MIGRATING = 0x7261796F  # any number that nobody else locks


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """Where a database stands.

    Parameters
    ----------
    current
        The last migration that ran there; ``None`` for an empty database.
    latest
        The last one that this version of Rayon has.
    pending
        Those that are to run, in order.
    """

    current: str | None
    latest: str
    pending: tuple[str, ...]


def known_revisions() -> list[str]:
    """All migrations that this version has, in order."""
    scripts = ScriptDirectory.from_config(_config())
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def schema_status(database: Database) -> SchemaStatus:
    """Where the database stands.

    Raises
    ------
    StoreError
        When a newer Rayon has migrated it.
    """
    with database.read() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    revisions = known_revisions()
    if current is not None and current not in revisions:
        raise StoreError(
            f"The database {database.address} was migrated by a newer Rayon (to {current!r})",
            "Install that version, or restore a backup",
        )
    done = revisions.index(current) + 1 if current is not None else 0
    return SchemaStatus(current, revisions[-1], tuple(revisions[done:]))


def upgrade_schema(database: Database, revision: str = "head") -> SchemaStatus:
    """Run the migrations that are pending, all of them or none where one fails; one process at a time."""
    if revision == "head" and not schema_status(database).pending:
        return schema_status(database)
    config = _config()
    with database.migrate() as connection:
        if not database.is_sqlite:  # which lets in one writer at a time anyway
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATING})"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return schema_status(database)


def downgrade_schema(database: Database, revision: str) -> SchemaStatus:
    """Go back to an earlier migration, or to an empty database with ``"base"``."""
    config = _config()
    with database.migrate() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    return schema_status(database)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("rayon.store") / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
