"""The brake on the model that answers, and thresholds set anew."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, StringConstraints

from rayon.operations.brake import brake_of, release_brake, set_brake
from rayon.serving.auth import Admin, Reviewer
from rayon.serving.braking import followed_name, recalibrate_champion, serving_name
from rayon.serving.model_schemas import BrakeIn, BrakeOut, PromotionOut, RecalibrationIn
from rayon.serving.problems import problem_responses
from rayon.serving.schemas import without_nul
from rayon.serving.services import services

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
    found = brake_of(served.database, serving_name(served))
    return BrakeOut.of(found) if found else None


@router.put("/brake", responses=problem_responses(400, 404, 409, 422))
def put(request: Request, user: Admin, brake: BrakeIn) -> BrakeOut:
    """Have the model that answers accept less, or nothing; processes follow within seconds."""
    served = services(request)
    name = followed_name(served)
    return BrakeOut.of(set_brake(served.database, served.registry, name, brake.kind, user.name, brake.reason))


@router.delete("/brake", status_code=204, responses=problem_responses(400, 404, 409, 422))
def delete(request: Request, user: Admin, reason: Why) -> None:
    """Let the model that answers accept again as it promises; processes follow within seconds."""
    served = services(request)
    release_brake(served.database, followed_name(served), user.name, reason)


@router.post("/models/recalibrate", responses=problem_responses(400, 409, 422))
def recalibrate(request: Request, user: Admin, asked: RecalibrationIn) -> PromotionOut:
    """Set the champion's thresholds anew, from validated predictions that the random audit drew.

    The answer takes as long as the champion takes to answer their listings afresh.
    """
    moved = recalibrate_champion(services(request), user.name, asked.reason, asked.since)
    return PromotionOut.of(moved)
