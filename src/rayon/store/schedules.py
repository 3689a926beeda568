"""What is done on schedule, and what was due last."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from rayon.store.tables import schedules


def last_due(connection: Connection, name: str) -> datetime | None:
    """When the last run of a schedule that somebody took was due; ``None`` before the first look at it."""
    return connection.execute(
        select(schedules.c.last_due_at).where(schedules.c.name == name)
    ).scalar_one_or_none()


def begin_schedule(connection: Connection, name: str, now: datetime) -> None:
    """Have a schedule count from now on; the database refuses one that counts already (`IntegrityError`)."""
    connection.execute(insert(schedules).values(name=name, last_due_at=now))


def claim_due(connection: Connection, name: str, due: datetime) -> bool:
    """Take the run that was due at a moment; false where another process was quicker."""
    query = (
        update(schedules)
        .where(schedules.c.name == name, schedules.c.last_due_at < due)
        .values(last_due_at=due)
    )
    return connection.execute(query).rowcount == 1
