"""Models: what is kept and what serves, and what is about to change before it does."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from rayon.errors import PromotionRefusedError, RayonError
from rayon.operations.golden_set import GoldenSet
from rayon.operations.promotion import Gatekeeper
from rayon.serving.auth import Admin, Reviewer
from rayon.serving.judging import judging
from rayon.serving.services import Services, services
from rayon.serving.web.rendering import redirect, render_page
from rayon.store.models import ModelVersion
from rayon.store.verdicts import StoredVerdict

router = APIRouter()
Reason = Annotated[str, Form(max_length=1000)]
_PROMOTIONS = 20


@router.get("/models")
def models(request: Request, _user: Reviewer) -> Response:
    """Show the champion, all versions, and when the champion changed."""
    served = services(request)
    registry = served.registry
    return render_page(
        request,
        "models.html.j2",
        champion=registry.champion(),
        versions=registry.versions(),
        promotions=registry.promotions(_PROMOTIONS),
        retrainings=served.retrainings.newest(None, 3),
        brake=served.recorder.brake,
        promise=served.model.policy_.report(),
        serving=served.model.version_,
        pinned=served.follower is None,
    )


@router.get("/models/rollback")
def ask_to_roll_back(request: Request, _user: Admin) -> Response:
    """Say what rolling back will change."""
    return _rollback_page(request)


@router.post("/models/rollback")
def roll_back(request: Request, user: Admin, reason: Reason = "") -> Response:
    """Go back to the champion before this one."""
    served = services(request)
    try:
        served.registry.rollback(user.name, reason)
    except RayonError as error:
        return _rollback_page(request, error)
    served.mirror()
    return redirect("/models", "rolled-back")


@router.get("/models/{name}")
def model(request: Request, _user: Reviewer, name: str) -> Response:
    """Show one version with its verdicts and its time as the champion."""
    served = services(request)
    version = served.registry.find(name)
    return render_page(
        request,
        "model.html.j2",
        version=version,
        champion=served.registry.champion(),
        promotions=[one for one in served.registry.promotions() if version.name in (one.model, one.previous)],
        verdicts=_verdicts_of(served, version.name),
    )


@router.get("/models/{name}/promote")
def ask_to_promote(request: Request, _user: Admin, name: str) -> Response:
    """Say what promoting a version will change."""
    return _promote_page(request, name)


@router.post("/models/{name}/promote")
def promote(request: Request, user: Admin, name: str, reason: Reason = "", force: Reason = "") -> Response:
    """Make a version the champion if the gate lets it through; the browser waits meanwhile."""
    served = services(request)
    try:
        with judging(served) as (gate, watch):
            gate.promote(name, user.name, reason, watch, force=bool(force), change=None)
    except RayonError as error:
        return _promote_page(request, name, error, reason)
    served.mirror()
    return redirect("/models", "promoted")


def _promote_page(request: Request, name: str, error: RayonError | None = None, reason: str = "") -> Response:
    served = services(request)
    version = served.registry.find(name)
    champion = _version(served, served.registry.champion())
    return render_page(
        request,
        "model_promote.html.j2",
        error.status if error else 200,
        version=version,
        champion=champion,
        gone=_codes_beyond(champion, version),
        new=_codes_beyond(version, champion),
        golden=len(GoldenSet(served.database, served.images)) if champion else 0,
        error=error,
        verdict=error.verdict if isinstance(error, PromotionRefusedError) else None,
        reason=reason,
    )


def _rollback_page(request: Request, error: RayonError | None = None) -> Response:
    served = services(request)
    champion = served.registry.champion()
    return render_page(
        request,
        "model_rollback.html.j2",
        error.status if error else 200,
        champion=_version(served, champion),
        before=_version(served, served.registry.before_champion()),
        error=error,
    )


def _version(served: Services, name: str | None) -> ModelVersion | None:
    return served.registry.find(name) if name else None


def _codes_beyond(one: ModelVersion | None, other: ModelVersion | None) -> list[str]:
    """Codes that one version knows and the other does not."""
    if one is None or other is None:
        return []
    known = set(_codes(other))
    return [code for code in _codes(one) if code not in known]


def _codes(version: ModelVersion) -> list[Any]:
    codes: list[Any] = version.figures["figures"]["codes"]
    return codes


def _verdicts_of(served: Services, name: str) -> list[StoredVerdict]:
    golden = GoldenSet(served.database, served.images)
    found = Gatekeeper(served.database, served.registry, golden).verdicts()
    return [one for one in found if name in (one.challenger, one.champion)]
