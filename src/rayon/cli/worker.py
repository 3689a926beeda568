"""``rayon worker``: work jobs off, in the foreground."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from rayon.cli.console import say
from rayon.cli.serve import model_folder, open_recorder
from rayon.operations.jobs import Worker
from rayon.settings import Settings


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
    recorder, database, _ = open_recorder(settings, model_folder(settings, model))
    running = Worker(recorder, database, settings.jobs)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        running.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    say(f"Working on jobs of {database.address}; Ctrl-C stops after the current part")
    running.run()
    database.close()
    say("Stopped.")
