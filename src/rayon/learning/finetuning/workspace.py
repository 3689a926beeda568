"""The folders in which networks are trained: one process at a time, and not kept for ever."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rayon.encoders.leftovers import remove_leftovers
from rayon.errors import TrainingError

FORGOTTEN = 30 * 86400.0
"""Seconds after which a training that nobody went on with is removed."""


@contextmanager
def training_folder(folder: Path) -> Iterator[None]:
    """Have a folder, and what is trained in it, to oneself.

    The system frees it when the process ends, however it ends. Trainings beside it that were begun and left
    a month ago are removed.

    Raises
    ------
    TrainingError
        When another process trains in it.
    """
    remove_leftovers(folder.parent, "*", FORGOTTEN)
    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(
                f"The same training is going on in another process, in {folder}", "Wait for it, or end it"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(held)
