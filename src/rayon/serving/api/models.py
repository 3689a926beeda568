"""The registry of models: what is kept, and what serves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from rayon.serving.auth import Admin, Reviewer
from rayon.serving.problems import problem_responses
from rayon.serving.schemas import ModelVersionOut, PromotionOut, ReasonIn
from rayon.serving.services import services

router = APIRouter(tags=["model"])
Name = Annotated[str, Path(max_length=64)]


@router.get("/models")
def list_(request: Request, _user: Reviewer) -> list[ModelVersionOut]:
    """List the models that are registered, the last one first."""
    registry = services(request).registry
    champion = registry.champion()
    return [ModelVersionOut.of(version, champion) for version in registry.versions()]


@router.get("/models/promotions")
def promotions(request: Request, _user: Reviewer) -> list[PromotionOut]:
    """See when the champion changed, by whom and why, newest first."""
    return [PromotionOut.of(one) for one in services(request).registry.promotions()]


@router.post("/models/rollback", responses=problem_responses(409, 422))
def rollback(request: Request, user: Admin, why: ReasonIn) -> PromotionOut:
    """Go back to the champion before this one; processes follow within seconds."""
    return PromotionOut.of(services(request).registry.rollback(user.name, why.reason))


@router.get("/models/{name}", responses=problem_responses(404))
def get(request: Request, _user: Reviewer, name: Name) -> ModelVersionOut:
    """See a model, by its name or the beginning of it."""
    registry = services(request).registry
    return ModelVersionOut.of(registry.find(name), registry.champion())


@router.post("/models/{name}/promote", responses=problem_responses(400, 404, 409, 422))
def promote(request: Request, user: Admin, name: Name, why: ReasonIn) -> PromotionOut:
    """Make a model the champion; processes follow within seconds, and no request is dropped."""
    return PromotionOut.of(services(request).registry.promote(name, user.name, why.reason))
