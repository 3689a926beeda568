"""The ``rayon`` command."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from rayon import __version__
from rayon.__main__ import INTERRUPTED
from rayon.cli.console import NOT_DONE, print_json, say, say_error
from rayon.errors import RayonError

_COMMANDS = {
    **{
        name: f"rayon.cli.{name}"
        for name in ("sample", "inspect", "train", "evaluate", "classify", "explain", "demo")
    },
    "serve": "rayon.cli.serve",
    "worker": "rayon.cli.worker",
    "monitor": "rayon.cli.monitor",
    "retrain": "rayon.cli.retrain",
    "recalibrate": "rayon.cli.recalibrate",
    "backup": "rayon.cli.backup",
    "restore": "rayon.cli.backup",
}
_GROUPS = {
    "users": "rayon.cli.users",
    "keys": "rayon.cli.users",
    "models": "rayon.cli.models",
    "encoders": "rayon.cli.encoders",
    "golden": "rayon.cli.golden",
    "brake": "rayon.cli.brake",
    "data": "rayon.cli.data",
    "taxonomy": "rayon.cli.taxonomy",
    "db": "rayon.cli.database",
}
"""Command to its module."""

_PRIVATE = {"serve", "worker", "monitor", "retrain", "recalibrate", "backup", "restore", "demo", *_GROUPS}
"""Commands that write what only their own user may read."""


def make_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """Make the command line; where the first argument names a command, with that one alone.

    Importing all of them takes a second or two, which nobody should wait for who wants one.
    """
    app = typer.Typer(
        name="rayon",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Put every product of a catalogue on its shelf: a product type code, how sure it is, and "
        "whether a person should look.",
    )
    app.callback(invoke_without_command=True)(_main)
    for name in _needed(arguments):
        if name in _GROUPS:
            app.add_typer(getattr(import_module(_GROUPS[name]), name), name=name)
        else:
            app.command()(getattr(import_module(_COMMANDS[name]), name))
    return app


def _needed(arguments: Sequence[str]) -> Sequence[str]:
    everything = (*_COMMANDS, *_GROUPS)
    first = arguments[0] if arguments else ""
    return [first] if first in everything else [] if first == "--version" else everything


def _main(
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
    if sys.argv[1:2] and sys.argv[1] in _PRIVATE:
        os.umask(0o077)  # what sellers send, and hashes of passwords, are for nobody else on the machine
    try:
        make_app(sys.argv[1:])()
    except RayonError as error:
        if "--json" in sys.argv:
            print_json({"error": error.message, "hint": error.hint})
        say_error(error)
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != INTERRUPTED:
            raise
        say("Stopped.")
        sys.exit(INTERRUPTED)
    except ValueError as error:
        if type(error).__name__ != "ValidationError":
            raise
        say_error(_wrong_setting(error))
    except OSError as error:
        say_error(
            RayonError(f"{error.filename or 'The system'}: {error.strerror}", "Check the path and free space")
        )
    sys.exit(NOT_DONE)


def _wrong_setting(error: Any) -> RayonError:
    """Say in a sentence what pydantic found wrong with the environment."""
    first = error.errors()[0]
    name = f"RAYON_{'_'.join(map(str, first['loc'])).upper()}"
    given = str(first["input"])[:80]
    return RayonError(
        f"{name} is {given!r}: {first['msg'][:1].lower()}{first['msg'][1:]}",
        "docs/service.md lists the settings",
    )


def _stop(_signal: int, _frame: FrameType | None) -> None:
    # As Ctrl-C: what is half written is cleaned up on the way out.
    raise KeyboardInterrupt
