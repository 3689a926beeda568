"""A broken promise: the brake on the model that answers, and thresholds set anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response

from rayon.errors import RayonError
from rayon.operations.brake import brake_of, release_brake, set_brake
from rayon.serving.auth import Admin
from rayon.serving.braking import followed_name, recalibrate_champion, serving_name
from rayon.serving.services import services
from rayon.serving.web.rendering import redirect, render_page

router = APIRouter()
Reason = Annotated[str, Form(max_length=1000)]
Name = Annotated[str, Form(max_length=64, description="The model that the page has shown")]
Days = Literal["30", "90"]


@router.get("/models/brake")
def brake(request: Request, _user: Admin) -> Response:
    """Say what a brake does, or is doing."""
    return _brake_page(request)


@router.post("/models/brake")
def set_(
    request: Request,
    user: Admin,
    model: Name,
    kind: Annotated[Literal["tighten", "review"], Form()] = "tighten",
    reason: Reason = "",
) -> Response:
    """Have the model that answers accept less, or nothing."""
    served = services(request)
    try:
        set_brake(served.database, served.registry, followed_name(served, model), kind, user.name, reason)
    except RayonError as error:
        return _brake_page(request, error, reason, kind)
    return redirect("/models", "brake-set")


@router.post("/models/brake/release")
def release(request: Request, user: Admin, model: Name, reason: Reason = "") -> Response:
    """Let the model that answers accept again as it promises."""
    served = services(request)
    try:
        release_brake(served.database, followed_name(served, model), user.name, reason)
    except RayonError as error:
        return _brake_page(request, error, reason)
    return redirect("/models", "brake-released")


@router.get("/models/recalibrate")
def ask_to_recalibrate(request: Request, _user: Admin) -> Response:
    """Say what recalibrating does."""
    return _recalibrate_page(request)


@router.post("/models/recalibrate")
def recalibrate(
    request: Request, user: Admin, reason: Reason = "", days: Annotated[Days, Form()] = "90"
) -> Response:
    """Set the champion's thresholds anew; the browser waits meanwhile."""
    served = services(request)
    since = datetime.now(UTC) - timedelta(days=int(days))
    try:
        if not reason.strip():
            raise RayonError("The reason is missing", "Say why, for whoever asks later")
        recalibrate_champion(served, user.name, reason, since)
    except RayonError as error:
        return _recalibrate_page(request, error, reason, days)
    return redirect("/models", "recalibrated")


def _brake_page(
    request: Request, error: RayonError | None = None, reason: str = "", kind: str = "tighten"
) -> Response:
    served = services(request)
    return render_page(
        request,
        "model_brake.html.j2",
        error.status if error else 200,
        brake=brake_of(served.database, serving_name(served)),
        serving=serving_name(served),
        promise=served.model.policy_.report(),
        pinned=served.follower is None,
        error=error,
        reason=reason,
        kind=kind,
    )


def _recalibrate_page(
    request: Request, error: RayonError | None = None, reason: str = "", days: Days = "90"
) -> Response:
    served = services(request)
    champion = served.registry.champion()
    return render_page(
        request,
        "model_recalibrate.html.j2",
        error.status if error else 200,
        champion=champion,
        answers=champion == serving_name(served),
        brake=brake_of(served.database, champion) if champion else None,
        promise=served.model.policy_.report(),
        error=error,
        reason=reason,
        days=days,
    )
