"""Changing the champion: pages that say what will change before it does."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from rayon.errors import RayonError
from rayon.learning.crossfit import Progress
from rayon.operations.brake import brake_of
from rayon.operations.promotion import Gatekeeper
from rayon.serving.auth import Admin
from rayon.serving.judging import gatekeeper, judging
from rayon.serving.services import services
from rayon.serving.web.gate import asking, wait_for
from rayon.serving.web.models import verdict_of
from rayon.serving.web.rendering import redirect, render_page
from rayon.serving.web.versions import ALL, codes_beyond, terms, version_of

router = APIRouter()
Reason = Annotated[str, Form(max_length=1000)]
Name = Annotated[str, Form(max_length=64, description="The champion that the page has shown")]
Force = Annotated[str, Form(max_length=10)]
_LARGEST = 2**31 - 1


@router.get("/models/rollback")
def ask_to_roll_back(request: Request, _user: Admin) -> Response:
    """Say what rolling back will change."""
    return _rollback_page(request)


@router.post("/models/rollback")
def roll_back(request: Request, user: Admin, champion: Name, reason: Reason = "") -> Response:
    """Go back to the champion before this one."""
    served = services(request)
    try:
        served.registry.rollback(user.name, reason, champion)
    except RayonError as error:
        return _rollback_page(request, error, reason)
    served.mirror()
    return redirect("/models", "rolled-back")


@router.get("/models/{name}/promote")
def ask_to_promote(
    request: Request,
    _user: Admin,
    name: str,
    verdict: Annotated[int | None, Query(ge=1, le=_LARGEST)] = None,
    asked: Annotated[str, Query(max_length=36)] = "",
) -> Response:
    """Say what promoting a version will change, and why the gate refused it where it just did."""
    question = services(request).questions.find(asked)
    return _promote_page(request, name, reason=question.reason if question else "", verdict_id=verdict)


@router.post("/models/{name}/promote")
def promote(request: Request, user: Admin, name: str, reason: Reason = "", force: Force = "") -> Response:
    """Make a version the champion if the gate lets it through, which it judges in the background."""
    served = services(request)
    try:
        version, champion = served.registry.find(name).name, served.registry.champion()

        def work(gate: Gatekeeper, progress: Progress) -> None:
            gate.promote(version, user.name, reason, progress, force=bool(force))
            served.mirror()

        if champion is not None and reason.strip() and gatekeeper(served).has_a_word(version):
            return wait_for(served, work, champion, version, promotes=True, reason=reason)
        with judging(served) as (gate, watch):
            work(gate, watch)
    except RayonError as error:
        return _promote_page(request, name, error, reason, force=bool(force))
    return redirect("/models", "promoted")


def _promote_page(
    request: Request,
    name: str,
    error: RayonError | None = None,
    reason: str = "",
    verdict_id: int | None = None,
    *,
    force: bool = False,
) -> Response:
    served = services(request)
    version = served.registry.find(name)
    champion = version_of(served, served.registry.champion())
    return render_page(
        request,
        "model_promote.html.j2",
        error.status if error else 200,
        shown=version,
        champion=champion,
        gone=codes_beyond(champion, version),
        new=codes_beyond(version, champion),
        brake=brake_of(served.database, champion.name) if champion else None,
        own_brake=brake_of(served.database, version.name),
        refusal=verdict_of(served, verdict_id) if verdict_id else None,
        pinned=served.follower is None,
        error=error,
        reason=reason,
        force=force,
        **asking(served),
    )


def _rollback_page(request: Request, error: RayonError | None = None, reason: str = "") -> Response:
    served = services(request)
    before = version_of(served, served.registry.before_champion())
    served_then = [
        term
        for term in terms(served.registry.promotions(ALL))
        if before is not None and term.began.model == before.name
    ]
    return render_page(
        request,
        "model_rollback.html.j2",
        error.status if error else 200,
        champion=version_of(served, served.registry.champion()),
        before=before,
        term=served_then[0] if served_then else None,
        gone=codes_beyond(version_of(served, served.registry.champion()), before),
        new=codes_beyond(before, version_of(served, served.registry.champion())),
        own_brake=brake_of(served.database, before.name) if before else None,
        pinned=served.follower is None,
        error=error,
        reason=reason,
    )
