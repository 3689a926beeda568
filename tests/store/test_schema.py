from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import JSON, MetaData, inspect, text

from rayon.errors import StoreError, StoreUnavailableError
from rayon.store.database import Database
from rayon.store.schema import downgrade_schema, schema_status, upgrade_schema
from rayon.store.tables import metadata

FULL_TEXT = {
    # Of SQLite, whose FTS5 keeps an index in tables.
    "search_index",
    "search_index_config",
    "search_index_data",
    "search_index_idx",
    # Of PostgreSQL: a column that it makes of another, and its index.
    "words",
    "ix_search_texts_words",
}
"""Full-text indices, which the tables in the code know nothing of."""


def test_migrations_make_what_the_code_expects(database: Database) -> None:
    def is_ours(name: str | None, *_: object) -> bool:
        return name not in FULL_TEXT

    with database.read() as connection:
        options = {"compare_type": True, "include_name": is_ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_up_and_down_and_up_again(database_url: str) -> None:
    database = Database(database_url)
    empty = schema_status(database)
    assert empty.current is None
    assert empty.pending
    done = upgrade_schema(database)
    assert (done.current, done.pending) == (done.latest, ())
    assert downgrade_schema(database, "base") == empty
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    assert upgrade_schema(database) == done
    assert upgrade_schema(database) == done  # nothing to do
    database.close()


def test_words_of_people_outlive_every_migration(database_url: str) -> None:
    database = Database(database_url)
    upgrade_schema(database, "0001")
    tables = MetaData()
    tables.reflect(database.engine)
    plain = {str: "x", float: 0.5, int: 1, bool: False, datetime: datetime.now(UTC)}
    for name in ("predictions", "validations"):
        row = {
            column.name: {} if isinstance(column.type, JSON) else plain[column.type.python_type]
            for column in tables.tables[name].columns
            if not column.nullable and column.name != "prediction_id"
        }
        if name == "validations":
            row |= {"id": 1, "prediction_id": "x"}
        with database.write() as connection:
            connection.execute(tables.tables[name].insert().values(row))

    def words() -> int:
        with database.read() as connection:
            return int(connection.execute(text("SELECT count(*) FROM validations")).scalar_one())

    upgrade_schema(database)
    assert words() == 1
    downgrade_schema(database, "0001")
    assert words() == 1
    upgrade_schema(database)
    with database.write() as connection:  # what belongs to a prediction goes with it again
        connection.execute(text("DELETE FROM predictions"))
    assert words() == 0
    database.close()


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(upgrade_schema, databases))
    assert all(not status.pending for status in found)
    for database in databases:
        database.close()


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="was migrated by a newer Rayon"):
        schema_status(database)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://host/name", "is neither a SQLite file nor PostgreSQL"),
        ("sqlite://", "is neither a SQLite file nor PostgreSQL"),
        ("sqlite:///:memory:", "is neither a SQLite file nor PostgreSQL"),
        ("nonsense", "The database address cannot be understood"),
    ],
)
def test_other_addresses_are_refused(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        Database(url)


def test_no_password_is_shown() -> None:
    database = Database("postgresql://ann:geheim@127.0.0.1:1/none")
    assert "geheim" not in database.address
    with pytest.raises(StoreUnavailableError) as caught, database.read():
        pass
    assert "geheim" not in str(caught.value)
    assert caught.value.status == 503


def test_what_fails_leaves_nothing_behind(database: Database) -> None:
    def half() -> None:
        with database.write() as connection:
            connection.execute(
                text(
                    "INSERT INTO audit_log (at, actor, action, subject, detail) "
                    "VALUES ('2026-01-01', 'a', 'b', 'c', '{}')"
                )
            )
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit_log")).scalar_one() == 0


def test_a_closed_folder_says_so(closed: Path) -> None:
    with pytest.raises(StoreError, match="cannot be made"):
        Database(f"sqlite:///{closed / 'inner' / 'rayon.db'}")
    database = Database(f"sqlite:///{closed / 'rayon.db'}")
    with pytest.raises(StoreUnavailableError, match="unable to open database file"), database.read():
        pass
