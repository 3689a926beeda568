"""Erasing what is older than it may be kept, and what somebody asked to have forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from rayon.data.listings import Listing
from rayon.errors import NotFoundError, RayonError
from rayon.learning.model_files import ModelReader
from rayon.learning.neighbours import NeighbourIndex, identity
from rayon.operations.archives import remove_folder
from rayon.operations.retrainings import Retrainings
from rayon.store import accounts, audit, golden, jobs, predictions
from rayon.store.database import Database
from rayon.store.images import ImageStore
from rayon.store.predictions import PredictionFilter, StoredPrediction
from rayon.store.retrainings import open_retrainings

_AT_ONCE = 1000
_ORPHANED = timedelta(hours=1)
"""A picture that no prediction has after this will never be named by one."""

_DOWNLOAD_SECONDS = 3600.0
"""A file that was made to be downloaded and is older than this is one that nobody waits for."""

_GRACE = timedelta(seconds=60)
"""A picture may have been put this long before the prediction that has it is stored."""

Progress = Callable[[int], None]
"""Told how many predictions are erased."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much was erased."""

    predictions: int
    images: int
    jobs: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was erased, and where more may be.

    Parameters
    ----------
    predictions, golden, images, jobs, exports
        What was erased; ``golden`` listings are those of the golden set.
    open_jobs
        Jobs that have not ended, whose files may hold what was to be forgotten.
    open_retrainings
        Retrainings that have not ended, which may be learning from it.
    models
        Model folders that were trained on it, and still hold traces of it.
    """

    predictions: int
    golden: int
    images: int
    jobs: int
    exports: int
    open_jobs: int
    open_retrainings: int
    models: tuple[Path, ...]


def prune(
    database: Database,
    images: ImageStore,
    before: datetime,
    actor: str,
    progress: Progress = lambda done: None,  # noqa: ARG005
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
    actor
        Who does it, for the audit log.
    progress
        Told how many predictions are erased.
    """
    erased, pictures = 0, 0
    for page in _erase(database, PredictionFilter(until=before)):
        unused = _unused(database, page)
        pictures += sum(images.remove(digest, untouched_since=before) for digest in unused)
        erased += len(page)
        progress(erased)
    pictures += _sweep(database, images)
    with database.write() as connection:
        ended = jobs.delete_ended_before(connection, before)
        counts = {"predictions": erased, "images": pictures, "jobs": ended}
        subject = f"before {before:%Y-%m-%d %H:%M}"
        audit.record(connection, actor, "data.prune", subject, datetime.now(UTC), counts)
    database.settle()
    return Pruned(erased, pictures, ended)


def forget(
    database: Database,
    images: ImageStore,
    home: Path,
    models: Sequence[Path],
    *,
    productid: str | None = None,
    user: str | None = None,
    actor: str,
    progress: Progress = lambda done: None,  # noqa: ARG005
    grace: timedelta = _GRACE,
) -> Forgotten:
    """Erase all that is kept of a product, or of what a user asked.

    Of a user, their predictions and jobs go; what they said of others' predictions stays, without their name.
    It may run while the service does. Where a picture came only a moment ago, it waits until nobody can be
    about to use it.

    Parameters
    ----------
    database, images, home
        Where everything is; jobs and exports are below ``home``.
    models
        Folders of models that may have been trained on it.
    productid, user
        What to forget: a product by its id, or what a user asked, by their name. One of the two.
    actor
        Who does it, for the audit log.
    progress
        Told how many predictions are erased.
    grace
        How long a picture may wait for its prediction.

    Raises
    ------
    RayonError
        When not one of the two is given.
    NotFoundError
        When there is no user of this name.
    """
    if bool(productid) == bool(user):
        raise RayonError("It is not said what to forget", "Name either a product or a user")
    user_id = _disown(database, user) if user is not None else None
    ended = _forget_jobs(database, home / "jobs", user_id) if user_id is not None else 0
    erased, traces = 0, Traces()
    with database.write() as connection:
        golden_rows = golden.erase_golden(connection, productid, user_id)
    unused = {one.image for one in golden_rows if one.image}
    traces.add_product(productid)
    for page in _erase(database, PredictionFilter(productid=productid, user_id=user_id)):
        unused |= _unused(database, page)
        traces.add(page)
        erased += len(page)
        progress(erased)
    exports = _remove_exports(home / "exports")
    pictures = _remove_images(database, images, unused, grace) + _sweep(database, images)
    Retrainings(database, home / "retrainings").clear_silent()
    with database.write() as connection:
        open_jobs = len(jobs.open_jobs(connection))
        training = len(open_retrainings(connection))
        counts = {
            "predictions": erased,
            "golden": len(golden_rows),
            "images": pictures,
            "jobs": ended,
        }
        what = "product" if user is None else "user"
        audit.record(connection, actor, "data.forget", what, datetime.now(UTC), counts)
    database.settle()
    taught = tuple(folder for folder in models if traces.in_model(folder))
    return Forgotten(erased, len(golden_rows), pictures, ended, exports, open_jobs, training, taught)


