"""The database: SQLite in a file, or PostgreSQL; connections, transactions and what goes wrong with them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    TimeoutError,
)

from rayon.errors import StoreError, StoreUnavailableError, StoreValueError

BUSY_SECONDS = 5
"""How long one process waits for another that writes to the same SQLite file."""

_MERGED_PAGES = 500
_WRITES = "rayon_writes"
_MIGRATES = "rayon_migrates"

__all__ = ["BUSY_SECONDS", "Database", "IntegrityError"]


class Database:
    """Short transactions on SQLite or PostgreSQL, from any number of threads.

    Parameters
    ----------
    url
        ``sqlite:///path/to/file.db`` or ``postgresql://user:password@host/name``.
    pool_size
        Connections that are kept open.

    Raises
    ------
    StoreError
        When the address cannot be understood, or its driver is not installed.
    """

    def __init__(self, url: str, pool_size: int = 8) -> None:
        self.engine = _make_engine(url, pool_size)

    @property
    def is_sqlite(self) -> bool:
        """Whether the data lies in a file of this machine."""
        return self.engine.dialect.name == "sqlite"

    @property
    def address(self) -> str:
        """The address without its password, for people."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give one consistent view of the data.

        Raises
        ------
        StoreUnavailableError
            When the database cannot be reached.
        """
        with self._transaction() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give one consistent view of the data for as long as it takes, whatever others store meanwhile.

        Raises
        ------
        StoreUnavailableError
            When the database cannot be reached.
        """
        # SQLite's readers have such a view anyway.
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._transaction(**options) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction: all of it is stored at the end, or none of it where an error leaves the block.

        Raises
        ------
        StoreUnavailableError
            When the database cannot be reached, is full, or is kept busy by others for too long.
        """
        with self._transaction(**{_WRITES: True}) as connection:
            yield connection

    @contextmanager
    def migrate(self) -> Iterator[Connection]:
        """Open a transaction that may make tables anew; see `write`.

        SQLite changes a table by copying and dropping it, and would delete what refers to its rows.

        Raises
        ------
        StoreError
            When something refers to rows that are not there any more; nothing has changed then.
        """
        with self._transaction(**{_WRITES: True, _MIGRATES: True}) as connection:
            yield connection
            if self.is_sqlite and (lost := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                raise StoreError(
                    f"Migrating {self.address} would leave rows of {lost[0]} that refer to nothing",
                    "Restore a backup, and report this",
                )

    def settle(self) -> None:
        """Leave no copy of what was deleted in a SQLite file and its log, unless somebody still reads it."""
        if self.is_sqlite:
            self._merge_search_index()
            with self.engine.connect() as connection:
                raw = connection.connection.driver_connection
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _merge_search_index(self) -> None:
        """Merge the segments of the full-text index into one, since words of deleted rows stay until then.

        This is done in steps, so that others can write in between.
        """
        pages, goes_on = -_MERGED_PAGES, True  # a negative number makes all segments ready to be merged
        while goes_on:
            with self.write() as connection:
                raw: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
                before = raw.total_changes
                raw.execute("INSERT INTO search_index(search_index, rank) VALUES ('merge', ?)", (pages,))
                goes_on = raw.total_changes - before > 1
            pages = _MERGED_PAGES

    @contextmanager
    def _transaction(self, **options: Any) -> Iterator[Connection]:
        try:
            connection = self.engine.connect().execution_options(**options)
            with connection, connection.begin():
                yield connection
        except IntegrityError:
            raise
        except DataError as error:
            raise StoreValueError(
                f"The database cannot hold this ({_reason(error)})", "Leave out characters that are no text"
            ) from None
        except (DBAPIError, TimeoutError) as error:
            raise StoreUnavailableError(
                f"The database {self.address} cannot be used ({_reason(error)})",
                "Try again in a moment; if it stays so, look at the database",
                public="The database cannot be used at the moment",
            ) from error


def _make_engine(url: str, pool_size: int) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            return create_engine(
                parsed,
                hide_parameters=True,  # errors are logged, and must not hold what sellers write
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_timeout=5,
                pool_pre_ping=True,
                connect_args={"connect_timeout": 5},
            )
        if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
            raise StoreError(
                f"The database address {parsed.render_as_string()} is neither a SQLite file nor PostgreSQL",
                "Give sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
            )
        _make_folder(Path(parsed.database).parent)
        engine = create_engine(
            parsed,
            hide_parameters=True,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=5,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
        )
    except ArgumentError:
        raise StoreError(
            "The database address cannot be understood",
            "Give sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
        ) from None
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(
            f"The driver of the database is not installed ({error})",
            "Install it with: pip install 'psycopg[binary]'",
        ) from None
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds what sellers send
    except OSError as error:
        raise StoreError(
            f"The folder {folder} of the database cannot be made ({error.strerror})",
            "Choose another with RAYON_HOME or RAYON_DATABASE",
        ) from None


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    _use_write_ahead_log(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # an answered prediction outlives a power cut
    cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
    cursor.close()


def _use_write_ahead_log(cursor: Any) -> None:
    # Unlike all else, this does not wait for another process that does the same to a new file.
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    # It holds for the connection, and within a transaction it could not be changed any more.
    connection.exec_driver_sql(f"PRAGMA foreign_keys = {'OFF' if options.get(_MIGRATES) else 'ON'}")
    # A transaction that reads first and writes later would fail where another wrote in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES) else "BEGIN")


def _reason(error: Exception) -> str:
    origin = getattr(error, "orig", None) or error
    text = " ".join(str(origin).split())
    return text[:200] or type(error).__name__
