"""Who is asking, and whether they may: HTTP Basic, or an API key as a bearer token."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBasic, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from rayon.errors import AuthenticationError, PermissionDeniedError, RayonError
from rayon.operations.accounts import Role
from rayon.serving.problems import render_error
from rayon.serving.services import services
from rayon.store.accounts import User

_RANK = {role: rank for rank, role in enumerate(Role)}
_basic = HTTPBasic(auto_error=False, description="Name and password of a user")
_bearer = HTTPBearer(auto_error=False, description="An API key, rk_…")


class SignIn:
    """Find out who is asking before anything of the body is read: strangers could send gigabytes.

    Parameters
    ----------
    app
        The application.
    paths
        Beginnings of the paths for which one has to be signed in.
    """

    def __init__(self, app: ASGIApp, paths: tuple[str, ...]) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with 401, 429 or 503."""
        if scope["type"] == "http" and scope["path"].startswith(self._paths):
            request = Request(scope)
            try:
                user = await _identify(request)
            except RayonError as error:
                answer = await render_error(request, error)
                await answer(scope, receive, send)
                return
            scope["rayon_signed_in"] = user
            scope["rayon_user"] = user.name  # for the log
        await self._app(scope, receive, send)


def current_user(request: Request) -> User:
    """Who is asking."""
    user: User = request.scope["rayon_signed_in"]
    return user


async def _identify(request: Request) -> User:
    accounts = services(request).accounts
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return await run_in_threadpool(accounts.holder_of, value.strip())
    if scheme.lower() == "basic":
        name, password = _decode(value)
        return await run_in_threadpool(accounts.sign_in, name, password, address_of(request))
    raise AuthenticationError(
        "Nobody is signed in", "Send a name and a password, or an API key as a bearer token"
    )


def address_of(request: Request) -> str:
    """Where the request comes from, as far as the server can tell."""
    return request.client.host if request.client else ""


def requires(role: Role) -> Callable[..., Awaitable[User]]:
    """Make a dependency that lets in who has the role, or one above it."""

    async def check(request: Request) -> User:
        user = current_user(request)
        if _RANK[Role(user.role)] < _RANK[role]:
            raise PermissionDeniedError(
                f"This takes the role {role.value!r}, and {user.name!r} is a {user.role!r}",
                "Ask an administrator",
            )
        return user

    return check


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
