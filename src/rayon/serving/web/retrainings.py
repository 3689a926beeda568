"""Retrainings: asked for here, done by a worker, followed step by step."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response

from rayon.errors import NotFoundError, RayonError
from rayon.serving.auth import Admin, Reviewer
from rayon.serving.services import Services, services
from rayon.serving.web.rendering import redirect, render_page
from rayon.store.retrainings import Retraining
from rayon.store.windows import validated_since

router = APIRouter()
_PAGE = 30
STEPS = ("golden", "snapshot", "training", "report", "gate")
"""What a retraining does, in order."""


@router.get("/models/retrainings")
def retrainings(
    request: Request, _user: Reviewer, cursor: Annotated[str | None, Query(max_length=36)] = None
) -> Response:
    """List them, newest first, and say what another would learn from."""
    return _list(request, cursor)


@router.post("/models/retrainings")
def start(request: Request, user: Admin, reason: Annotated[str, Form(max_length=1000)] = "") -> Response:
    """Ask for one."""
    try:
        made = services(request).retrainings.request(user.name, reason, "api")
    except RayonError as error:
        return _list(request, None, error, reason)
    return redirect(f"/models/retrainings/{made.id}", "retraining-requested")


@router.get("/models/retrainings/{retraining_id}")
def retraining(request: Request, _user: Reviewer, retraining_id: str) -> Response:
    """Show one of them: what it does, or has done, and what came of it."""
    served = services(request)
    found = served.retrainings.find(retraining_id)
    report = _report(served, found.id)
    codes = [] if report is None else [one for one in report["per_code"] if one["support"]]
    return render_page(
        request,
        "retraining.html.j2",
        report=report,
        codes=sorted(codes, key=lambda one: one["f1"] or 0.0),
        **_progress(served, found),
    )


@router.get("/models/retrainings/{retraining_id}/progress")
def progress(request: Request, _user: Reviewer, retraining_id: str) -> Response:
    """Show how far one is; a part of its page that is fetched again and again."""
    served = services(request)
    found = served.retrainings.find(retraining_id)
    return render_page(request, "retraining_progress.html.j2", again=True, **_progress(served, found))


def _list(
    request: Request, cursor: str | None, error: RayonError | None = None, reason: str = ""
) -> Response:
    served = services(request)
    found = served.retrainings.newest(cursor, _PAGE + 1)
    return render_page(
        request,
        "retrainings.html.j2",
        error.status if error else 200,
        retrainings=found[:_PAGE],
        next=found[_PAGE - 1].id if len(found) > _PAGE else None,
        cursor=cursor,
        error=error,
        reason=reason,
        **_material(served),
    )


def _material(served: Services) -> dict[str, Any]:
    """What another one would learn from, and whether one is under way."""
    newest = served.retrainings.newest()
    ended = [one for one in newest if one.state in ("promoted", "kept")]
    try:
        recipe = served.retrainings.last_recipe()
    except RayonError:
        return {"recipe": None, "fresh": 0, "since": None, "open": None}
    since = ended[0].started_at if ended else None
    with served.database.read() as connection:
        fresh = validated_since(connection, since)
    under_way = next((one for one in newest if one.state in ("requested", "running")), None)
    return {"recipe": recipe, "fresh": fresh, "since": since, "open": under_way}


def _progress(served: Services, found: Retraining) -> dict[str, Any]:
    return {
        "retraining": found,
        "steps": {step.step: step for step in served.retrainings.steps(found.id)},
        "names": STEPS,
    }


def _report(served: Services, retraining_id: str) -> dict[str, Any] | None:
    """The classification report of its challenger; ``None`` where it has not come so far."""
    try:
        path = served.retrainings.report(retraining_id)
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (NotFoundError, OSError, ValueError):
        return None
    return document
