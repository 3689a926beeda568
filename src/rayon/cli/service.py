"""One process of the service, put together: model, database, queue, endpoints, background work."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from rayon.cli.attendance import attending
from rayon.cli.tracking import open_tracking
from rayon.errors import ModelError
from rayon.learning.model import ProductClassifier
from rayon.operations.accounts import Accounts
from rayon.operations.hot_swap import ModelFollower, settle_memory
from rayon.operations.jobs import Jobs, Worker
from rayon.operations.mirroring import BackgroundMirror
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.prediction_service import PredictionService
from rayon.operations.registry import Registry
from rayon.operations.retrainings import Retrainings
from rayon.operations.smoke import run_smoke_set
from rayon.serving.admission import Admission
from rayon.serving.app import create_app
from rayon.serving.metrics import Metrics
from rayon.serving.server import Server
from rayon.serving.services import Services
from rayon.settings import Settings
from rayon.store.database import Database
from rayon.store.images import open_images
from rayon.store.schema import upgrade_schema


def model_folder(settings: Settings, registry: Registry, given: Path | None) -> Path:
    """Decide which model answers at first: the one that is named, or the champion.

    Raises
    ------
    ModelError
        When there is neither.
    """
    named = given or settings.model
    if named is not None:
        return named
    champion = registry.champion()
    if champion is None:
        raise ModelError(
            "No model is named, and none is registered",
            "Name one with --model, or register one: rayon models import MODEL_DIR --promote",
        )
    return registry.folder_of(champion)


@contextmanager
def following(
    settings: Settings, registry: Registry, folder: Path, recorder: PredictionRecorder, *, pinned: bool
) -> Iterator[ModelFollower | None]:
    """Follow the champion and its brake in the background, unless one model is pinned."""
    if pinned:
        yield None
        return

    def swap(model: ProductClassifier) -> None:
        recorder.model = model

    look = recorder.look_at_brakes
    look()  # before anything is answered
    follower = ModelFollower(registry, partial(load_model, settings), swap, folder.name, look)
    thread = threading.Thread(target=follower.run, name="rayon-follower")
    thread.start()
    try:
        yield follower
    finally:
        follower.stop()
        thread.join()


def known_models(settings: Settings, given: Sequence[Path] = ()) -> list[Path]:
    """Find the model folders that this installation knows: those that are named, and those in its home."""
    named = [*given, *([settings.model] if settings.model else [])]
    kept = sorted(path.parent for path in settings.models.glob("*/model.json"))
    return list({folder.resolve(): folder for folder in [*named, *kept]}.values())


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the database, its tables up to date."""
    with suppress(OSError):  # whoever cannot make it is told so by what needs it
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database_url)
    try:
        upgrade_schema(database)
        yield database
    finally:
        database.close()


def load_model(settings: Settings, folder: Path) -> ProductClassifier:
    """Load a model and try it."""
    model = ProductClassifier.load(folder, cache=None, threads=settings.threads)
    run_smoke_set(model)
    return model


def serve_process(
    settings: Settings,
    given: Path | None,
    listening: socket.socket,
    *,
    ready: Callable[[], None],
    metrics: Metrics,
    jobs_when: Callable[[], bool] | None,
) -> None:
    """Serve on a socket until SIGTERM or SIGINT, then end what has begun.

    Parameters
    ----------
    settings, given
        What is set, and the model folder where one is pinned.
    listening
        The socket.
    ready
        Called once requests are answered.
    metrics
        Where to count.
    jobs_when
        Asked, again and again, whether this process works on jobs; ``None`` where it never does.
    """
    with open_database(settings) as database:
        registry = Registry(database, settings.models)
        folder = model_folder(settings, registry, given)
        model = load_model(settings, folder)
        settle_memory()
        images = open_images(settings.images_location)
        recorder = PredictionRecorder(
            model,
            database,
            images,
            audit_share=settings.audit_share,
            observe=metrics.count_predictions,
        )
        pinned = given is not None or settings.model is not None
        with following(settings, registry, folder, recorder, pinned=pinned) as follower:
            services = Services(
                database=database,
                images=images,
                accounts=Accounts(database),
                predictions=PredictionService(recorder, settings.max_waiting),
                jobs=Jobs(database, settings.jobs),
                exports=settings.home / "exports",
                registry=registry,
                follower=follower,
                pinned=given or settings.model,
                retrainings=Retrainings(database, settings.retrainings),
                mirror=BackgroundMirror(open_tracking(settings), registry).refresh,
                deadline=settings.deadline,
                metrics=metrics,
                admission=Admission(settings.max_waiting),
                reports=settings.reports,
            )
            app = create_app(services)
            server = Server(app, services, drain_seconds=settings.drain_seconds, ready=ready)
            worker = Worker(recorder, database, settings.jobs)
            with _in_background(worker, jobs_when), _attending(settings, database, jobs_when):
                server.run(sockets=[listening])


@contextmanager
def _attending(settings: Settings, database: Database, when: Callable[[], bool] | None) -> Iterator[None]:
    if when is None:
        yield
        return
    with attending(settings, database, when):
        yield


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
