"""Signing in and out, and what people change of their own account."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from rayon.errors import AuthenticationError, RayonError, TooManyAttemptsError
from rayon.operations.passwords import MIN_PASSWORD
from rayon.serving.auth import Client, address_of
from rayon.serving.cookies import drop_session, is_secure, keep_session
from rayon.serving.services import services
from rayon.serving.web.errors import local_path
from rayon.serving.web.languages import COOKIE, LANGUAGES
from rayon.serving.web.rendering import redirect, render_page, signed_in

router = APIRouter()
_KEPT: dict[str, Any] = {"max_age": 365 * 24 * 3600, "httponly": True, "samesite": "lax"}
Text = Annotated[str, Form(max_length=2000)]


@router.get("/sign-in")
def ask_to_sign_in(request: Request, next: str = "/") -> Response:
    """Show where one signs in."""
    if signed_in(request) is not None:
        return redirect(local_path(next))
    return render_page(request, "sign_in.html.j2", next=local_path(next), name="", error=None)


@router.post("/sign-in")
def sign_in(request: Request, name: Text, password: Text, next: Text = "/") -> Response:
    """Sign somebody in, under a new token whatever the browser had before; that session ends."""
    served = services(request)
    try:
        user = served.accounts.sign_in(name, password, address_of(request))
        token = served.sessions.begin(user)
    except (AuthenticationError, TooManyAttemptsError) as error:
        return render_page(
            request, "sign_in.html.j2", error.status, next=local_path(next), name=name, error=error
        )
    served.sessions.end(request.scope["rayon_session"])
    answer = redirect(local_path(next))
    keep_session(request, answer, token)
    return answer


@router.post("/sign-out")
def sign_out(request: Request, user: Client, everywhere: Text = "") -> Response:
    """Sign out, here or everywhere."""
    sessions = services(request).sessions
    if everywhere:
        sessions.end_all(user)
    else:
        sessions.end(request.scope["rayon_session"])
    answer = redirect("/sign-in", "signed-out")
    drop_session(request, answer)
    return answer


@router.post("/language")
async def choose_language(request: Request) -> Response:
    """Keep the language that somebody chose, and show the page again."""
    form = await request.form()
    answer = redirect(local_path(str(form.get("next", "/"))))
    language = form.get("language")
    if language in LANGUAGES:
        answer.set_cookie(COOKIE, str(language), **_KEPT, secure=is_secure(request))
    return answer


@router.get("/account")
def account(request: Request, user: Client) -> Response:
    """Show one's own account."""
    return _account(request, user)


@router.post("/account/password")
def change_password(request: Request, user: Client, current: Text, new: Text, again: Text) -> Response:
    """Change one's own password; all sessions end, and this browser gets a new one."""
    served = services(request)
    try:
        if new != again:
            raise RayonError("The two new passwords differ", "Type the same one twice")
        served.accounts.sign_in(user.name, current, address_of(request))
        token = served.sessions.begin(served.accounts.change(user.name, user.name, password=new))
    except RayonError as error:
        return _account(request, user, error)
    answer = redirect("/account", "password-changed")
    keep_session(request, answer, token)
    return answer


@router.post("/account/keys")
def create_key(request: Request, user: Client, name: Text) -> Response:
    """Create an API key for oneself; its secret is on this page and nowhere else."""
    try:
        key, secret = services(request).accounts.create_key(user.name, name, actor=user.name)
    except RayonError as error:
        return _account(request, user, error)
    return _account(request, user, secret=secret, new=key.id)


@router.post("/account/keys/{key_id}/revoke")
def revoke_key(request: Request, user: Client, key_id: str) -> Response:
    """Revoke one of one's own keys."""
    services(request).accounts.revoke_key(key_id[:36], actor=user.name, owner=user)
    return redirect("/account", "key-revoked")


def _account(
    request: Request, user: Client, error: RayonError | None = None, secret: str = "", new: str = ""
) -> Response:
    served = services(request)
    keys = sorted(served.accounts.keys(user), key=lambda key: (key.revoked_at is not None, key.id))
    return render_page(
        request,
        "account.html.j2",
        error.status if error else 200,
        error=error,
        keys=keys,
        secret=secret,
        new=new,
        sessions=served.sessions.count(user),
        min_password=MIN_PASSWORD,
    )
