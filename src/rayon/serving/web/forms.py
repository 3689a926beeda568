"""Forms: who may send them, and what is in them."""

from __future__ import annotations

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from rayon.errors import PermissionDeniedError
from rayon.operations.sessions import is_form_token
from rayon.serving.auth import CSRF_HEADER
from rayon.serving.schemas import without_nul

FIELD = "csrf"
"""The hidden field that every form has."""

_READING = ("GET", "HEAD")


async def check_form(request: Request) -> None:
    """Refuse a form that does not come from a page of the session; a dependency of every page.

    Raises
    ------
    PermissionDeniedError
        When it carries no token, or that of another session.
    """
    if request.method in _READING:
        return
    given = request.headers.get(CSRF_HEADER)
    if given is None:
        given = text_of(await request.form(), FIELD)
    if not is_form_token(given, request.scope.get("rayon_session", "")):
        await request.close()  # its files would stay open, and take room
        raise PermissionDeniedError(
            "This form belongs to another session", "Load the page again, and send the form once more"
        )


def text_of(form: FormData, name: str, longest: int = 100_000) -> str:
    """A field of a form as text, at most so many characters; empty where it is missing or a file."""
    value = form.get(name, "")
    return without_nul(value)[:longest] if isinstance(value, str) else ""


def file_of(form: FormData, name: str) -> UploadFile | None:
    """A file of a form; ``None`` where none was chosen."""
    value = form.get(name)
    return value if isinstance(value, UploadFile) and value.filename else None
