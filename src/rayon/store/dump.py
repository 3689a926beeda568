"""All rows of the database as JSON Lines and back: the same from SQLite and from PostgreSQL, into either."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, DateTime, Integer, MetaData, Table, func, insert, inspect, select

from rayon.store.tables import metadata, sessions

_AT_ONCE = 1000


def table_names() -> list[str]:
    """All tables, each after those that it refers to; without the sessions, which end with the database."""
    return [table.name for table in metadata.sorted_tables if table is not sessions]


def dump_rows(connection: Connection, table_name: str) -> Iterator[str]:
    """Give the rows of a table as lines of JSON; moments are ISO 8601 in UTC."""
    query = select(metadata.tables[table_name]).execution_options(yield_per=_AT_ONCE)
    for row in connection.execute(query).mappings():
        yield json.dumps(dict(row), default=datetime.isoformat, ensure_ascii=False) + "\n"


def load_rows(connection: Connection, table_name: str, lines: Iterable[str]) -> int:
    """Insert lines of JSON into a table as it is in this database now, and say how many."""
    table = Table(table_name, MetaData(), autoload_with=connection)
    keeps_zones = connection.dialect.name != "sqlite"
    moments = [column.name for column in table.columns if isinstance(column.type, DateTime)]

    def row(line: str) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(line)
        for name in moments:
            if values.get(name) is not None:
                moment = datetime.fromisoformat(values[name])
                values[name] = moment if keeps_zones else moment.astimezone(UTC).replace(tzinfo=None)
        return values

    n, rows = 0, map(row, lines)
    while part := list(islice(rows, _AT_ONCE)):
        connection.execute(insert(table), part)
        n += len(part)
    if connection.dialect.name == "postgresql":
        _count_on(connection, table)
    return n


def is_empty(connection: Connection) -> bool:
    """Whether there is no row in any table."""
    there = set(inspect(connection).get_table_names()) & set(table_names())
    return not any(
        connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()
        for name in there
    )


def _count_on(connection: Connection, table: Table) -> None:
    """Have PostgreSQL number new rows after those that brought their numbers."""
    numbered = table.columns.get("id")
    if numbered is None or not isinstance(numbered.type, Integer):
        return
    highest = select(func.coalesce(func.max(numbered), 0) + 1).scalar_subquery()
    connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), highest, False)))
