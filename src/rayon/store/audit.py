"""The audit log: who did what, when. Only ever added to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from rayon.store.tables import audit_log


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that somebody did."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


def record(
    connection: Connection,
    actor: str,
    action: str,
    subject: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry; it is stored with whatever else the transaction stores, or not at all."""
    connection.execute(
        insert(audit_log).values(
            at=now, actor=actor, action=action, subject=subject, detail=dict(detail or {})
        )
    )


def last_time(connection: Connection, action: str, subject: str) -> datetime | None:
    """When something was last done to a subject; ``None`` where it never was."""
    query = (
        select(audit_log.c.at)
        .where(audit_log.c.action == action, audit_log.c.subject == subject)
        .order_by(audit_log.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def entries(connection: Connection, before: int | None = None, limit: int = 100) -> list[AuditEntry]:
    """Newest entries first, from before the one with the given id."""
    query = select(audit_log).order_by(audit_log.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit_log.c.id < before)
    return [AuditEntry(*row) for row in connection.execute(query)]
