"""``rayon serve``: the service, in the foreground."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.console import say
from rayon.errors import ModelError
from rayon.learning.model import ProductClassifier
from rayon.operations.accounts import Accounts
from rayon.operations.jobs import Jobs, Worker
from rayon.operations.prediction_recorder import PredictionRecorder, warm_up
from rayon.operations.prediction_service import PredictionService
from rayon.serving.app import create_app
from rayon.serving.server import Server, address_of, listen
from rayon.serving.services import Services
from rayon.settings import Settings
from rayon.store.database import Database
from rayon.store.images import ImageStore
from rayon.store.schema import upgrade_schema

HOST, PORT = "127.0.0.1", 8000


def serve(
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="MODEL_DIR", help="What answers; RAYON_MODEL where not given."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = PORT,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Leave jobs to `rayon worker`.")] = False,
) -> None:
    """Serve predictions over HTTP; the page /docs shows what can be asked.

    Make the first administrator with: rayon users create NAME --role admin

    Example: rayon serve --model model
    """
    settings = Settings()
    run_service(settings, model_folder(settings, model), host, port, worker=not no_worker)


def run_service(settings: Settings, folder: Path, host: str, port: int, *, worker: bool = True) -> None:
    """Load the model, bring the database up to date, and serve until told to stop."""
    listening = listen(host, port)
    recorder, database, images = open_recorder(settings, folder)
    accounts = Accounts(database)
    if not accounts.users():
        say("There is no user yet; make one with: rayon users create NAME --role admin")
    predictions = PredictionService(recorder, settings.max_waiting)
    jobs = Jobs(database, settings.jobs)
    services = Services(database, images, accounts, predictions, jobs, settings.deadline)
    server = Server(
        create_app(services),
        services,
        drain_seconds=settings.drain_seconds,
        ready=lambda: say(f"Serving on {address_of(listening)} with {database.address}; Ctrl-C stops"),
    )
    # An interrupt is raised again once everything has ended: that is how this stops.
    background = _background_worker(recorder, database, settings) if worker else nullcontext()
    with background, suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    database.close()
    say("Stopped.")


def open_recorder(settings: Settings, folder: Path) -> tuple[PredictionRecorder, Database, ImageStore]:
    """Load and try the model, and open where its answers are kept, the tables up to date."""
    say(f"Loading {folder}")
    classifier = ProductClassifier.load(folder, cache=None, threads=settings.threads)
    warm_up(classifier)
    database = Database(settings.database_url)
    upgrade_schema(database)
    images = ImageStore(settings.images)
    recorder = PredictionRecorder(classifier, database, images, audit_share=settings.audit_share)
    return recorder, database, images


def model_folder(settings: Settings, given: Path | None) -> Path:
    """Decide which model to serve.

    Raises
    ------
    ModelError
        When none is named.
    """
    folder = given or settings.model
    if folder is None:
        raise ModelError("No model is named", "Give one with --model, or train one: rayon train --help")
    return folder


@contextmanager
def _background_worker(
    recorder: PredictionRecorder, database: Database, settings: Settings
) -> Iterator[None]:
    worker = Worker(recorder, database, settings.jobs)
    thread = threading.Thread(target=worker.run, name="rayon-worker")
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()
