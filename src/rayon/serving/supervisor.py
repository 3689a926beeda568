"""Several server processes as one service: started together, replaced when one dies, stopped together."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from rayon.errors import RayonError

READY = b"ready"
_LOOK_SECONDS = 0.5
_LONGEST_PAUSE = 30.0
END_SECONDS = 60
"""How long processes have to end before they are killed; longer than any of them gives its requests."""

_LOG = logging.getLogger(__name__)
_SPAWN = get_context("spawn")  # a fork would copy locks that other threads hold


class Lifeline:
    """The end of a pipe that a server process holds: it says that it is ready, and learns when to end.

    Parameters
    ----------
    connection
        To the supervisor. It closes when the supervisor ends, however that came about.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ready(self) -> None:
        """Say that requests are answered."""
        self._connection.send_bytes(READY)

    def on_break(self, action: Callable[[], None]) -> None:
        """Do something once the supervisor is gone, so that no process is left behind."""

        def watch() -> None:
            try:
                self._connection.recv_bytes()
            except (EOFError, OSError):
                action()

        threading.Thread(target=watch, name="rayon-lifeline", daemon=True).start()


class Supervisor:
    """Keep server processes running until SIGTERM or SIGINT.

    Parameters
    ----------
    target, arguments
        What each process runs: ``target(lifeline, *arguments)``, both picklable by `multiprocessing`.
    count
        How many processes.
    ready
        Called once all of them answer requests.
    ended
        Called with the number of each process that has ended.
    """

    def __init__(
        self,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        count: int,
        ready: Callable[[], None],
        ended: Callable[[int], None],
    ) -> None:
        self._target = target
        self._arguments = arguments
        self._count = count
        self._ready = ready
        self._ended = ended
        self._stopping = threading.Event()
        self._running: dict[SpawnProcess, Connection] = {}
        self._answering: set[SpawnProcess] = set()
        self._said = False
        self._pause = 0.0

    def run(self) -> None:
        """Start the processes, and watch over them.

        Raises
        ------
        RayonError
            When one ends before all have answered: it would do so again.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            for _ in range(self._count):
                self._start()
            while not self._stopping.is_set():
                self._look()
                if not self._said and len(self._answering) == self._count:
                    self._ready()
                    self._said = True
        finally:
            self._end_all()

    def _start(self) -> None:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=self._target, args=(Lifeline(theirs), *self._arguments))
        # What Ctrl-C sends to all must not end a process that has yet to say so; it inherits this.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        theirs.close()
        self._running[process] = ours

    def _look(self) -> None:
        """Wait a moment for a process to say that it is ready, or to end."""
        silent = [line for process, line in self._running.items() if process not in self._answering]
        wait([*silent, *(process.sentinel for process in self._running)], _LOOK_SECONDS)
        for process, line in list(self._running.items()):
            if process not in self._answering and line.poll():
                self._hear(process, line)
            if not process.is_alive():
                self._replace(process)

    def _hear(self, process: SpawnProcess, line: Connection) -> None:
        try:
            if line.recv_bytes() == READY:
                self._answering.add(process)
        except EOFError:  # it is about to end, which is noticed in a moment
            process.join(1)

    def _replace(self, process: SpawnProcess) -> None:
        self._running.pop(process).close()
        self._ended(process.pid or 0)
        if self._stopping.is_set():
            return
        if not self._said:
            raise RayonError(
                "A server process ended before it could answer", "The lines above say why; mend that first"
            )
        if process in self._answering:
            self._answering.discard(process)
            self._pause = 0.0
        else:  # whatever keeps it from answering may pass, and the others go on meanwhile
            self._pause = min(max(1.0, 2 * self._pause), _LONGEST_PAUSE)
        _LOG.warning("process %s ended with %s; another takes its place", process.pid, process.exitcode)
        if not self._stopping.wait(self._pause):
            self._start()

    def _end_all(self) -> None:
        for process in self._running:
            process.terminate()
        end = time.monotonic() + END_SECONDS
        for process in self._running:
            process.join(max(0.0, end - time.monotonic()))
            if process.is_alive():
                _LOG.warning("process %s does not end and is killed", process.pid)
                process.kill()
                process.join()
            self._ended(process.pid or 0)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping.set()
