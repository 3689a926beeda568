"""Commands of Rayon in processes of their own, which give way to whatever answers people."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from rayon.errors import OverloadedError

_LAST = 2000
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Parameters
    ----------
    code
        Its exit code; negative where a signal ended it.
    answer
        What it printed, where that is JSON; else ``None``.
    """

    code: int
    answer: Any


def run_child(arguments: Sequence[str], seconds: float, going_on: Callable[[], bool] = lambda: True) -> Ended:
    """Run a command to its end, with ``--json`` among its arguments.

    Parameters
    ----------
    arguments
        Of the ``rayon`` command.
    seconds
        How long it may take.
    going_on
        Asked again and again whether to wait any longer.

    Raises
    ------
    OverloadedError
        When it was broken off.
    """
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", "rayon", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                if not going_on() or time.monotonic() > deadline:
                    raise OverloadedError("It was broken off", "Try again in a moment")
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_SECONDS)
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        try:
            answer = json.loads(said.read())
        except ValueError:
            answer = None
    return Ended(process.returncode, answer)


class Child:
    """A command that runs in the background.

    Parameters
    ----------
    arguments
        Of the ``rayon`` command.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.name = arguments[0]
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # a pipe that nobody reads would stop it
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", "rayon", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            start_new_session=True,  # Ctrl-C is for us; it is told once, by `stop_children`
        )

    def ended(self) -> int | None:
        """Its exit code; ``None`` while it runs."""
        return self._process.poll()

    def ask_to_end(self) -> None:
        """Have it clear up and end."""
        self._process.terminate()

    def end_by(self, deadline: float) -> None:
        """Wait for its end until a moment of the monotonic clock, then kill it."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()

    def last_words(self) -> str:
        """The last line that it said, once it has ended."""
        self._said.seek(0)
        lines = self._said.read()[-_LAST:].decode("utf-8", "replace").strip().splitlines()
        self._said.close()
        return lines[-1] if lines else ""


def stop_children(children: Sequence[Child], seconds: float) -> None:
    """Have all clear up and end together; kill those that do not within so many seconds."""
    for child in children:
        child.ask_to_end()
    deadline = time.monotonic() + seconds
    for child in children:
        child.end_by(deadline)
