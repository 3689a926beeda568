"""Stylesheet, script and icon, at addresses that change with their content."""

from __future__ import annotations

from fastapi import APIRouter, Response

from rayon.errors import NotFoundError
from rayon.serving.web.rendering import static_address, static_files

router = APIRouter()
_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@router.get("/static/{digest}/{name}")
def get(digest: str, name: str) -> Response:
    """Fetch one of them; browsers may keep it for good."""
    if name not in static_files() or static_address(name) != f"/static/{digest}/{name}":
        raise NotFoundError("There is no such file", "Load the page again")
    kind = _TYPES[name.rpartition(".")[2]]
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(static_files()[name], media_type=kind, headers=headers)
