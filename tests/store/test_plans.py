"""No query of the review queue reads a whole table, however long the queue is."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from rayon.store.database import Database
from rayon.store.identifiers import new_id
from rayon.store.predictions import StoredPrediction, add_predictions, find_validation
from rayon.store.review import count_progress, lease, next_near_ranks, waiting_texts

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
N = 3000

QUERIES: dict[str, Callable[[Connection], Any]] = {
    "useful": lambda c: lease(c, "ann", NOW, LATER, count=8),
    "age": lambda c: lease(c, "ann", NOW, LATER, count=8, order="age"),
    "confidence": lambda c: lease(c, "ann", NOW, LATER, count=8, order="confidence"),
    "code": lambda c: lease(c, "ann", NOW, LATER, count=8, code="7"),
    "progress": lambda c: count_progress(c, "ann", NOW),
    "similar": lambda c: waiting_texts(c, "7", "ann", NOW, [], 100),
    "near ranks": lambda c: next_near_ranks(c, ["key 1", "key 2"]),
    "token": lambda c: find_validation(c, "token"),
}


@pytest.fixture
def filled(database: Database) -> Database:
    def row(number: int) -> StoredPrediction:
        waits = number % 20 == 0
        return StoredPrediction(
            id=new_id(),
            created_at=NOW,
            user_id=None,
            designation=f"objet {number}",
            description="texte",
            productid=str(number),
            imageid="",
            image=None,
            code=str(number % 27),
            label="",
            confidence=(number % 100) / 100,
            decision="review" if waits else "accept",
            reason="confident",
            threshold=None,
            modalities=["text"],
            degraded=False,
            alternatives=[],
            scores={},
            error="",
            model_version="v",
            queued_for=("audit" if number % 200 == 0 else "review") if waits else None,
            audit_probability=0.01,
            priority=(number % 83) / 83 if waits else None,
            near_key=f"key {number % 50}" if waits else None,
            near_rank=number // 50 if waits else None,
        )

    with database.write() as connection:
        add_predictions(connection, [row(number) for number in range(N)])
    with database.write() as connection:
        connection.execute(text("ANALYZE"))
    return database


@pytest.mark.parametrize("name", QUERIES)
def test_queries_follow_an_index(filled: Database, name: str) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(filled.engine, "before_cursor_execute", note)
    with filled.write() as connection:
        QUERIES[name](connection)
    event.remove(filled.engine, "before_cursor_execute", note)
    assert asked
    for statement, parameters in asked:
        plan = _plan(filled, statement, parameters)
        assert not _whole_tables(filled, plan), (statement, plan)


def _plan(database: Database, statement: str, parameters: Any) -> list[str]:
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.read() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # small tables are read whole anyway
        rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)
        return [str(row[-1]) for row in rows]


def _whole_tables(database: Database, plan: list[str]) -> list[str]:
    if database.is_sqlite:
        return [step for step in plan if re.match(r"SCAN (?!CONSTANT)(?!.*INDEX)", step)]
    return [step for step in plan if "Seq Scan" in step]
