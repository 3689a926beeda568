"""Commands of Rayon in processes of their own, which give way to whatever answers people."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from rayon.errors import StoreUnavailableError

_LAST = 2000


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


def run_child(arguments: Sequence[str], seconds: float) -> Ended:
    """Run a command to its end, with ``--json`` among its arguments.

    Raises
    ------
    StoreUnavailableError
        When it does not end within so many seconds.
    """
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", "rayon", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StoreUnavailableError(
            f"It was not done within {seconds:g} s", "Try again when less is going on"
        ) from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = None
    return Ended(done.returncode, answer)


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
        )

    def ended(self) -> int | None:
        """Its exit code; ``None`` while it runs."""
        return self._process.poll()

    def stop(self, seconds: float) -> None:
        """Have it clear up and end; kill it where it does not within so many seconds."""
        self._process.terminate()
        try:
            self._process.wait(seconds)
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
