"""The folders in which networks are trained: one training at a time, and not kept for ever."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import finalize

from rayon.encoders.leftovers import remove_leftovers
from rayon.errors import TrainingError

NAME_DIGITS = 24
"""Digits at the end of a folder's name that tell what is trained in it."""

FORGOTTEN = 30 * 86400.0
"""Seconds after which a training that nobody went on with is removed."""

_OURS = re.compile(rf".+-[0-9a-f]{{{NAME_DIGITS}}}")
_TRIES = 10


class TrainingFolder:
    """A folder that is kept from others as long as this object lives, or its process.

    Several may read what was trained in it; who trains has it alone. Trainings beside it that were begun and
    left a month ago are removed.

    Parameters
    ----------
    path
        The folder; made where it is not there.

    Raises
    ------
    TrainingError
        When another training is going on in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        remove_leftovers(path.parent, _OURS, FORGOTTEN)
        self._held = self._open()
        self._close = finalize(self, os.close, self._held)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have it to oneself; what ends by an error gives it up.

        Raises
        ------
        TrainingError
            When others read it, or train in it.
        """
        if not _lock(self._held, fcntl.LOCK_EX):
            raise self._taken()
        try:
            yield
        except BaseException:
            self._close()
            raise
        _lock(self._held, fcntl.LOCK_SH)

    def remove(self) -> None:
        """Give it up, and remove it unless others read what was trained in it."""
        if self._close.alive:
            if _lock(self._held, fcntl.LOCK_EX):
                shutil.rmtree(self.path, ignore_errors=True)
            self._close()

    def _open(self) -> int:
        for _ in range(_TRIES):
            self.path.mkdir(parents=True, exist_ok=True)
            held = os.open(self.path, os.O_RDONLY)
            if not _lock(held, fcntl.LOCK_SH):
                os.close(held)
                raise self._taken()
            try:
                if os.path.samestat(os.fstat(held), self.path.stat()):
                    return held
            except FileNotFoundError:
                pass
            os.close(held)  # another one has removed it meanwhile
        raise self._taken()

    def _taken(self) -> TrainingError:
        return TrainingError(
            f"The same training is going on elsewhere, in {self.path}", "Wait for it, or end it"
        )


def _lock(held: int, how: int) -> bool:
    try:
        fcntl.flock(held, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True
