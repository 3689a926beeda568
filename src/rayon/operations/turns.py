"""Whose turn it is, among processes of one machine."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO


class Turn:
    """A file that one process at a time holds; the system frees it when the process ends, however it ends.

    Parameters
    ----------
    path
        The file; made where it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: IO[bytes] | None = None

    def take(self) -> bool:
        """Take the turn, unless another process has it; whether this one has it now."""
        if self._held is not None:
            return True
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._held = file  # kept open: closing it would give the turn away
        return True

    def leave(self) -> None:
        """Let another process have it."""
        if self._held is not None:
            self._held.close()
            self._held = None
