"""The gate behind the endpoints: one question at a time, within a bounded time, beside the predictions."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rayon.errors import ConflictError, OverloadedError, RayonError
from rayon.learning.crossfit import Progress
from rayon.operations.golden_set import GoldenSet
from rayon.operations.promotion import Gatekeeper
from rayon.serving.services import Services

_LOG = logging.getLogger(__name__)


def gatekeeper(services: Services) -> Gatekeeper:
    """The gate, in one thread: it leaves the other cores to the predictions."""
    golden = GoldenSet(services.database, services.images)
    return Gatekeeper(services.database, services.registry, golden, threads=1)


@contextmanager
def judging(services: Services) -> Iterator[tuple[Gatekeeper, Progress]]:
    """Give the gate, and what breaks it off where it takes too long or the server stops.

    Raises
    ------
    ConflictError
        When another question is being judged.
    OverloadedError
        When it was broken off; nothing is spent then.
    """
    if not services.judging.acquire(blocking=False):
        raise ConflictError(
            "Another model is being judged at the moment", "Try again when that has come to its end"
        )
    end = time.monotonic() + services.gate_seconds

    def watch(stage: str, done: int, total: int) -> None:  # noqa: ARG001
        if services.stopping.is_set():
            raise OverloadedError("The server is stopping", "Ask another process, or again in a moment")
        if time.monotonic() > end:
            raise OverloadedError(
                f"The gate has not come to an end within {services.gate_seconds:g} s",
                "Ask it on the command line, where it may take its time: rayon models promote",
            )

    try:
        yield gatekeeper(services), watch
    finally:
        services.judging.release()


def begin_judging(
    services: Services, key: str, work: Callable[[Gatekeeper, Progress], object], reason: str = ""
) -> None:
    """Begin what takes the gate, and wait for nothing; `Services.questions` says what becomes of it.

    Parameters
    ----------
    services
        The services.
    key
        By which it is found again.
    work
        What is done; it is given the gate, and what it tells how far it is.
    reason
        Why, as it was typed.

    Raises
    ------
    ConflictError
        When another question is being judged.
    """
    with ExitStack() as stack:
        gate, watch = stack.enter_context(judging(services))
        question = services.questions.begin(key, reason)
        held = stack.pop_all()  # until the thread below lets go of it

    def tell(stage: str, done: int, total: int) -> None:
        question.stage, question.done, question.total = stage, done, total
        watch(stage, done, total)

    def run() -> None:
        try:
            with held:
                work(gate, tell)
        except RayonError as error:
            question.error = error
        except Exception:  # nobody is above this thread; whoever waits has to be told, whatever it is
            _LOG.exception("the gate has failed")
            question.error = OverloadedError("The gate has failed", "The log of the service says why")

    threading.Thread(target=run, name="rayon-gate").start()