class Traces:
    """What to know erased listings by in the models that learned from them."""

    def __init__(self) -> None:
        self._products: set[str] = set()
        self._identities: set[int] = set()

    def add_product(self, productid: str | None) -> None:
        """Look for a product by its id."""
        if productid:
            self._products.add(productid)

    def add(self, page: Sequence[StoredPrediction]) -> None:
        """Look for these listings, by their ids and by their texts."""
        for one in page:
            self.add_product(one.productid)
            if one.designation or one.description:
                self._identities.add(identity(Listing(one.designation, one.description)))

    def in_model(self, folder: Path) -> bool:
        """Whether a model was trained on one of them."""
        index = NeighbourIndex.from_arrays(ModelReader(folder).read_arrays("neighbours.npz"))
        return index.remembers(self._products, self._identities)


def _erase(database: Database, wanted: PredictionFilter) -> Iterator[list[StoredPrediction]]:
    while True:
        with database.write() as connection:
            page = predictions.delete_oldest(connection, wanted, _AT_ONCE)
        if not page:
            return
        yield page


def _unused(database: Database, page: Sequence[StoredPrediction]) -> set[str]:
    digests = {one.image for one in page if one.image}
    with database.read() as connection:
        return digests - predictions.images_in_use(connection, digests)


def _disown(database: Database, name: str) -> str:
    """Take a user's name from what they said and hold, and give their id."""
    with database.write() as connection:
        user = accounts.find_user(connection, name=name)
        if user is None:
            raise NotFoundError(
                f"There is no user named {name!r}", "Forget what users asked before you delete them"
            )
        predictions.disown(connection, user.id)
        accounts.clear_failures(connection, name=name)
    return user.id


def _forget_jobs(database: Database, folder: Path, user_id: str) -> int:
    with database.write() as connection:
        ended = jobs.delete_of_user(connection, user_id)
    for job_id in ended:
        remove_folder(folder / job_id)
    return len(ended)


def _remove_exports(folder: Path) -> int:
    """Remove files that were made to be downloaded and are still there: their server was killed."""
    removed = 0
    for path in folder.glob("*") if folder.is_dir() else ():
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _DOWNLOAD_SECONDS:
                remove_folder(path) if path.is_dir() else path.unlink()
                removed += 1
    return removed


def _remove_images(database: Database, images: ImageStore, digests: set[str], grace: timedelta) -> int:
    removed = 0
    left = set(digests)
    while True:
        with database.read() as connection:  # another prediction may have come to use one while this waited
            left -= predictions.images_in_use(connection, left)
        for digest in sorted(left):
            if images.remove(digest, untouched_since=datetime.now(UTC) - grace):
                removed += 1
                left.discard(digest)
            elif not _is_there(images, digest):
                left.discard(digest)
        if not left:
            return removed
        time.sleep(1)


def _sweep(database: Database, images: ImageStore) -> int:
    """Remove pictures that no prediction has, and nobody can be about to use.

    Requests that were refused leave some, cancelled jobs, and whoever stopped this before its end.
    """
    removed, found = 0, images.digests()
    while part := set(islice(found, _AT_ONCE)):
        with database.read() as connection:
            part -= predictions.images_in_use(connection, part)
        long_ago = datetime.now(UTC) - _ORPHANED
        removed += sum(images.remove(digest, untouched_since=long_ago) for digest in part)
    return removed


def _is_there(images: ImageStore, digest: str) -> bool:
    try:
        images.get(digest)
    except NotFoundError:
        return False
    return True
