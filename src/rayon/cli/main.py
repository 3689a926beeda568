"""The ``rayon`` command."""

from __future__ import annotations

import logging
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from rayon import __version__
from rayon.__main__ import INTERRUPTED
from rayon.cli import (
    classify,
    database,
    demo,
    evaluate,
    explain,
    inspect,
    sample,
    serve,
    train,
    users,
    worker,
)
from rayon.cli.console import NOT_DONE, print_json, say, say_error
from rayon.errors import RayonError

app = typer.Typer(
    name="rayon",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Put every product of a catalogue on its shelf: a product type code, how sure it is, and whether a "
    "person should look.",
)
for module in (sample, inspect, train, evaluate, classify, explain, demo, serve, worker):
    app.command()(getattr(module, module.__name__.rpartition(".")[2]))
app.add_typer(users.users, name="users")
app.add_typer(users.keys, name="keys")
app.add_typer(database.app, name="db")


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Show the version and stop.")] = False,
) -> None:
    """Set up what all commands share."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    if version:
        typer.echo(f"rayon {__version__}")
        raise typer.Exit


def run() -> NoReturn:
    """Run the command line; errors become one sentence, a hint and exit code 2."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except RayonError as error:
        if "--json" in sys.argv:
            print_json({"error": error.message, "hint": error.hint})
        say_error(error)
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != INTERRUPTED:
            raise
        say("Stopped.")
        sys.exit(INTERRUPTED)
    except OSError as error:
        say_error(
            RayonError(f"{error.filename or 'The system'}: {error.strerror}", "Check the path and free space")
        )
    sys.exit(NOT_DONE)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    # As Ctrl-C: what is half written is cleaned up on the way out.
    raise KeyboardInterrupt
