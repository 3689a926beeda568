"""Retrainings: asked for here, done by a worker, followed step by step."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from rayon.errors import NotFoundError, RayonError
from rayon.serving.auth import Admin, Reviewer
from rayon.serving.services import Services, services
from rayon.serving.web.rendering import redirect, render_page

router = APIRouter()
_PAGE = 30


@router.get("/retrainings")
def retrainings(request: Request, _user: Reviewer, cursor: str | None = None) -> Response:
    """List them, newest first."""
    return _list(request, cursor)


@router.post("/retrainings")
def start(request: Request, user: Admin, reason: Annotated[str, Form(max_length=1000)] = "") -> Response:
    """Ask for one."""
    try:
        made = services(request).retrainings.request(user.name, reason, "api")
    except RayonError as error:
        return _list(request, None, error)
    return redirect(f"/retrainings/{made.id}", "retraining-requested")


@router.get("/retrainings/{retraining_id}")
def retraining(request: Request, _user: Reviewer, retraining_id: str) -> Response:
    """Show one of them."""
    return _show(request, "retraining.html.j2", retraining_id)


@router.get("/retrainings/{retraining_id}/progress")
def progress(request: Request, _user: Reviewer, retraining_id: str) -> Response:
    """Show how far one is; a part of its page that is fetched again and again."""
    return _show(request, "retraining_progress.html.j2", retraining_id)


def _list(request: Request, cursor: str | None, error: RayonError | None = None) -> Response:
    found = services(request).retrainings.newest(cursor, _PAGE + 1)
    return render_page(
        request,
        "retrainings.html.j2",
        error.status if error else 200,
        retrainings=found[:_PAGE],
        next=found[_PAGE - 1].id if len(found) > _PAGE else None,
        error=error,
    )


def _show(request: Request, template: str, retraining_id: str) -> Response:
    served = services(request)
    found = served.retrainings.find(retraining_id)
    return render_page(
        request,
        template,
        retraining=found,
        steps=served.retrainings.steps(found.id),
        has_report=_has_report(served, found.id),
    )


def _has_report(served: Services, retraining_id: str) -> bool:
    try:
        served.retrainings.report(retraining_id)
    except NotFoundError:
        return False
    return True
