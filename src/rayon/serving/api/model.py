"""The taxonomy and the model that answers."""

from __future__ import annotations

from fastapi import APIRouter, Request

from rayon.serving.auth import Client
from rayon.serving.model_schemas import BrakeOut, ModelOut
from rayon.serving.schemas import CategoryOut
from rayon.serving.services import services

router = APIRouter(tags=["model"])


@router.get("/taxonomy")
def taxonomy(request: Request, _user: Client) -> list[CategoryOut]:
    """List the codes that the model knows, with their labels."""
    return [
        CategoryOut(
            code=category.code,
            label_fr=category.label_fr,
            label_en=category.label_en,
            parent=category.parent,
        )
        for category in services(request).model.taxonomy_
    ]


@router.get("/model")
def model(request: Request, _user: Client) -> ModelOut:
    """See which model answers, and what it promises."""
    served = services(request)
    serving, follower = served.model, served.follower
    report, brake = serving.policy_.report(), served.recorder.brake
    return ModelOut(
        version=serving.version_,
        modalities=list(serving.parts_),
        codes=len(serving.classes_),
        precision=report["precision"],
        policy=report["message"],
        pinned=follower is None,
        champion=served.registry.champion(),
        problem=follower.problem if follower else "",
        brake=BrakeOut.of(brake) if brake else None,
    )
