"""Who is asking, and whether they may: HTTP Basic, an API key as a bearer token, or a browser's session."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBasic, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from rayon.errors import AuthenticationError, PermissionDeniedError, RayonError
from rayon.operations.accounts import Role
from rayon.operations.sessions import is_form_token
from rayon.serving.cookies import session_token
from rayon.serving.problems import render_error
from rayon.serving.services import services
from rayon.store.accounts import User

_RANK = {role: rank for rank, role in enumerate(Role)}
_basic = HTTPBasic(auto_error=False, description="Name and password of a user")
_bearer = HTTPBearer(auto_error=False, description="An API key, rk_…")
_READING = ("GET", "HEAD", "OPTIONS")
_API = ("/api/", "/metrics")
_NO_SESSION = ("/health/", "/static/")
_FOR_STRANGERS = ("/sign-in", "/language")

CSRF_HEADER = "X-CSRF-Token"
"""Shows that a request with a session's cookie comes from a page of that session."""


class SignIn:
    """Find out who is asking before anything of the body is read: strangers could send gigabytes.

    Parameters
    ----------
    app
        The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with 401, 403, 429 or 503."""
        if scope["type"] == "http" and not scope["path"].startswith(_NO_SESSION):
            request = Request(scope)
            try:
                user = await (_identify if scope["path"].startswith(_API) else _visitor)(request)
            except RayonError as error:
                answer = await render_error(request, error)
                await answer(scope, receive, send)
                return
            if user is not None:
                scope["rayon_signed_in"] = user
                scope["rayon_user"] = user.name  # for the log
        await self._app(scope, receive, send)


def current_user(request: Request) -> User:
    """Who is asking.

    Raises
    ------
    AuthenticationError
        When nobody is signed in.
    """
    user: User | None = request.scope.get("rayon_signed_in")
    if user is None:
        raise AuthenticationError("Nobody is signed in", "Sign in first")
    return user


async def _visitor(request: Request) -> User | None:
    """Who asks for a page; strangers may look, and see no more than where to sign in."""
    token = session_token(request)
    user = await run_in_threadpool(services(request).sessions.holder_of, token) if token else None
    if user is None and request.method not in _READING and request.url.path not in _FOR_STRANGERS:
        raise AuthenticationError("Nobody is signed in", "Sign in, and try again")
    request.scope["rayon_session"] = token
    return user


async def _identify(request: Request) -> User:
    accounts = services(request).accounts
    token = session_token(request)
    if "authorization" not in request.headers and token:
        return await _holder_of_session(request, token)
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return await run_in_threadpool(accounts.holder_of, value.strip())
    if scheme.lower() == "basic":
        _refuse_other_sites(request)
        name, password = _decode(value)
        return await run_in_threadpool(accounts.sign_in, name, password, address_of(request))
    raise AuthenticationError(
        "Nobody is signed in", "Send a name and a password, or an API key as a bearer token"
    )


async def _holder_of_session(request: Request, token: str) -> User:
    user = await run_in_threadpool(services(request).sessions.holder_of, token)
    if user is None:
        raise AuthenticationError("The session has ended", "Sign in again")
    if request.method not in _READING and not is_form_token(request.headers.get(CSRF_HEADER, ""), token):
        raise PermissionDeniedError(
            "This request does not come from a page of the session",
            f"Send the page's token in the header {CSRF_HEADER}, or use an API key",
        )
    return user


def _refuse_other_sites(request: Request) -> None:
    # A browser that keeps name and password sends them also with what other sites have it send.
    site = request.headers.get("sec-fetch-site", "none")
    if request.method not in _READING and site not in ("none", "same-origin"):
        raise PermissionDeniedError("This request comes from another site", "Send it from a program")


def address_of(request: Request) -> str:
    """Where the request comes from, as far as the server can tell."""
    return request.client.host if request.client else ""


@dataclass(frozen=True)
class RoleCheck:
    """A dependency that lets in who has the role, or one above it; use `requires`."""

    role: Role

    async def __call__(self, request: Request) -> User:
        """Give who asks, or refuse them."""
        user = current_user(request)
        if _RANK[Role(user.role)] < _RANK[self.role]:
            raise PermissionDeniedError(
                f"This takes the role {self.role.value!r}, and {user.name!r} is a {user.role!r}",
                "Ask an administrator",
            )
        return user


def requires(role: Role) -> RoleCheck:
    """Make a dependency that lets in who has the role, or one above it."""
    return RoleCheck(role)


async def _documented(basic: object = Depends(_basic), bearer: object = Depends(_bearer)) -> None:
    """Name both ways of signing in to the OpenAPI document; `current_user` reads the header itself."""


SIGNED_IN = Depends(_documented)
Client = Annotated[User, Depends(requires(Role.CLIENT))]
Reviewer = Annotated[User, Depends(requires(Role.REVIEWER))]
Admin = Annotated[User, Depends(requires(Role.ADMIN))]


def _decode(value: str) -> tuple[str, str]:
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name = colon = password = ""
    if not colon:
        raise AuthenticationError("The credentials cannot be read", "Send name:password in Base64")
    return name, password
