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
        _name(request), token, path="/", secure=is_secure(request), httponly=True, samesite="lax"
    )


def drop_session(request: Request, response: Response) -> None:
    """Have the browser forget the token."""
    response.delete_cookie(_name(request), path="/", secure=is_secure(request), httponly=True, samesite="lax")


def is_secure(request: Request) -> bool:
    """Whether the browser speaks TLS, to this server or to the proxy before it."""
    return request.url.scheme == "https"


def _name(request: Request) -> str:
    # Browsers take a cookie of this prefix only over TLS and from this very host.
    return f"__Host-{_NAME}" if is_secure(request) else _NAME
