"""The audit log: who did what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from rayon.serving.auth import Admin
from rayon.serving.schemas import AuditEntryOut, AuditOut
from rayon.serving.services import services
from rayon.store.audit import entries

router = APIRouter(tags=["people"])


@router.get("/audit")
def list_(
    request: Request,
    _user: Admin,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> AuditOut:
    """Read who changed users and keys and erased data, newest first. Nothing in it can be changed."""
    with services(request).database.read() as connection:
        found = entries(connection, cursor, limit + 1)
    items = [AuditEntryOut.of(entry) for entry in found[:limit]]
    return AuditOut(items=items, next=items[-1].id if len(found) > limit else None)
