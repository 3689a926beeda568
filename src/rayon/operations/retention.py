"""Erasing what is older than it may be kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from rayon.store import jobs, predictions
from rayon.store.database import Database
from rayon.store.images import ImageStore

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much was erased."""

    predictions: int
    images: int
    jobs: int


def prune(
    database: Database,
    images: ImageStore,
    before: datetime,
    progress: Callable[[int], None] = lambda done: None,  # noqa: ARG005
) -> Pruned:
    """Erase predictions made before a moment, with what people said of them, and ended jobs.

    A picture goes once no prediction has it any more. It may run while the service does, and be stopped and
    run again at any time.

    Parameters
    ----------
    database, images
        Where they are.
    before
        What is older is erased.
    progress
        Told how many predictions are erased.
    """
    erased, pictures = 0, 0
    while True:
        with database.write() as connection:
            found = predictions.delete_before(connection, before, _AT_ONCE)
        if not found:
            break
        erased += len(found)
        digests = {digest for digest in found if digest}
        with database.read() as connection:
            digests -= predictions.images_in_use(connection, digests)
        pictures += sum(images.remove(digest, untouched_since=before) for digest in digests)
        progress(erased)
    with database.write() as connection:
        ended = jobs.delete_ended_before(connection, before)
    return Pruned(erased, pictures, ended)
