from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rayon.store.accounts import add_user, delete_user
from rayon.store.database import Database
from rayon.store.identifiers import new_id
from rayon.store.predictions import (
    PredictionFilter,
    StoredPrediction,
    add_predictions,
    add_validation,
    find_prediction,
    list_predictions,
    list_validations,
)
from rayon.store.review import lease_next

NOW = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)  # while clocks change in France


def stored(**values: object) -> StoredPrediction:
    plain = StoredPrediction(
        id=new_id(),
        created_at=NOW,
        user_id=None,
        designation="Lampe « rouge » 灯 \N{GRINNING FACE}",
        description="",
        productid="p1",
        imageid="",
        image=None,
        code="2060",
        label="Home decoration",
        confidence=0.5,
        decision="review",
        reason="below_threshold",
        threshold=0.7,
        modalities=["text"],
        degraded=False,
        alternatives=[{"code": "1920", "label": "Linen", "confidence": 0.25}],
        scores={"text": {"code": "2060", "label": "Home decoration", "confidence": 0.5}},
        error="",
        model_version="v1",
        queued_for="review",
        audit_probability=0.01,
    )
    return replace(plain, **values)  # type: ignore[arg-type]


def put(database: Database, *rows: StoredPrediction) -> None:
    with database.write() as connection:
        add_predictions(connection, rows)


def test_what_is_stored_comes_back_the_same(database: Database) -> None:
    row = stored(created_at=NOW.astimezone())
    put(database, row)
    with database.read() as connection:
        assert find_prediction(connection, row.id) == row
        assert find_prediction(connection, new_id()) is None


def test_identifiers_are_unique_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert all(one[14] == "7" and one[19] in "89ab" for one in ids)
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (PredictionFilter(), [3, 2, 1, 0]),
        (PredictionFilter(decision="accept"), [3, 1]),
        (PredictionFilter(code="10"), [1]),
        (PredictionFilter(model_version="v2"), [2]),
        (PredictionFilter(productid="p9"), [0]),
        (PredictionFilter(min_confidence=0.6), [3, 2]),
        (PredictionFilter(max_confidence=0.6), [2, 1, 0]),
        (PredictionFilter(since=NOW + timedelta(seconds=1), until=NOW + timedelta(seconds=3)), [2, 1]),
        (PredictionFilter(queued=False), [3, 1]),
        (PredictionFilter(validated=True), [3, 2]),
        (PredictionFilter(correct=True), [2]),
        (PredictionFilter(correct=False), [3]),
        (PredictionFilter(validated=False, decision="review"), [0]),
        (PredictionFilter(user_id="nobody"), []),
    ],
)
def test_filters(database: Database, wanted: PredictionFilter, expected: list[int]) -> None:
    ids = sorted(new_id() for _ in range(4))
    rows = [
        stored(id=ids[0], productid="p9", confidence=0.1),
        stored(id=ids[1], code="10", decision="accept", queued_for=None),
        stored(id=ids[2], model_version="v2", confidence=0.6),
        stored(id=ids[3], decision="accept", confidence=0.9, queued_for=None),
    ]
    rows = [replace(row, created_at=NOW + timedelta(seconds=i)) for i, row in enumerate(rows)]
    put(database, *rows)
    with database.write() as connection:
        add_validation(connection, ids[2], None, "right", "2060", "", NOW)
        add_validation(connection, ids[3], None, "wrong", "10", "", NOW)
    with database.read() as connection:
        found = list_predictions(connection, wanted, 10)
        assert [ids.index(one.id) for one in found] == expected
        paged = [
            list_predictions(connection, replace(wanted, before=before), 1)
            for before in [None, *[one.id for one in found]]
        ]
    assert [page[0] for page in paged[:-1]] == found
    assert paged[-1] == []


def test_the_latest_word_counts_and_undo_brings_the_one_before_back(database: Database) -> None:
    row = stored()
    put(database, row)

    def say(verdict: str, code: str | None) -> tuple[str | None, bool]:
        with database.write() as connection:
            add_validation(connection, row.id, None, verdict, code, "", NOW)  # type: ignore[arg-type]
        with database.read() as connection:
            found = find_prediction(connection, row.id)
        assert found is not None
        return found.true_code, found.validated_at is not None

    assert say("right", "2060") == ("2060", True)
    assert say("wrong", "10") == ("10", True)
    assert say("undone", None) == ("2060", True)
    assert say("undone", None) == (None, False)
    assert say("undone", None) == (None, False)
    assert say("wrong", "10") == ("10", True)
    with database.read() as connection:
        history = list_validations(connection, row.id)
    assert [one.verdict for one in history] == ["right", "wrong", "undone", "undone", "undone", "wrong"]


def test_a_deleted_user_leaves_predictions_behind(database: Database) -> None:
    with database.write() as connection:
        user = add_user(connection, "ann", "client", "x", NOW)
        row = stored(user_id=user.id)
        add_predictions(connection, [row])
        delete_user(connection, user.id)
    with database.read() as connection:
        found = find_prediction(connection, row.id)
    assert found == replace(row, user_id=None)


def test_leases_go_by_usefulness_expire_and_are_kept_by_who_asks_again(database: Database) -> None:
    first, second = stored(priority=0.9), stored(priority=0.5)
    put(database, first, second, stored(queued_for=None))
    later = NOW + timedelta(minutes=10)

    def ask(user: str, now: datetime = NOW) -> str | None:
        with database.write() as connection:
            found = lease_next(connection, user, now, now + timedelta(minutes=10))
        return found.id if found else None

    assert ask("ann") == first.id
    assert ask("bob") == second.id
    assert ask("cem") is None
    assert ask("bob") == second.id
    assert ask("cem", later) == first.id
    with database.write() as connection:
        add_validation(connection, first.id, None, "right", "2060", "", NOW)
        add_validation(connection, second.id, None, "right", "2060", "", NOW)
    assert ask("ann", later) is None


def test_no_two_reviewers_get_the_same_listing(database: Database) -> None:
    put(database, *(stored() for _ in range(30)))
    taken: list[str] = []

    def review(user: str) -> None:
        while True:
            with database.write() as connection:
                found = lease_next(connection, user, NOW, NOW + timedelta(minutes=10))
                if found is not None:
                    add_validation(connection, found.id, None, "right", "2060", "", NOW)
            if found is None:
                return
            taken.append(found.id)

    threads = [threading.Thread(target=review, args=(f"user{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(taken) == len(set(taken)) == 30
