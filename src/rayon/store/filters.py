"""Which predictions to list: filters as conditions that follow an index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, literal_column

from rayon.store.search import is_found
from rayon.store.tables import predictions


@dataclass(frozen=True, slots=True)
class PredictionFilter:
    """Which predictions to list; what is ``None`` does not restrict.

    ``search`` has words of the listing, the last of which may be the beginning of one.
    """

    search: str | None = None
    decision: str | None = None
    code: str | None = None
    true_code: str | None = None
    model_version: str | None = None
    user_id: str | None = None
    productid: str | None = None
    job_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    validated: bool | None = None
    correct: bool | None = None
    queued: bool | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    before: str | None = None


def filter_conditions(
    connection: Connection, wanted: PredictionFilter, *, in_list: bool = False
) -> list[ColumnElement[bool]]:
    """Make the conditions that a filter stands for.

    Parameters
    ----------
    connection
        To the database that is asked.
    wanted
        The filter.
    in_list
        Whether the index that lists are read from is to be followed.
    """

    def column(name: str) -> ColumnElement[Any]:
        return _of_the_list(connection, name) if in_list else predictions.c[name]

    conditions = _conditions(wanted, column)
    if wanted.search is not None:
        conditions.append(is_found(connection, wanted.search))
    if wanted.before is not None:
        conditions.append(predictions.c.id < wanted.before)
    return conditions


def _of_the_list(connection: Connection, name: str) -> ColumnElement[Any]:
    """Give a column to filter lists by.

    SQLite would take the index of a user or a job, and read all their predictions to sort them; it looks for
    no such index with the plus.
    """
    column = predictions.c[name]
    if name == "productid" or connection.dialect.name != "sqlite":
        return column
    return literal_column(f"+predictions.{name}", column.type)


def _conditions(
    wanted: PredictionFilter, column: Callable[[str], ColumnElement[Any]]
) -> list[ColumnElement[bool]]:
    equal = ("decision", "code", "true_code", "model_version", "user_id", "productid", "job_id")
    conditions = [
        column(name) == getattr(wanted, name) for name in equal if getattr(wanted, name) is not None
    ]
    if wanted.since is not None:
        conditions.append(column("created_at") >= wanted.since)
    if wanted.until is not None:
        conditions.append(column("created_at") < wanted.until)
    if wanted.min_confidence is not None:
        conditions.append(column("confidence") >= wanted.min_confidence)
    if wanted.max_confidence is not None:
        conditions.append(column("confidence") <= wanted.max_confidence)
    if wanted.correct is not None:
        said, code = column("true_code"), column("code")
        conditions.append(said == code if wanted.correct else said != code)
    for name, is_there in (("validated_at", wanted.validated), ("queued_for", wanted.queued)):
        if is_there is not None:
            conditions.append(column(name).is_not(None) if is_there else column(name).is_(None))
    return conditions
