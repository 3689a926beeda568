from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from rayon.data.listings import Listing
from rayon.errors import OverloadedError, StoreUnavailableError
from rayon.learning.model import ProductClassifier
from rayon.operations.accounts import Accounts
from rayon.operations.prediction_recorder import PredictionRecorder, Question
from rayon.operations.prediction_service import MAX_WAITING, PredictionService
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.predictions import PredictionFilter, StoredPrediction, list_predictions
from rayon.store.schema import downgrade_schema, upgrade_schema

POOL = Question(Listing("Piscine ronde 3 m avec pompe"))


@contextmanager
def serving(
    model: ProductClassifier, database: Database, folder: Path, max_waiting: int = MAX_WAITING, **options: Any
) -> Iterator[PredictionService]:
    images = FolderImageStore(folder / "images")
    service = PredictionService(PredictionRecorder(model, database, images, **options), max_waiting)
    try:
        yield service
    finally:
        service.close()


@contextmanager
def held(database: Database) -> Iterator[None]:
    """Keep everybody else from storing predictions."""
    with database.write() as connection:
        if not database.is_sqlite:  # SQLite has one writer at a time anyway
            connection.execute(text("LOCK TABLE predictions IN EXCLUSIVE MODE"))
        yield


def kept(database: Database) -> list[StoredPrediction]:
    with database.read() as connection:
        return list_predictions(connection, PredictionFilter(), 5000)


def test_what_was_answered_is_stored(model: ProductClassifier, database: Database, tmp_path: Path) -> None:
    with serving(model, database, tmp_path, max_waiting=100) as service:
        answers = [service.submit([POOL, POOL], None) for _ in range(50)]
        answered = [one for future in answers for one in future.result(60)]
        assert service.waiting == 0
    assert sorted(one.id for one in kept(database)) == sorted(one.id for one in answered)


@pytest.mark.parametrize(("drawn", "share"), [(0.009, 0.01), (0.01, 0.01), (0.5, 0.0)])
def test_the_audit_is_drawn_by_its_share_and_the_share_is_stored(
    model: ProductClassifier, database: Database, tmp_path: Path, drawn: float, share: float
) -> None:
    with serving(model, database, tmp_path, audit_share=share, chance=lambda: drawn) as service:
        (one,) = service.submit([POOL], None).result(60)
    waits = "review" if one.decision == "review" else None
    assert one.queued_for == ("audit" if drawn < share else waits)
    assert kept(database)[0].audit_probability == share


def test_too_many_are_refused_at_once_and_the_others_answered(
    model: ProductClassifier, database: Database, tmp_path: Path
) -> None:
    with serving(model, database, tmp_path, max_waiting=3) as service:
        with held(database):
            waiting = [service.submit([POOL], None) for _ in range(3)]
            with pytest.raises(OverloadedError, match="3 listings are waiting already"):
                service.submit([POOL], None)
            with pytest.raises(OverloadedError):
                service.refuse_if_full()
        assert len([future.result(60) for future in waiting]) == 3
        many = service.submit([POOL] * 10, None)  # more than may wait, where nobody does
        assert len(many.result(60)) == 10
    assert len(kept(database)) == 13


def test_what_nobody_waits_for_any_more_is_not_done(
    model: ProductClassifier, database: Database, tmp_path: Path
) -> None:
    with serving(model, database, tmp_path) as service:
        with held(database):
            first = service.submit([POOL], None)
            while not first.running():
                assert not first.done()
            late = service.submit([POOL], None)
            assert late.cancel()
        first.result(60)
    assert len(kept(database)) == 1
    assert service.waiting == 0


def test_without_a_table_there_is_an_error_and_then_it_goes_on(
    model: ProductClassifier, database: Database, tmp_path: Path
) -> None:
    with serving(model, database, tmp_path) as service:
        downgrade_schema(database, "base")
        with pytest.raises(StoreUnavailableError):
            service.submit([POOL], None).result(60)
        upgrade_schema(database)
        assert service.submit([POOL], None).result(60)
    assert len(kept(database)) == 1


def test_closing_answers_what_was_asked_and_refuses_the_rest(
    model: ProductClassifier, database: Database, tmp_path: Path
) -> None:
    recorder = PredictionRecorder(model, database, FolderImageStore(tmp_path))
    service = PredictionService(recorder, max_waiting=100)
    answers = [service.submit([POOL], None) for _ in range(100)]
    service.close()
    service.close()
    assert all(future.done() for future in answers)
    with pytest.raises(OverloadedError, match="The service is stopping"):
        service.submit([POOL], None)
    assert len(kept(database)) == 100


def test_many_threads_each_get_their_own_answers(
    model: ProductClassifier, database: Database, tmp_path: Path
) -> None:
    mixed: list[tuple[str, StoredPrediction]] = []

    def ask(service: PredictionService, number: int) -> None:
        for turn in range(20):
            title = f"Lampe {number} {turn}"
            mixed.extend((title, one) for one in service.submit([Question(Listing(title))], None).result(60))

    with serving(model, database, tmp_path) as service, ExitStack() as stack:
        for number in range(8):
            thread = threading.Thread(target=ask, args=(service, number))
            stack.callback(thread.join)
            thread.start()
    assert len(mixed) == 160
    assert all(title == one.designation for title, one in mixed)


def test_an_empty_listing_is_answered_by_an_error_and_not_stored(
    model: ProductClassifier, database: Database, tmp_path: Path
) -> None:
    with serving(model, database, tmp_path) as service:
        future: Future[list[StoredPrediction]] = service.submit([Question(Listing()), POOL], None)
        empty, full = future.result(60)
    assert (empty.code, bool(empty.error)) == ("", True)
    assert [one.id for one in kept(database)] == [full.id]


def test_what_a_deleted_user_asked_stays_and_the_others_are_answered(
    model: ProductClassifier, database: Database, tmp_path: Path
) -> None:
    accounts = Accounts(database)
    ann, bob = (accounts.create(name, "correct horse", "client", "test") for name in ("ann", "bob"))
    accounts.delete("ann", "test")
    recorder = PredictionRecorder(model, database, FolderImageStore(tmp_path))
    recorder.record([POOL, POOL, POOL], [ann.id, bob.id, None])
    assert sorted(str(one.user_id) for one in kept(database)) == sorted(["None", bob.id, "None"])
