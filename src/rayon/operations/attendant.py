"""The attendant: does what is due by schedule and what was asked for, in processes of their own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rayon.errors import StoreUnavailableError
from rayon.operations.children import Child, stop_children
from rayon.operations.retrainings import Retrainings
from rayon.operations.schedule import Schedule, take_due
from rayon.store.database import Database

LOOK_SECONDS = 5.0
"""Between two looks at what is due."""

_END_SECONDS = 30.0
_FINE = (0, 3)
_RETRAIN = "retrain"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Errand:
    """A command that is due by a schedule.

    Parameters
    ----------
    schedule
        When.
    arguments
        Of the ``rayon`` command.
    """

    schedule: Schedule
    arguments: tuple[str, ...]


class Attendant:
    """Look again and again at what is to be done.

    Any number of processes may have one: each thing is done by one of them.

    Parameters
    ----------
    database
        Where it is noted what was done.
    retrainings
        What people asked for.
    errands
        What is due by schedule.
    look_seconds
        Between two looks.
    """

    def __init__(
        self,
        database: Database,
        retrainings: Retrainings,
        errands: Sequence[Errand] = (),
        *,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._database = database
        self._retrainings = retrainings
        self._errands = errands
        self._look_seconds = look_seconds
        self._children: list[Child] = []
        self._stopping = threading.Event()

    def run(self, when: Callable[[], bool] = lambda: True) -> None:
        """Look until `stop` is called, while ``when`` allows it; then end what runs."""
        try:
            while not self._stopping.wait(self._look_seconds):
                try:
                    if when():
                        self.look(datetime.now(UTC))
                except StoreUnavailableError as error:
                    _LOG.warning("%s", error)
                except Exception:  # a full disk, say: what is due later must be done all the same
                    _LOG.exception("what is due could not be begun")
        finally:
            stop_children(self._children, _END_SECONDS)
            self._children.clear()

    def stop(self) -> None:
        """End `run`, and what it has begun: a retraining counts as interrupted then."""
        self._stopping.set()

    def look(self, now: datetime) -> None:
        """Begin what is to be done by now, unless the same is running here still."""
        self._reap()
        waiting = self._retrainings.next_waiting()
        if waiting is not None and not self._runs(_RETRAIN):
            self._begin((_RETRAIN, "--waiting", waiting.id))
        for errand in self._errands:
            if not self._runs(errand.arguments[0]) and take_due(self._database, errand.schedule, now):
                self._begin(errand.arguments)

    def _begin(self, arguments: Sequence[str]) -> None:
        self._children.append(Child(arguments))
        _LOG.info("rayon %s has begun", arguments[0])

    def _runs(self, name: str) -> bool:
        return any(child.name == name for child in self._children)

    def _reap(self) -> None:
        for child in list(self._children):
            code = child.ended()
            if code is None:
                continue
            self._children.remove(child)
            said = child.last_words()
            if code in _FINE:
                _LOG.info("rayon %s has ended", child.name)
            else:
                _LOG.warning("rayon %s has ended with %d: %s", child.name, code, said)
