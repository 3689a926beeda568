"""Jobs: files to classify, leased by workers, each row of them answered once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from rayon.store.tables import job_failures, jobs, predictions

JobState = Literal["draft", "waiting", "running", "done", "failed", "cancelled"]
_OPEN: tuple[JobState, ...] = ("draft", "waiting", "running")


@dataclass(frozen=True, slots=True)
class Job:
    """A file to classify.

    Parameters
    ----------
    id
        Unique; sorts by time.
    user_id
        Who asked; ``None`` where they were deleted.
    state
        ``"draft"`` until somebody starts it, where it came so; ``"waiting"``, ``"running"``, ``"done"``,
        ``"failed"`` or ``"cancelled"``.
    file
        The name under which the file came.
    rows_done, rows_failed, rows_expected
        Rows that are answered or failed, those that failed, and how many there are at the most.
    error
        Why the whole job failed; empty otherwise.
    """

    id: str
    user_id: str | None
    created_at: datetime
    finished_at: datetime | None
    state: JobState
    file: str
    rows_done: int
    rows_failed: int
    rows_expected: int
    error: str


_COLUMNS = tuple(jobs.c[name] for name in Job.__slots__)


def add_job(
    connection: Connection,
    job_id: str,
    user_id: str | None,
    file: str,
    now: datetime,
    state: JobState = "waiting",
) -> Job:
    """Store a new job that waits for a worker, or for somebody who starts it."""
    job = Job(job_id, user_id, now, None, state, file, 0, 0, 0, "")
    connection.execute(insert(jobs).values({name: getattr(job, name) for name in Job.__slots__}))
    return job


def find_job(connection: Connection, id: str) -> Job | None:
    """Find a job by its id."""
    row = connection.execute(select(*_COLUMNS).where(jobs.c.id == id)).first()
    return Job(*row) if row else None


def list_jobs(connection: Connection, user_id: str | None, before: str | None, limit: int) -> list[Job]:
    """Newest jobs first, of one user or of all."""
    query = select(*_COLUMNS).order_by(jobs.c.id.desc()).limit(limit)
    if user_id is not None:
        query = query.where(jobs.c.user_id == user_id)
    if before is not None:
        query = query.where(jobs.c.id < before)
    return [Job(*row) for row in connection.execute(query)]


def start_job(connection: Connection, job_id: str) -> bool:
    """Let workers have a draft; whether it was one."""
    found = connection.execute(
        update(jobs).where(jobs.c.id == job_id, jobs.c.state == "draft").values(state="waiting")
    )
    return bool(found.rowcount)


def delete_drafts_before(connection: Connection, before: datetime) -> list[str]:
    """Delete drafts that were made before a moment and never started, and give their ids."""
    old = delete(jobs).where(jobs.c.state == "draft", jobs.c.created_at < before)
    return list(connection.execute(old.returning(jobs.c.id)).scalars())


def lease_job(connection: Connection, worker: str, now: datetime, until: datetime) -> Job | None:
    """Give the oldest job that waits, or whose worker is gone, to a worker."""
    gone = (jobs.c.state == "running") & (jobs.c.leased_until <= now)
    query = (
        select(jobs.c.id)
        .where(or_(jobs.c.state == "waiting", gone))
        .order_by(jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    connection.execute(
        update(jobs).where(jobs.c.id == row.id).values(state="running", leased_by=worker, leased_until=until)
    )
    return find_job(connection, row.id)


def advance_job(
    connection: Connection,
    job_id: str,
    worker: str,
    *,
    from_row: int,
    rows: int,
    failures: Mapping[int, str],
    expected: int,
    until: datetime,
) -> bool:
    """Note that a worker has answered the next rows of a job, in the transaction that stores the answers.

    Returns
    -------
    bool
        Whether it was this worker's turn. Where it was not (cancelled, or taken over by another), nothing may
        be stored.
    """
    found = connection.execute(
        update(jobs)
        .where(
            jobs.c.id == job_id,
            jobs.c.state == "running",
            jobs.c.leased_by == worker,
            jobs.c.rows_done == from_row,
        )
        .values(
            rows_done=from_row + rows,
            rows_failed=jobs.c.rows_failed + len(failures),
            rows_expected=expected,
            leased_until=until,
        )
    )
    if found.rowcount != 1:
        return False
    if failures:
        lines = [{"job_id": job_id, "row": row, "error": error} for row, error in failures.items()]
        connection.execute(insert(job_failures), lines)
    return True


def renew_job(connection: Connection, job_id: str, worker: str, until: datetime) -> bool:
    """Keep a job for longer; whether this worker still has it."""
    found = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == "running", jobs.c.leased_by == worker)
        .values(leased_until=until)
    )
    return found.rowcount == 1


def finish_job(
    connection: Connection, job_id: str, worker: str, state: JobState, now: datetime, error: str = ""
) -> None:
    """End a job that this worker still has."""
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == "running", jobs.c.leased_by == worker)
        .values(state=state, finished_at=now, error=error, leased_by=None, leased_until=None)
    )


def release_job(connection: Connection, job_id: str, worker: str) -> None:
    """Let another worker go on at once."""
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == "running", jobs.c.leased_by == worker)
        .values(state="waiting", leased_by=None, leased_until=None)
    )


def cancel_job(connection: Connection, job_id: str, now: datetime) -> bool:
    """End a job that has not ended; what is answered already stays. Whether there was something to end."""
    found = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state.in_(_OPEN))
        .values(state="cancelled", finished_at=now, leased_by=None, leased_until=None)
    )
    return bool(found.rowcount)


def job_errors(connection: Connection, job_id: str, after: int, limit: int) -> list[tuple[int, str]]:
    """Rows of a job that failed, from after one on, with their reasons."""
    query = (
        select(job_failures.c.row, job_failures.c.error)
        .where(job_failures.c.job_id == job_id, job_failures.c.row > after)
        .order_by(job_failures.c.row)
        .limit(limit)
    )
    return [(row, error) for row, error in connection.execute(query)]


def count_decisions(connection: Connection, job_id: str) -> dict[str, int]:
    """How many rows of a job got which decision."""
    query = (
        select(predictions.c.decision, func.count())
        .where(predictions.c.job_id == job_id)
        .group_by(predictions.c.decision)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def open_jobs(connection: Connection) -> list[str]:
    """Ids of the jobs that have not ended."""
    return list(connection.execute(select(jobs.c.id).where(jobs.c.state.in_(_OPEN))).scalars())


def delete_of_user(connection: Connection, user_id: str) -> list[str]:
    """Delete all jobs of a user, and give their ids; whoever works on one notices at the next step."""
    found = list(connection.execute(select(jobs.c.id).where(jobs.c.user_id == user_id)).scalars())
    connection.execute(delete(jobs).where(jobs.c.user_id == user_id))
    return found


def delete_ended_before(connection: Connection, before: datetime) -> int:
    """Delete jobs that ended before a moment, and say how many."""
    return connection.execute(delete(jobs).where(jobs.c.finished_at < before)).rowcount
