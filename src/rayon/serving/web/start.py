"""The start page: what needs doing now, by role."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from rayon.serving.auth import Client
from rayon.serving.web.rendering import render_page

router = APIRouter()


@router.get("/")
def start(request: Request, user: Client) -> Response:
    """Show what needs doing now."""
    return render_page(request, "start.html.j2", name=user.name)
