"""No query of the review queue, of lists and of searches reads a whole table, however much there is."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from rayon.store.database import Database
from rayon.store.identifiers import new_id
from rayon.store.predictions import (
    PredictionFilter,
    StoredPrediction,
    add_predictions,
    find_validation,
    list_predictions,
    list_validations,
)
from rayon.store.review import count_progress, lease, lease_next, next_near_ranks, waiting_texts
from rayon.store.windows import validated_since

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
N = 3000

QUERIES: dict[str, Callable[[Connection], Any]] = {
    "useful": lambda c: lease(c, "ann", NOW, LATER, count=8),
    "age": lambda c: lease(c, "ann", NOW, LATER, count=8, order="age"),
    "confidence": lambda c: lease(c, "ann", NOW, LATER, count=8, order="confidence"),
    "code": lambda c: lease(c, "ann", NOW, LATER, count=8, code="7"),
    "progress": lambda c: count_progress(c, "ann", NOW),
    "code by age": lambda c: lease(c, "ann", NOW, LATER, count=8, order="age", code="7"),
    "next": lambda c: lease_next(c, "ann", NOW, LATER),
    "similar": lambda c: waiting_texts(c, "7", "ann", NOW, [], 100),
    "near ranks": lambda c: next_near_ranks(c, ["key 1", "key 2"]),
    "token": lambda c: find_validation(c, "token"),
    "validated since": lambda c: validated_since(c, NOW),
    "words": lambda c: list_validations(c, "id"),
}
FILTERS = [
    PredictionFilter(),
    PredictionFilter(decision="accept"),
    PredictionFilter(code="7"),
    PredictionFilter(true_code="8"),
    PredictionFilter(model_version="v"),
    PredictionFilter(user_id="ann"),
    PredictionFilter(productid="12"),
    PredictionFilter(job_id="job"),
    PredictionFilter(since=NOW),
    PredictionFilter(until=NOW),
    PredictionFilter(validated=True),
    PredictionFilter(validated=False),
    PredictionFilter(correct=True),
    PredictionFilter(correct=False),
    PredictionFilter(queued=True, validated=False),
    PredictionFilter(min_confidence=0.9),
    PredictionFilter(max_confidence=0.1),
    PredictionFilter(before="0199"),
    PredictionFilter(user_id="ann", job_id="job", code="7", since=NOW, until=LATER, correct=False),
    PredictionFilter(search="objet 12"),
    PredictionFilter(search="texte", code="7", correct=False, before="0199"),
]


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
    for statement, plan in _plans(filled, QUERIES[name]):
        assert not _whole_tables(filled, plan), (statement, plan)


def test_lists_read_no_rows_but_those_they_show(filled: Database) -> None:
    for wanted in FILTERS:
        plans = _plans(filled, lambda c, wanted=wanted: list_predictions(c, wanted, 51))  # type: ignore[misc]
        for statement, plan in plans:
            assert not _whole_tables(filled, plan), (wanted, statement, plan)
            if filled.is_sqlite and wanted.productid is None and wanted.search is None:
                assert len([step for step in plan if "predictions USING INDEX" in step]) == 1, (wanted, plan)


def _plans(database: Database, ask: Callable[[Connection], Any]) -> list[tuple[str, list[str]]]:
    """What is asked of the database, and how it goes about it."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    with database.write() as connection:
        ask(connection)
    event.remove(database.engine, "before_cursor_execute", note)
    assert asked
    return [(statement, _plan(database, statement, parameters)) for statement, parameters in asked]


def _plan(database: Database, statement: str, parameters: Any) -> list[str]:
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.read() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # small tables are read whole anyway
        rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)
        return [str(row[-1]) for row in rows]


def _whole_tables(database: Database, plan: list[str]) -> list[str]:
    """Steps that read all rows of a table, be it in the order of an index of whatever is in them."""
    if not database.is_sqlite:
        return [step for step in plan if "Seq Scan" in step]
    narrow = "COVERING INDEX|INDEX ix_predictions_waiting|VIRTUAL TABLE INDEX 0:M"
    tables = "predictions|validations|search_texts|search_index"
    return [step for step in plan if re.match(rf"SCAN ({tables})\b(?!.*({narrow}))", step)]
