"""The brake on the model that answers, and thresholds set anew."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, StringConstraints

from rayon.errors import ConflictError
from rayon.operations import recalibration
from rayon.operations.brake import brake_of, release_brake, set_brake
from rayon.operations.registry import NAME_LENGTH
from rayon.serving.auth import Admin, Reviewer
from rayon.serving.judging import judging
from rayon.serving.model_schemas import BrakeIn, BrakeOut, PromotionOut, RecalibrationIn
from rayon.serving.problems import problem_responses
from rayon.serving.schemas import without_nul
from rayon.serving.services import Services, services

router = APIRouter(tags=["model"])
Why = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000),
    AfterValidator(without_nul),
    Query(description="Why, for whoever asks later"),
]


@router.get("/brake")
def get(request: Request, _user: Reviewer) -> BrakeOut | None:
    """See the brake that is on the model that answers; null where there is none."""
    served = services(request)
    found = brake_of(served.database, _name(served))
    return BrakeOut.of(found) if found else None


@router.put("/brake", responses=problem_responses(400, 404, 409, 422))
def put(request: Request, user: Admin, brake: BrakeIn) -> BrakeOut:
    """Have the model that answers accept less, or nothing; processes follow within seconds."""
    served = services(request)
    name = _followed(served)
    return BrakeOut.of(set_brake(served.database, served.registry, name, brake.kind, user.name, brake.reason))


@router.delete("/brake", status_code=204, responses=problem_responses(400, 404, 409, 422))
def delete(request: Request, user: Admin, reason: Why) -> None:
    """Let the model that answers accept again as it promises; processes follow within seconds."""
    served = services(request)
    release_brake(served.database, _followed(served), user.name, reason)


@router.post("/models/recalibrate", responses=problem_responses(400, 409, 422))
def recalibrate(request: Request, user: Admin, asked: RecalibrationIn) -> PromotionOut:
    """Set the champion's thresholds anew, from validated predictions that the random audit drew.

    The answer takes as long as the champion takes to answer their listings afresh.
    """
    served = services(request)
    model = served.model
    if served.registry.champion() != model.version_[:NAME_LENGTH]:
        raise ConflictError("The champion does not answer here", "Ask a process that follows it")
    with judging(served) as (_, watch):
        found = recalibration.recalibrate(
            served.database, served.images, model, since=asked.since, progress=watch
        )
    moved = recalibration.promote_recalibrated(served.registry, found, user.name, asked.reason)
    served.mirror()
    return PromotionOut.of(moved)


def _name(served: Services) -> str:
    return str(served.model.version_)[:NAME_LENGTH]


def _followed(served: Services) -> str:
    """The name of the model that answers.

    Raises
    ------
    ConflictError
        When no brake would stop it.
    """
    if served.follower is None:
        raise ConflictError(
            "This process is pinned to one model, which follows no brake",
            "Serve the champion, without --model and RAYON_MODEL",
        )
    return _name(served)
