"""Looks at the live service: what they found, and another one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from rayon.errors import NotFoundError
from rayon.serving.auth import Reviewer
from rayon.serving.lifecycle_schemas import (
    LookIn,
    MonitoringReportOut,
    MonitoringRunOut,
    MonitoringRunsOut,
)
from rayon.serving.looking import look_now
from rayon.serving.problems import problem_responses
from rayon.serving.services import services
from rayon.store.monitoring import find_run, list_runs

_LARGEST = 2**31 - 1

router = APIRouter(tags=["model"])


@router.get("/monitoring")
def list_(
    request: Request,
    _user: Reviewer,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[int | None, Query(ge=1, le=_LARGEST)] = None,
) -> MonitoringRunsOut:
    """List what looks at the live service found, newest first."""
    with services(request).database.read() as connection:
        found = list_runs(connection, cursor, limit + 1)
    items = [MonitoringRunOut.of(run) for run in found[:limit]]
    return MonitoringRunsOut(items=items, next=items[-1].id if len(found) > limit else None)


@router.post("/monitoring", responses=problem_responses(400, 409, 422, 503))
def look(request: Request, user: Reviewer, asked: LookIn) -> MonitoringReportOut:
    """Have the live service looked at now; it takes some seconds, in a process of its own."""
    look_now(services(request), user.name, asked.since)
    return _newest(request)


@router.get("/monitoring/latest", responses=problem_responses(404))
def latest(request: Request, _user: Reviewer) -> MonitoringReportOut:
    """See all that the last look found."""
    return _newest(request)


@router.get("/monitoring/{run_id}", responses=problem_responses(404))
def get(
    request: Request, _user: Reviewer, run_id: Annotated[int, Path(ge=1, le=_LARGEST)]
) -> MonitoringReportOut:
    """See all that a look found."""
    with services(request).database.read() as connection:
        found = find_run(connection, run_id)
    if found is None:
        raise NotFoundError(f"There is no look {run_id}", "List them to see their ids")
    return MonitoringReportOut.of(found)


def _newest(request: Request) -> MonitoringReportOut:
    with services(request).database.read() as connection:
        found = list_runs(connection, limit=1)
    if not found:
        raise NotFoundError("Nobody has looked yet", "Send a POST to /api/v1/monitoring, or set a schedule")
    return MonitoringReportOut.of(found[0])
