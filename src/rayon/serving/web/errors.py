"""What somebody with a browser sees when something goes wrong."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from rayon.serving.web.rendering import render_page

_FOR_PROGRAMS = ("/api/", "/health/", "/metrics", "/openapi.json", "/static/")


def wants_page(request: Request) -> bool:
    """Whether a browser asks for a page, rather than a program or a page's script for data."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(_FOR_PROGRAMS)


def is_followed(request: Request) -> bool:
    """Whether somebody follows a link: to a page, or with a browser that says so to a file of the API."""
    if request.method != "GET":
        return False
    navigates = request.headers.get("sec-fetch-mode") == "navigate"
    return wants_page(request) or (navigates and "authorization" not in request.headers)


def error_page(
    request: Request, status: int, detail: str, hint: str, headers: dict[str, str] | None
) -> Response:
    """Say what went wrong, and what to do about it."""
    page = render_page(
        request,
        "error.html.j2",
        status,
        status_code=status,
        title=HTTPStatus(status).phrase,
        detail=detail,
        hint=hint,
        request_id=str(request.scope.get("rayon_request_id", "")),
    )
    page.headers.update(headers or {})
    return page


def sign_in_instead(request: Request) -> Response:
    """Lead to where one signs in, and from there back."""
    path = request.url.path
    wanted = f"{path}?{request.url.query}" if request.url.query else path
    return RedirectResponse(f"/sign-in?next={quote(wanted)}" if wanted != "/" else "/sign-in", 303)


def local_path(wanted: str) -> str:
    """The path if it leads to a page of this server, else the start page."""
    is_local = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_local else "/"
