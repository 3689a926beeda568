"""``rayon serve``: the service, in the foreground."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.attendance import errands_of
from rayon.cli.console import NOT_DONE, say, say_error
from rayon.cli.logs import set_up_logs
from rayon.cli.service import model_folder, open_database, serve_process
from rayon.errors import RayonError
from rayon.operations.accounts import Accounts
from rayon.operations.registry import Registry
from rayon.operations.turns import Turn
from rayon.serving.metrics import SHARED_FOLDER, Metrics, forget_process
from rayon.serving.server import address_of, listen
from rayon.serving.supervisor import Lifeline, Supervisor
from rayon.settings import Settings

HOST, PORT = "127.0.0.1", 8000


def serve(
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="MODEL_DIR",
            help="Pins what answers; RAYON_MODEL, or else the champion, where not given.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = PORT,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Server processes; more than one pays with PostgreSQL.")
    ] = 1,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Leave jobs to `rayon worker`.")] = False,
) -> None:
    """Serve predictions over HTTP; the page /docs shows what can be asked.

    Make the first administrator with: rayon users create NAME --role admin

    Example: rayon serve --model model
    """
    settings = Settings()
    set_up_logs(settings.log_format, settings.log_level)
    errands_of(settings)  # what makes no sense is said before anything has begun
    run_service(settings, model, host, port, workers, worker=not no_worker)


def run_service(
    settings: Settings, model: Path | None, host: str, port: int, workers: int = 1, *, worker: bool = True
) -> None:
    """Bring the database up to date, load the model, and serve until told to stop."""
    listening = listen(host, port)
    with open_database(settings) as database:
        if not Accounts(database).users():
            say("There is no user yet; make one with: rayon users create NAME --role admin")
        where = database.address
        folder = model_folder(settings, Registry(database, settings.models), model)
    how = f" in {workers} processes" if workers > 1 else ""
    say(f"Loading {folder}{how}")

    def ready() -> None:
        say(f"Serving on {address_of(listening)} with {where}{how}; Ctrl-C stops")

    if workers > 1:
        _serve_in_processes(settings, model, listening, workers, worker, ready)
    else:
        jobs_when = _always if worker else None
        with suppress(KeyboardInterrupt):  # an interrupt is raised again once everything has ended
            serve_process(settings, model, listening, ready=ready, metrics=Metrics(), jobs_when=jobs_when)
    say("Stopped.")


def _serve_in_processes(
    settings: Settings,
    model: Path | None,
    listening: socket.socket,
    count: int,
    worker: bool,
    ready: Callable[[], None],
) -> None:
    with tempfile.TemporaryDirectory(prefix="rayon-") as name:
        shared = Path(name)
        os.environ[SHARED_FOLDER] = name  # the processes inherit it
        Supervisor(
            _one_of_several,
            (settings, model, listening, shared, worker),
            count,
            ready=ready,
            ended=lambda pid: forget_process(shared, pid),
        ).run()


def _one_of_several(
    lifeline: Lifeline,
    settings: Settings,
    model: Path | None,
    listening: socket.socket,
    shared: Path,
    worker: bool,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the supervisor decides
    signal.signal(signal.SIGTERM, _interrupt)
    set_up_logs(settings.log_format, settings.log_level)
    lifeline.on_break(lambda: os.kill(os.getpid(), signal.SIGTERM))
    # One of the processes works on jobs; when it ends, another takes its turn.
    jobs_when = Turn(shared / "jobs.turn").take if worker else None
    try:
        serve_process(
            settings,
            model,
            listening,
            ready=lifeline.ready,
            metrics=Metrics(shared),
            jobs_when=jobs_when,
        )
    except KeyboardInterrupt:
        pass
    except RayonError as error:
        say_error(error)
        sys.exit(NOT_DONE)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _always() -> bool:
    return True
