"""The journal of retrainings: what was asked for, how far it came, and what it led to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, text, update

from rayon.store.tables import retraining_steps, retrainings

RetrainingState = Literal["requested", "running", "promoted", "kept", "failed", "interrupted"]
Trigger = Literal["hand", "api", "schedule", "monitoring"]
_OPEN: tuple[RetrainingState, ...] = ("requested", "running")


@dataclass(frozen=True, slots=True)
class Retraining:
    """One run from training data and feedback to a decision about the challenger.

    Parameters
    ----------
    id
        Unique; sorts by time.
    requested_at, started_at, ended_at
        When; ``None`` for what has not come about.
    state
        ``"requested"``, ``"running"``, or how it ended: the challenger was ``"promoted"``, the champion was
        ``"kept"``, or there is none: it ``"failed"``, or was ``"interrupted"``.
    trigger
        Why it came about.
    actor, reason
        Who wanted it, and why.
    recipe
        How to train, JSON-ready.
    model
        The name of the challenger; ``None`` as long as there is none.
    error
        What went wrong; empty where nothing did.
    leased_until
        Until when its process has to give a sign of life.
    """

    id: str
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    state: RetrainingState
    trigger: Trigger
    actor: str
    reason: str
    recipe: dict[str, Any]
    model: str | None
    error: str
    leased_until: datetime | None


@dataclass(frozen=True, slots=True)
class RetrainingStep:
    """Something that a retraining has done.

    Parameters
    ----------
    at
        When it was done.
    step
        What: ``"golden"``, ``"snapshot"``, ``"training"``, ``"report"`` or ``"gate"``.
    detail
        What came of it, JSON-ready.
    """

    at: datetime
    step: str
    detail: dict[str, Any]


def hold_retrainings(connection: Connection) -> None:
    """Let no other transaction change one before this one has ended."""
    if connection.dialect.name == "postgresql":  # SQLite lets in one writer at a time anyway
        connection.execute(text("LOCK TABLE retrainings IN SHARE ROW EXCLUSIVE MODE"))


def add_retraining(connection: Connection, one: Retraining) -> None:
    """Add one."""
    values = {name: getattr(one, name) for name in Retraining.__slots__}
    connection.execute(insert(retrainings).values(values))


def find_retraining(connection: Connection, id: str) -> Retraining | None:
    """Find one by its id."""
    row = connection.execute(select(retrainings).where(retrainings.c.id == id)).first()
    return Retraining(*row) if row else None


def list_retrainings(connection: Connection, before: str | None = None, limit: int = 100) -> list[Retraining]:
    """Newest first, from before the one with the given id."""
    query = select(retrainings).order_by(retrainings.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(retrainings.c.id < before)
    return [Retraining(*row) for row in connection.execute(query)]


def open_retrainings(connection: Connection) -> list[Retraining]:
    """Those that are requested or running, oldest first."""
    query = select(retrainings).where(retrainings.c.state.in_(_OPEN)).order_by(retrainings.c.id)
    return [Retraining(*row) for row in connection.execute(query)]


def start_retraining(connection: Connection, id: str, now: datetime, until: datetime) -> bool:
    """Start a requested one; whether it still waited."""
    query = (
        update(retrainings)
        .where(retrainings.c.id == id, retrainings.c.state == "requested")
        .values(state="running", started_at=now, leased_until=until)
    )
    return connection.execute(query).rowcount == 1


def renew_retraining(connection: Connection, id: str, until: datetime) -> bool:
    """Give a sign of life; whether it is still running in everybody's eyes."""
    query = (
        update(retrainings)
        .where(retrainings.c.id == id, retrainings.c.state == "running")
        .values(leased_until=until)
    )
    return connection.execute(query).rowcount == 1


def end_retraining(
    connection: Connection,
    id: str,
    state: RetrainingState,
    now: datetime,
    model: str | None = None,
    error: str = "",
) -> bool:
    """Note how one ended; whether it was still open."""
    query = (
        update(retrainings)
        .where(retrainings.c.id == id, retrainings.c.state.in_(_OPEN))
        .values(state=state, ended_at=now, model=model, error=error, leased_until=None)
    )
    return connection.execute(query).rowcount == 1


def add_step(
    connection: Connection, retraining_id: str, at: datetime, step: str, detail: Mapping[str, Any]
) -> None:
    """Note what a retraining has done."""
    connection.execute(
        insert(retraining_steps).values(retraining_id=retraining_id, at=at, step=step, detail=dict(detail))
    )


def list_steps(connection: Connection, retraining_id: str) -> list[RetrainingStep]:
    """What a retraining has done, in order."""
    columns = retraining_steps.c
    query = (
        select(columns.at, columns.step, columns.detail)
        .where(columns.retraining_id == retraining_id)
        .order_by(columns.id)
    )
    return [RetrainingStep(*row) for row in connection.execute(query)]
