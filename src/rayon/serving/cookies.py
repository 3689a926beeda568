"""The cookie by which a browser's session is known."""

from __future__ import annotations

from fastapi import Request, Response

_NAME = "rayon_session"


def session_token(request: Request) -> str:
    """The token that the browser sends; empty where it sends none."""
    return request.cookies.get(_name(request), "")[:200]


def keep_session(request: Request, response: Response, token: str) -> None:
    """Have the browser keep the token until it is closed; no script can read it."""
    response.set_cookie(
        _name(request), token, path="/", secure=_is_secure(request), httponly=True, samesite="lax"
    )


def drop_session(request: Request, response: Response) -> None:
    """Have the browser forget the token."""
    response.delete_cookie(
        _name(request), path="/", secure=_is_secure(request), httponly=True, samesite="lax"
    )


def _name(request: Request) -> str:
    # Browsers take a cookie of this prefix only over TLS and from this very host.
    return f"__Host-{_NAME}" if _is_secure(request) else _NAME


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
