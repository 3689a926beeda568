"""Retrainings: asked for here, run by a worker."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse

from rayon.serving.auth import Admin, Reviewer
from rayon.serving.lifecycle_schemas import RetrainingDetailOut, RetrainingOut, RetrainingsOut
from rayon.serving.model_schemas import ReasonIn
from rayon.serving.problems import problem_responses
from rayon.serving.services import services

router = APIRouter(tags=["model"])
Id = Annotated[str, Path(max_length=36)]


@router.post("/retrainings", status_code=202, responses=problem_responses(400, 409, 422))
def request_(request: Request, user: Admin, why: ReasonIn) -> RetrainingOut:
    """Ask for a retraining, with the training data of the last one and what people have validated since."""
    return RetrainingOut.of(services(request).retrainings.request(user.name, why.reason, "api"))


@router.get("/retrainings")
def list_(
    request: Request,
    _user: Reviewer,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=36)] = None,
) -> RetrainingsOut:
    """List retrainings, newest first."""
    found = services(request).retrainings.newest(cursor, limit + 1)
    items = [RetrainingOut.of(one) for one in found[:limit]]
    return RetrainingsOut(items=items, next=items[-1].id if len(found) > limit else None)


@router.get("/retrainings/{retraining_id}", responses=problem_responses(404))
def get(request: Request, _user: Reviewer, retraining_id: Id) -> RetrainingDetailOut:
    """See what a retraining has done, and what became of it."""
    journal = services(request).retrainings
    found = journal.find(retraining_id)
    return RetrainingDetailOut.with_steps(found, journal.steps(found.id))


@router.get(
    "/retrainings/{retraining_id}/report",
    response_class=FileResponse,
    responses={200: {"content": {"application/json": {}}}, **problem_responses(404)},
)
def report(request: Request, _user: Reviewer, retraining_id: Id) -> FileResponse:
    """Fetch the classification report of a challenger, on the golden set."""
    path = services(request).retrainings.report(retraining_id)
    return FileResponse(path, media_type="application/json", filename=f"retraining-{retraining_id}.json")
