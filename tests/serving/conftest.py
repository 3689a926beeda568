"""A service over each kind of database, with somebody of each role."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import httpx
import pytest

from rayon.learning.model import ProductClassifier
from rayon.operations.accounts import Accounts, Role
from rayon.operations.jobs import Jobs
from rayon.operations.passwords import hash_password
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.prediction_service import PredictionService
from rayon.operations.registry import Registry
from rayon.operations.retrainings import Retrainings
from rayon.serving.app import create_app
from rayon.serving.metrics import Metrics
from rayon.serving.server import Server, address_of, listen
from rayon.serving.services import Services
from rayon.store.accounts import add_user
from rayon.store.database import Database
from rayon.store.images import FolderImageStore

PASSWORD = "correct horse battery"
MAX_BODY = 3_000_000


@cache
def _hashed() -> str:
    return hash_password(PASSWORD)  # once: it is slow on purpose


@pytest.fixture
def served(database: Database, model: ProductClassifier, tmp_path: Path) -> Iterator[Services]:
    accounts, images = Accounts(database), FolderImageStore(tmp_path / "images")
    with database.write() as connection:
        for role in Role:
            add_user(connection, role.value, role, _hashed(), datetime.now(UTC))
    metrics = Metrics()
    recorder = PredictionRecorder(
        model, database, images, chance=lambda: 0.5, observe=metrics.count_predictions
    )
    predictions = PredictionService(recorder)
    jobs = Jobs(database, tmp_path / "jobs")
    registry = Registry(database, tmp_path / "models")
    yield Services(
        database,
        images,
        accounts,
        predictions,
        jobs,
        tmp_path / "exports",
        registry,
        Retrainings(database, tmp_path / "retrainings"),
        metrics=metrics,
    )
    predictions.close()


@pytest.fixture
def address(served: Services) -> Iterator[str]:
    """A real server on a free port of this machine."""
    listening = listen("127.0.0.1", 0)
    ready = threading.Event()
    server = Server(create_app(served, MAX_BODY), served, drain_seconds=0, ready=ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    assert ready.wait(30)
    yield address_of(listening)
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def anyone(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=30) as client:
        yield client


@pytest.fixture
def signed_in(served: Services, address: str) -> Iterator[Callable[[str], httpx.Client]]:
    """Make clients by the name of their user, each with a key of its own."""
    with ExitStack() as clients:

        def make(name: str) -> httpx.Client:
            _, secret = served.accounts.create_key(name, "test", "test")
            headers = {"Authorization": f"Bearer {secret}"}
            return clients.enter_context(httpx.Client(base_url=address, headers=headers, timeout=30))

        yield make


@pytest.fixture
def client(signed_in: Callable[[str], httpx.Client]) -> httpx.Client:
    return signed_in("client")


@pytest.fixture
def reviewer(signed_in: Callable[[str], httpx.Client]) -> httpx.Client:
    return signed_in("reviewer")


@pytest.fixture
def admin(signed_in: Callable[[str], httpx.Client]) -> httpx.Client:
    return signed_in("admin")
