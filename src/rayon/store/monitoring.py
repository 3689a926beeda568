"""The journal of monitoring: what each look found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from rayon.errors import RayonError
from rayon.store.tables import monitoring_runs


@dataclass(frozen=True, slots=True)
class MonitoringRun:
    """One look at the live service.

    Parameters
    ----------
    id
        Counts up.
    at, actor
        When, and who looked: a user, ``command line`` or ``the schedule``.
    model
        The name of the model that was looked at.
    attention
        How many things needed attention.
    report
        What was found, JSON-ready.
    """

    id: int
    at: datetime
    actor: str
    model: str
    attention: int
    report: dict[str, Any]


def add_run(
    connection: Connection, at: datetime, actor: str, model: str, attention: int, report: Mapping[str, Any]
) -> int:
    """Add an entry, and give its id."""
    made = connection.execute(
        insert(monitoring_runs).values(
            at=at, actor=actor, model=model, attention=attention, report=dict(report)
        )
    ).inserted_primary_key
    if made is None:
        raise RayonError("The journal entry was not stored", "Try again")
    return int(made[0])


def list_runs(connection: Connection, before: int | None = None, limit: int = 100) -> list[MonitoringRun]:
    """Newest entries first, from before the one with the given id."""
    query = select(monitoring_runs).order_by(monitoring_runs.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(monitoring_runs.c.id < before)
    return [MonitoringRun(*row) for row in connection.execute(query)]


def find_run(connection: Connection, id: int) -> MonitoringRun | None:
    """Find an entry by its id."""
    row = connection.execute(select(monitoring_runs).where(monitoring_runs.c.id == id)).first()
    return MonitoringRun(*row) if row else None
