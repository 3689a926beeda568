"""One process of the service, put together: model, database, queue, endpoints, background work."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rayon.errors import ModelError
from rayon.learning.model import ProductClassifier
from rayon.operations.accounts import Accounts
from rayon.operations.jobs import Jobs, Worker
from rayon.operations.prediction_recorder import PredictionRecorder, warm_up
from rayon.operations.prediction_service import PredictionService
from rayon.serving.admission import Admission
from rayon.serving.app import create_app
from rayon.serving.metrics import Metrics
from rayon.serving.server import Server
from rayon.serving.services import Services
from rayon.settings import Settings
from rayon.store.database import Database
from rayon.store.images import open_images
from rayon.store.schema import upgrade_schema


def model_folder(settings: Settings, given: Path | None) -> Path:
    """Decide which model answers.

    Raises
    ------
    ModelError
        When none is named.
    """
    folder = given or settings.model
    if folder is None:
        raise ModelError("No model is named", "Give one with --model, or train one: rayon train --help")
    return folder


def known_models(settings: Settings, given: Sequence[Path] = ()) -> list[Path]:
    """Find the model folders that this installation knows: those that are named, and those in its home."""
    named = [*given, *([settings.model] if settings.model else [])]
    kept = sorted(path.parent for path in settings.models.glob("*/model.json"))
    return list({folder.resolve(): folder for folder in [*named, *kept]}.values())


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the database, its tables up to date."""
    database = Database(settings.database_url)
    try:
        upgrade_schema(database)
        yield database
    finally:
        database.close()


def load_model(settings: Settings, folder: Path) -> ProductClassifier:
    """Load a model and try it."""
    model = ProductClassifier.load(folder, cache=None, threads=settings.threads)
    warm_up(model)
    return model


def serve_process(
    settings: Settings,
    folder: Path,
    listening: socket.socket,
    *,
    ready: Callable[[], None],
    metrics: Metrics,
    jobs_when: Callable[[], bool] | None,
) -> None:
    """Serve on a socket until SIGTERM or SIGINT, then end what has begun.

    Parameters
    ----------
    settings, folder
        What is set, and the model.
    listening
        The socket.
    ready
        Called once requests are answered.
    metrics
        Where to count.
    jobs_when
        Asked, again and again, whether this process works on jobs; ``None`` where it never does.
    """
    model = load_model(settings, folder)
    gc.collect()
    gc.freeze()  # what is there now stays; looking through it again and again would hold up requests
    with open_database(settings) as database:
        images = open_images(settings.images_location)
        recorder = PredictionRecorder(
            model,
            database,
            images,
            audit_share=settings.audit_share,
            observe=metrics.count_predictions,
        )
        services = Services(
            database=database,
            images=images,
            accounts=Accounts(database),
            predictions=PredictionService(recorder, settings.max_waiting),
            jobs=Jobs(database, settings.jobs),
            exports=settings.home / "exports",
            deadline=settings.deadline,
            metrics=metrics,
            admission=Admission(settings.max_waiting),
        )
        server = Server(create_app(services), services, drain_seconds=settings.drain_seconds, ready=ready)
        worker = Worker(recorder, database, settings.jobs)
        with _in_background(worker, jobs_when):
            server.run(sockets=[listening])


@contextmanager
def _in_background(worker: Worker, when: Callable[[], bool] | None) -> Iterator[None]:
    if when is None:
        yield
        return
    thread = threading.Thread(target=worker.run, args=(when,), name="rayon-worker")
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()
