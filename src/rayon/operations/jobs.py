"""Files of listings, classified in the background: resumed after any interruption, each row answered once.

The rows are taken in parts. The answers of a part, the failures in it and the progress of its job are stored
in one transaction, and not at all where another worker has the job by then: so whatever happens to a worker,
the next goes on exactly where the last transaction ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection

from rayon.data.catalogue import Catalogue, Row, open_catalogue
from rayon.data.image import read_image
from rayon.data.listings import Listing
from rayon.errors import (
    CatalogueError,
    ConflictError,
    ImageError,
    NotFoundError,
    RayonError,
    StoreUnavailableError,
)
from rayon.operations.archives import remove_folder, unpack_images
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.store import jobs as store
from rayon.store.database import Database
from rayon.store.identifiers import new_id
from rayon.store.jobs import Job

INPUT_SUFFIXES = (".csv", ".parquet", ".jsonl")
PART_ROWS = 64
"""Rows between two transactions: few enough for other requests to be answered in between."""

LEASE = timedelta(seconds=60)
"""How long a worker may be silent before another takes its job over."""

_POLL_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


class Jobs:
    """Take files, and tell how far they are.

    Parameters
    ----------
    database
        Where jobs and predictions are kept.
    folder
        Where the files are until their job has ended; all workers see it.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.folder = folder

    def submit(self, name: str, file: BinaryIO, images: BinaryIO | None, user_id: str | None) -> Job:
        """Keep a file of listings, and a ZIP of their pictures, as a new job.

        Raises
        ------
        CatalogueError
            When the name does not end with a known suffix.
        StoreUnavailableError
            When the files cannot be kept.
        """
        name = name.replace("\0", "").encode("utf-8", "replace").decode()
        suffix = Path(name).suffix.lower()
        if suffix not in INPUT_SUFFIXES:
            raise CatalogueError(
                f"A job cannot read {name[-80:]!r}", f"Send a file that ends with {', '.join(INPUT_SUFFIXES)}"
            )
        job_id = new_id()
        folder = self.folder / job_id
        try:
            folder.mkdir(parents=True)
            _copy(file, folder / f"listings{suffix}")
            if images is not None:
                _copy(images, folder / "images.zip")
            with self._database.write() as connection:
                return store.add_job(connection, job_id, user_id, Path(name).name[-200:], datetime.now(UTC))
        except OSError as error:
            remove_folder(folder)
            raise StoreUnavailableError(
                f"The file cannot be kept in {self.folder} ({error.strerror})", "Make room, then try again"
            ) from None
        except BaseException:
            remove_folder(folder)
            raise

    def find(self, job_id: str, user_id: str | None = None) -> Job:
        """Find a job; with ``user_id``, only one of theirs.

        Raises
        ------
        NotFoundError
            When there is none.
        """
        with self._database.read() as connection:
            job = store.find_job(connection, job_id[:36])
        if job is None or (user_id is not None and job.user_id != user_id):
            raise NotFoundError(f"There is no job {job_id[:80]!r}", "List the jobs to see their ids")
        return job

    def failures(self, job_id: str, after: int, limit: int) -> list[tuple[int, str]]:
        """Rows of a job that failed, after a given one."""
        with self._database.read() as connection:
            return store.job_errors(connection, job_id, after, limit)

    def cancel(self, job_id: str) -> None:
        """Stop a job; what is answered already stays.

        Raises
        ------
        ConflictError
            When it has ended.
        """
        with self._database.write() as connection:
            if not store.cancel_job(connection, job_id, datetime.now(UTC)):
                raise ConflictError(f"The job {job_id!r} has ended", "There is nothing to cancel")
        remove_folder(self.folder / job_id)  # a worker that has the job notices at its next step

    def list(self, user_id: str | None, before: str | None, limit: int) -> list[Job]:
        """Newest jobs first, of one user or of all."""
        with self._database.read() as connection:
            return store.list_jobs(connection, user_id, before, limit)


class _LostError(Exception):
    """Another worker has the job, or it was cancelled."""


