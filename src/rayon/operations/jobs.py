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
from rayon.operations.job_preview import Preview, make_preview, read_preview, read_thumbnail
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

_DRAFT_AGE = timedelta(days=1)
_IMAGES = "images.zip"
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

    def submit(
        self,
        name: str,
        file: BinaryIO,
        images: BinaryIO | None,
        user_id: str | None,
        *,
        draft: bool = False,
    ) -> Job:
        """Keep a file of listings, and a ZIP of their pictures, as a new job.

        Drafts of before that nobody has started within a day are removed.

        Parameters
        ----------
        name
            The file's own.
        file, images
            What to keep.
        user_id
            Who sends it.
        draft
            Whether to look at it first; the job then waits for `start`.

        Raises
        ------
        CatalogueError
            When the name does not end with a known suffix; of a draft, also when the whole job would fail.
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
                _copy(images, folder / _IMAGES)
            kept_name = Path(name).name[-200:]
            if draft:
                self._look_at(folder, kept_name)
            now = datetime.now(UTC)
            with self._database.write() as connection:
                old = store.delete_drafts_before(connection, now - _DRAFT_AGE)
                state: store.JobState = "draft" if draft else "waiting"
                job = store.add_job(connection, job_id, user_id, kept_name, now, state)
        except OSError as error:
            remove_folder(folder)
            raise StoreUnavailableError(
                f"The file cannot be kept in {self.folder} ({error.strerror})", "Make room, then try again"
            ) from None
        except BaseException:
            remove_folder(folder)
            raise
        for job_id in old:
            remove_folder(self.folder / job_id)
        return job

    def preview(self, job_id: str) -> Preview:
        """What will be understood of a draft.

        Raises
        ------
        NotFoundError
            When it is none any more.
        """
        return read_preview(self.folder / job_id)

    def thumbnail(self, job_id: str, row: int) -> bytes:
        """The picture of one of the first rows of a draft, a small JPEG.

        Raises
        ------
        NotFoundError
            When it has none.
        """
        return read_thumbnail(self.folder / job_id, row)

    def start(self, job_id: str) -> None:
        """Let a worker have a draft.

        Raises
        ------
        ConflictError
            When it was started or discarded before.
        """
        with self._database.write() as connection:
            if not store.start_job(connection, job_id):
                raise ConflictError(f"The job {job_id!r} is no draft", "It was started or discarded before")

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

    def decisions(self, job_id: str) -> dict[str, int]:
        """How many rows of a job were accepted, and how many are to be reviewed, by the decisions' names."""
        with self._database.read() as connection:
            return store.count_decisions(connection, job_id)

    def cancel(self, job_id: str) -> None:
        """Stop a job, or discard a draft; what is answered already stays.

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

    def _look_at(self, folder: Path, name: str) -> None:
        archive = folder / _IMAGES
        make_preview(_listings(folder), archive if archive.is_file() else None, name)


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
        file = _listings(folder)
        archive, images = folder / _IMAGES, folder / "images"
        if archive.is_file():
            unpack_images(archive, images, going_on=self._renewal(job))
            archive.unlink()
        return open_catalogue(file, images=images if images.is_dir() else None)

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


def _listings(folder: Path) -> Path:
    files = sorted(folder.glob("listings.*"))
    if not files:
        raise CatalogueError("The file of the job is not there any more", "Send it again")
    return files[0]


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
