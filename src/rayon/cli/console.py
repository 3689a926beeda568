"""How the command line speaks: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from rayon.errors import RayonError
from rayon.learning.crossfit import Progress as ProgressCallback

DONE, SOME_ROWS_FAILED, NOT_DONE, NEEDS_ATTENTION = 0, 1, 2, 3
"""Exit codes of every command."""

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
_LOG = logging.getLogger("rayon")
_told_by_log = False


def print_json(value: Any) -> None:
    """Print one JSON object on stdout and nothing else."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def speak_by_log() -> None:
    """From now on, log what would be said: whoever reads JSON lines wants nothing else among them."""
    global _told_by_log
    _told_by_log = True


def say(message: str) -> None:
    """Tell a person something, on stderr."""
    if _told_by_log:
        _LOG.info(message)
    else:
        err.print(message, markup=False, soft_wrap=True)


def say_error(error: RayonError) -> None:
    """Say what went wrong and how to mend it, in plain text."""
    if _told_by_log:
        _LOG.error(error.message, extra={"hint": error.hint})
        return
    err.print(f"Error: {_sentence(error.message)}", style="bold red", markup=False)
    if error.hint:
        err.print(_sentence(error.hint), markup=False)


def _sentence(text: str) -> str:
    text = text.rstrip(".")
    return text + ("" if text.endswith(("?", "!")) else ".")


@contextmanager
def progress_bars() -> Iterator[ProgressCallback]:
    """Bars on stderr, one a stage; where there is no terminal, one line as each stage ends."""
    if not err.is_terminal:
        yield _report_ends
        return
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total or None)
            bars.update(tasks[stage], completed=done, total=total or None)

        yield show


def _report_ends(stage: str, done: int, total: int) -> None:
    if done == total and total > 0:
        say(f"{stage}: done ({total:,})")