class Worker:
    """Work jobs off, one after the other.

    Parameters
    ----------
    recorder
        Classifies and stores.
    database, folder
        As for `Jobs`.
    lease
        How long this worker may be silent before another takes its job over.
    """

    def __init__(
        self, recorder: PredictionRecorder, database: Database, folder: Path, lease: timedelta = LEASE
    ) -> None:
        self._recorder = recorder
        self._database = database
        self._folder = folder
        self._lease = lease
        self._name = new_id()
        self._stopping = threading.Event()

    def run(self, when: Callable[[], bool] = lambda: True) -> None:
        """Work until `stop` is called, while ``when`` allows it; without a database, wait for its return."""
        while not self._stopping.is_set():
            try:
                busy = when() and self.work()
            except StoreUnavailableError as error:
                _LOG.warning("%s", error)
                busy = False
            if not busy:
                self._stopping.wait(_POLL_SECONDS)

    def stop(self) -> None:
        """End after the current part; another worker goes on with its job."""
        self._stopping.set()

    def work(self) -> bool:
        """Work one job off, and say whether there was one."""
        now = datetime.now(UTC)
        with self._database.write() as connection:
            job = store.lease_job(connection, self._name, now, now + self._lease)
        if job is None:
            return False
        try:
            ended = self._answer(job)
        except StoreUnavailableError:
            raise
        except (RayonError, OSError) as error:
            where = f"{self._folder / job.id}/"  # nobody's business
            self._finish(job, "failed", str(error).replace(where, ""))
        except Exception as error:  # whatever a file can bring about must not end the worker
            _LOG.exception("job %s failed", job.id)
            self._finish(job, "failed", f"Something went wrong ({type(error).__name__})")
        else:
            if ended:
                self._finish(job, "done")
        return True

    def _answer(self, job: Job) -> bool:
        """Answer all rows that are left; whether the end was reached."""
        try:
            catalogue = self._open(job)
        except _LostError:
            return False
        rows = catalogue.rows(codes=False)
        done = sum(1 for _ in islice(rows, job.rows_done))
        for part in _parts(rows):
            if self._stopping.is_set():
                with self._database.write() as connection:
                    store.release_job(connection, job.id, self._name)
                return False
            if not self._answer_part(job, done, part, max(catalogue.size, done + len(part))):
                return False
            done += len(part)
        return True

    def _answer_part(self, job: Job, done: int, part: Sequence[Row], expected: int) -> bool:
        failures: dict[int, str] = {}
        questions = []
        for row in part:
            if row.listing is None:
                failures[row.number] = row.error or "unreadable row"
            else:
                questions.append((row.number, self._recorder.prepare(_loaded(row.listing))))

        def still_ours(connection: Connection, errors: dict[int, str]) -> bool:
            return store.advance_job(
                connection,
                job.id,
                self._name,
                from_row=done,
                rows=len(part),
                failures=failures | errors,
                expected=expected,
                until=datetime.now(UTC) + self._lease,
            )

        return self._recorder.record_job(job.id, job.user_id, questions, still_ours)

    def _open(self, job: Job) -> Catalogue:
        folder = self._folder / job.id
        files = sorted(folder.glob("listings.*"))
        if not files:
            raise CatalogueError("The file of the job is not there any more", "Send it again")
        archive, images = folder / "images.zip", folder / "images"
        if archive.is_file():
            unpack_images(archive, images, going_on=self._renewal(job))
            archive.unlink()
        return open_catalogue(files[0], images=images if images.is_dir() else None)

    def _renewal(self, job: Job) -> Callable[[], None]:
        """What to call often during long work: it keeps the job, or says that another worker has it."""
        due = time.monotonic() + self._lease.total_seconds() / 4

        def renew() -> None:
            nonlocal due
            if time.monotonic() < due:
                return
            with self._database.write() as connection:
                if not store.renew_job(connection, job.id, self._name, datetime.now(UTC) + self._lease):
                    raise _LostError
            due = time.monotonic() + self._lease.total_seconds() / 4

        return renew

    def _finish(self, job: Job, state: store.JobState, error: str = "") -> None:
        with self._database.write() as connection:
            store.finish_job(connection, job.id, self._name, state, datetime.now(UTC), error)
        remove_folder(self._folder / job.id)


def _parts(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while part := list(islice(rows, PART_ROWS)):
        yield part


def _loaded(listing: Listing) -> Listing:
    """The listing with the bytes of its picture, so that these can be kept."""
    if not isinstance(listing.image, Path):
        return listing
    try:
        data: bytes | None = read_image(listing.image)
    except ImageError:
        data = None
    return Listing(listing.designation, listing.description, data, listing.productid, listing.imageid)


def _copy(source: BinaryIO, path: Path) -> None:
    with path.open("wb") as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)
