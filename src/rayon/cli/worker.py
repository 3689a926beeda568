"""``rayon worker``: work jobs off, in the foreground."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from rayon.cli.attendance import attending
from rayon.cli.console import say
from rayon.cli.logs import set_up_logs
from rayon.cli.service import following, load_model, model_folder, open_database
from rayon.operations.jobs import Worker
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.registry import Registry
from rayon.settings import Settings
from rayon.store.images import open_images


def worker(
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="MODEL_DIR",
            help="Pins what answers; RAYON_MODEL, or else the champion, where not given.",
        ),
    ] = None,
) -> None:
    """Classify the files that were sent as jobs; any number of workers share them.

    Also looks at the live service and retrains, on schedule and where somebody asked for it.

    It needs the same RAYON_HOME and RAYON_DATABASE as the service.

    Example: rayon worker --model model
    """
    settings = Settings()
    set_up_logs(settings.log_format, settings.log_level)
    with open_database(settings) as database:
        registry = Registry(database, settings.models)
        folder = model_folder(settings, registry, model)
        say(f"Loading {folder}")
        images = open_images(settings.images_location)
        loaded = load_model(settings, folder)
        recorder = PredictionRecorder(loaded, database, images, audit_share=settings.audit_share)
        running = Worker(recorder, database, settings.jobs)

        def stop(_signal: int, _frame: FrameType | None) -> None:
            running.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        say(f"Working on jobs of {database.address}; Ctrl-C stops after the current part")
        pinned = model is not None or settings.model is not None
        with following(settings, registry, folder, recorder, pinned=pinned), attending(settings, database):
            running.run()
    say("Stopped.")
