"""``rayon worker``: work jobs off, in the foreground."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from rayon.cli.console import say
from rayon.errors import ModelError
from rayon.learning.model import ProductClassifier
from rayon.operations.jobs import Worker
from rayon.operations.prediction_recorder import PredictionRecorder, warm_up
from rayon.settings import Settings
from rayon.store.database import Database
from rayon.store.images import ImageStore
from rayon.store.schema import upgrade_schema


def worker(
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="MODEL_DIR", help="What answers; RAYON_MODEL where not given."),
    ] = None,
) -> None:
    """Classify the files that were sent as jobs; any number of workers share them.

    It needs the same RAYON_HOME and RAYON_DATABASE as the service.

    Example: rayon worker --model model
    """
    settings = Settings()
    folder = model or settings.model
    if folder is None:
        raise ModelError("No model is named", "Give one with --model, or train one: rayon train --help")
    classifier = ProductClassifier.load(folder, cache=None, threads=settings.threads)
    warm_up(classifier)
    database = Database(settings.database_url)
    upgrade_schema(database)
    recorder = PredictionRecorder(
        classifier, database, ImageStore(settings.images), audit_share=settings.audit_share
    )
    running = Worker(recorder, database, settings.jobs)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        running.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    say(f"Working on jobs of {database.address}; Ctrl-C stops after the current part")
    running.run()
    database.close()
    say("Stopped.")
