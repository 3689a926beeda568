"""The gate behind the endpoints: one question at a time, within a bounded time, beside the predictions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rayon.errors import ConflictError, OverloadedError
from rayon.learning.crossfit import Progress
from rayon.operations.golden_set import GoldenSet
from rayon.operations.promotion import Gatekeeper
from rayon.serving.services import Services


@contextmanager
def judging(services: Services) -> Iterator[tuple[Gatekeeper, Progress]]:
    """Give the gate, and what breaks it off where it takes too long or the server stops.

    It works in one thread, so that it leaves the other cores to the predictions.

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
        golden = GoldenSet(services.database, services.images)
        yield Gatekeeper(services.database, services.registry, golden, threads=1), watch
    finally:
        services.judging.release()
