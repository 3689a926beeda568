"""People: who may sign in and as what, their keys, and the audit log."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request, Response

from rayon.errors import RayonError
from rayon.operations.accounts import Role
from rayon.operations.passwords import MAX_PASSWORD, MIN_PASSWORD, new_password
from rayon.serving.auth import Admin
from rayon.serving.cookies import drop_session
from rayon.serving.services import services
from rayon.serving.web.audit_words import line_of
from rayon.serving.web.languages import N_
from rayon.serving.web.rendering import redirect, render_page
from rayon.store.accounts import User
from rayon.store.audit import entries

router = APIRouter()
Text = Annotated[str, Form(max_length=2000)]
_ENTRIES = 50

ROLES = {
    Role.CLIENT: N_("Classifies listings, and sees their own predictions and batches."),
    Role.REVIEWER: N_("May validate predictions too, and sees all of them, the monitoring and the models."),
    Role.ADMIN: N_("May do everything: people, models and retrainings too."),
}
"""What each role may do, in a sentence."""


@router.get("/people")
def people(request: Request, _user: Admin) -> Response:
    """Show who may sign in, and a form for one more."""
    return _people_page(request)


@router.post("/people")
def create(request: Request, user: Admin, name: Text, role: Text, password: Text = "") -> Response:
    """Create a user; a password that is made up is on the page that answers, and nowhere else."""
    name, given = name.strip(), password or new_password()
    try:
        made = services(request).accounts.create(name, given, role, user.name)
    except RayonError as error:
        return _people_page(request, error, name, role, retype=bool(password))
    if password:
        return redirect(_address(made.name), "user-created")
    return _person_page(request, user, made.name, secret=given, status=201)


# Before the address of a user, which it looks like.
@router.get("/people/audit")
def audit_log(
    request: Request, _user: Admin, cursor: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None
) -> Response:
    """Show who did what, newest first."""
    with services(request).database.read() as connection:
        found = entries(connection, cursor, _ENTRIES + 1)
    shown = found[:_ENTRIES]
    return render_page(
        request,
        "audit.html.j2",
        lines=[line_of(entry) for entry in shown],
        cursor=cursor,
        next=shown[-1].id if len(found) > _ENTRIES else None,
    )


@router.get("/people/keys")
def all_keys(request: Request, _user: Admin) -> Response:
    """Show the API keys of everybody, those that work first."""
    accounts = services(request).accounts
    holders = {one.id: one for one in accounts.users()}
    keys = [(key, holders[key.user_id]) for key in accounts.keys(None) if key.user_id in holders]
    keys.sort(key=lambda one: (one[0].revoked_at is not None, one[1].name, one[0].id))
    return render_page(request, "people_keys.html.j2", keys=keys)


@router.get("/people/{name}")
def person(request: Request, user: Admin, name: str) -> Response:
    """Show a user, and what can be changed of them."""
    return _person_page(request, user, name)


@router.post("/people/{name}/role")
def change_role(request: Request, user: Admin, name: str, role: Text) -> Response:
    """Give a user another role."""
    try:
        services(request).accounts.change(name, user.name, role=role)
    except RayonError as error:
        return _person_page(request, user, name, error, role)
    is_shut_out = name == user.name and role != Role.ADMIN
    return redirect("/" if is_shut_out else _address(name), "role-changed")


@router.post("/people/{name}/password")
def set_password(request: Request, user: Admin, name: str, password: Text = "") -> Response:
    """Give a user a new password, and end their sessions; one that is made up is shown this once."""
    given = password or new_password()
    try:
        services(request).accounts.change(name, user.name, password=given)
    except RayonError as error:
        return _person_page(request, user, name, error)
    if password:
        return redirect(_address(name), "password-set")
    return _person_page(request, user, name, secret=given)


@router.post("/people/{name}/access")
def change_access(request: Request, user: Admin, name: str, disabled: Text = "") -> Response:
    """Keep a user out, or let them in again."""
    try:
        services(request).accounts.change(name, user.name, disabled=bool(disabled))
    except RayonError as error:
        return _person_page(request, user, name, error)
    if disabled and name == user.name:
        return _signed_out(request)
    return redirect(_address(name), "user-disabled" if disabled else "user-enabled")


@router.post("/people/{name}/keys/{key_id}/revoke")
def revoke_key(request: Request, user: Admin, name: str, key_id: str) -> Response:
    """Revoke a key of a user."""
    accounts = services(request).accounts
    accounts.revoke_key(key_id[:36], user.name, owner=accounts.find(name))
    return redirect(_address(name), "key-revoked")


@router.get("/people/{name}/delete")
def ask_to_delete(request: Request, user: Admin, name: str) -> Response:
    """Say what goes with a user, and what stays."""
    return _delete_page(request, user, name)


@router.post("/people/{name}/delete")
def delete(request: Request, user: Admin, name: str) -> Response:
    """Delete a user with their keys."""
    try:
        services(request).accounts.delete(name, user.name)
    except RayonError as error:
        return _delete_page(request, user, name, error)
    return _signed_out(request) if name == user.name else redirect("/people", "user-deleted")


def _people_page(
    request: Request,
    error: RayonError | None = None,
    name: str = "",
    role: str = Role.CLIENT,
    *,
    retype: bool = False,
) -> Response:
    return render_page(
        request,
        "people.html.j2",
        error.status if error else 200,
        error=error,
        people=services(request).accounts.users(),
        name=name,
        role=role,
        roles=ROLES,
        retype=retype,
        min_password=MIN_PASSWORD,
        max_password=MAX_PASSWORD,
    )


def _person_page(
    request: Request,
    user: User,
    name: str,
    error: RayonError | None = None,
    role: str = "",
    *,
    secret: str = "",
    status: int = 200,
) -> Response:
    served = services(request)
    found = served.accounts.find(name)
    keys = sorted(served.accounts.keys(found), key=lambda key: (key.revoked_at is not None, key.id))
    return render_page(
        request,
        "person.html.j2",
        error.status if error else status,
        error=error,
        person=found,
        is_oneself=found.id == user.id,
        role=role or found.role,
        roles=ROLES,
        keys=keys,
        sessions=served.sessions.count(found),
        secret=secret,
        min_password=MIN_PASSWORD,
        max_password=MAX_PASSWORD,
    )


def _delete_page(request: Request, user: User, name: str, error: RayonError | None = None) -> Response:
    served = services(request)
    found = served.accounts.find(name)
    return render_page(
        request,
        "person_delete.html.j2",
        error.status if error else 200,
        error=error,
        person=found,
        is_oneself=found.id == user.id,
        keys=sum(key.revoked_at is None for key in served.accounts.keys(found)),
        sessions=served.sessions.count(found),
    )


def _signed_out(request: Request) -> Response:
    """Lead somebody who has just shut themselves out to where one signs in."""
    answer = redirect("/sign-in", "signed-out")
    drop_session(request, answer)
    return answer


def _address(name: str) -> str:
    return f"/people/{quote(name)}"
