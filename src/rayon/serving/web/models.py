"""Models: what is kept and what serves, one of them in detail, and what the gate said."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from rayon.errors import NotFoundError
from rayon.operations.brake import all_brakes, brake_of
from rayon.serving.auth import Reviewer
from rayon.serving.braking import serving_name
from rayon.serving.services import Services, services
from rayon.serving.web.rendering import render_page
from rayon.serving.web.versions import ALL, terms, version_of
from rayon.store.verdicts import StoredVerdict, find_verdict, list_verdicts

router = APIRouter()
_HISTORY = 20
_VERDICTS = 10
_MAX_ID = 2**31 - 1


@router.get("/models")
def models(request: Request, _user: Reviewer) -> Response:
    """Show the champion, all versions, when the champion changed, and what the gate said."""
    served = services(request)
    registry = served.registry
    promotions = registry.promotions(ALL)
    with served.database.read() as connection:
        verdicts = list_verdicts(connection, _VERDICTS)
    return render_page(
        request,
        "models.html.j2",
        champion=version_of(served, registry.champion()),
        term=terms(promotions)[0] if promotions else None,
        versions=registry.versions(),
        promotions=promotions[:_HISTORY],
        older=len(promotions) - _HISTORY,
        before=registry.before_champion(),
        verdicts=verdicts,
        retrainings=served.retrainings.newest(None, 3),
        brakes=all_brakes(served.database),
        promise=served.model.policy_.report(),
        serving=serving_name(served),
        pinned=served.follower is None,
        problem=served.follower.problem if served.follower else "",
    )


@router.get("/models/verdicts/{verdict_id}")
def verdict(
    request: Request, _user: Reviewer, verdict_id: Annotated[int, Path(ge=1, le=_MAX_ID)]
) -> Response:
    """Show what the gate found one time."""
    served = services(request)
    found = verdict_of(served, verdict_id)
    return render_page(
        request,
        "model_verdict.html.j2",
        verdict=found,
        champion=served.registry.champion(),
        registered={one.name for one in served.registry.versions()},
    )


@router.get("/models/{name}")
def model(request: Request, _user: Reviewer, name: str) -> Response:
    """Show one version with its verdicts and its time as the champion."""
    served = services(request)
    version = served.registry.find(name)
    with served.database.read() as connection:
        verdicts = list_verdicts(connection, about=[version.name])
    return render_page(
        request,
        "model.html.j2",
        shown=version,
        champion=served.registry.champion(),
        terms=[term for term in terms(served.registry.promotions(ALL)) if term.began.model == version.name],
        verdicts=verdicts,
        brake=brake_of(served.database, version.name),
        serving=serving_name(served),
    )


def verdict_of(served: Services, verdict_id: int) -> StoredVerdict:
    """Find what the gate found.

    Raises
    ------
    NotFoundError
        When there is no such verdict.
    """
    with served.database.read() as connection:
        found = find_verdict(connection, verdict_id)
    if found is None:
        raise NotFoundError(f"There is no verdict {verdict_id}", "The page Models lists them")
    return found
