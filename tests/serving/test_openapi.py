"""Schemathesis over the whole OpenAPI document: generated requests, all checks, no failure."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rayon.learning.model import ProductClassifier
from rayon.operations.accounts import Accounts
from rayon.operations.jobs import Jobs
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.prediction_service import PredictionService
from rayon.operations.registry import Registry
from rayon.operations.retrainings import Retrainings
from rayon.serving.app import create_app
from rayon.serving.server import Server, address_of, listen
from rayon.serving.services import Services
from rayon.store.database import Database
from rayon.store.images import FolderImageStore

OWN = r"/keys/|/users/\{name\}"
"""Apart from the rest: who revokes the key or deletes the user of all requests has tested nothing more."""

PASSWORD = "correct horse battery"

# Not everything that a request has to keep to can be said in JSON Schema: an empty listing, a verdict that
# does not go with a code. Such a request is well formed and is answered 400.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 409, 429, 503]

# In a form everything is text: a number where the document says string cannot be told from one.
[[operations]]
include-name = "POST /api/v1/predictions"
checks.negative_data_rejection.enabled = false

# Each of these starts a process; the tests of the command line have some.
[[operations]]
include-path = "/api/v1/monitoring"
include-method = "POST"
enabled = false

# Nor that a part of a form has to be a file, with a name.
[[operations]]
include-path = "/api/v1/jobs"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 422, 429, 503]
"""


@pytest.fixture
def served(database: Database, model: ProductClassifier, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address and key of a service that never slows sign-ins: wrong credentials are tried by the hundred."""
    accounts, images = Accounts(database, free_attempts=10**9), FolderImageStore(tmp_path / "images")
    accounts.create("admin", PASSWORD, "admin", "test")
    _, secret = accounts.create_key("admin", "test", "test")
    predictions = PredictionService(PredictionRecorder(model, database, images), max_waiting=10**6)
    jobs = Jobs(database, tmp_path / "jobs")
    registry = Registry(database, tmp_path / "models")
    services = Services(
        database,
        images,
        accounts,
        predictions,
        jobs,
        tmp_path / "exports",
        registry,
        Retrainings(database, tmp_path / "retrainings"),
    )
    listening, ready = listen("127.0.0.1", 0), threading.Event()
    server = Server(create_app(services), services, drain_seconds=0, ready=ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    assert ready.wait(30)
    yield address_of(listening), secret
    server.should_exit = True
    thread.join(30)


@pytest.mark.proof
@pytest.mark.parametrize("chosen", [f"--exclude-path-regex={OWN}", f"--include-path-regex={OWN}"])
def test_generated_requests(served: tuple[str, str], tmp_path: Path, chosen: str) -> None:
    address, secret = served
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            f"--config-file={config}",
            "run",
            f"{address}/openapi.json",
            f"--header=Authorization: Bearer {secret}",
            "--max-examples=25",
            "--seed=1",
            chosen,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-10_000:]
    if chosen.startswith("--exclude"):  # one may: it asks for the current password
        assert "operations returned only 401/403" not in done.stdout
