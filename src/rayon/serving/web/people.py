"""People, for administrators: users, their keys, and the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from rayon.errors import RayonError
from rayon.operations.accounts import Role
from rayon.operations.passwords import MIN_PASSWORD, new_password
from rayon.serving.auth import Admin
from rayon.serving.services import services
from rayon.serving.web.rendering import redirect, render_page
from rayon.store.audit import entries

router = APIRouter()
Text = Annotated[str, Form(max_length=2000)]
_ENTRIES = 50


@router.get("/people")
def people(request: Request, _user: Admin) -> Response:
    """List all users."""
    return _people(request)


@router.post("/people")
def create(request: Request, user: Admin, name: Text, role: Text, password: Text = "") -> Response:
    """Create a user; a password that is made here is on the answer and nowhere else."""
    given = password or new_password()
    try:
        services(request).accounts.create(name, given, role, actor=user.name)
    except RayonError as error:
        return _people(request, error, name, role)
    if password:
        return redirect("/people", "user-created")
    return _people(request, made=name, secret=given)


@router.get("/people/audit")
def audit(
    request: Request, _user: Admin, cursor: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None
) -> Response:
    """Show who did what, newest first."""
    with services(request).database.read() as connection:
        found = entries(connection, cursor, _ENTRIES + 1)
    return render_page(
        request,
        "audit.html.j2",
        entries=found[:_ENTRIES],
        next=found[_ENTRIES - 1].id if len(found) > _ENTRIES else None,
    )


@router.get("/people/{name}")
def person(request: Request, _user: Admin, name: str) -> Response:
    """Show a user with their keys."""
    return _person(request, name)


@router.post("/people/{name}")
def change(
    request: Request, user: Admin, name: str, role: Text = "", password: Text = "", access: Text = ""
) -> Response:
    """Change what is given of a user."""
    disabled = {"off": True, "on": False}.get(access)
    try:
        services(request).accounts.change(
            name, user.name, role=role or None, password=password or None, disabled=disabled
        )
    except RayonError as error:
        return _person(request, name, error)
    return redirect(f"/people/{name}", "user-changed")


@router.get("/people/{name}/delete")
def ask_to_delete(request: Request, _user: Admin, name: str) -> Response:
    """Say what deleting a user takes away, and what stays."""
    return _deletion(request, name)


@router.post("/people/{name}/delete")
def delete(request: Request, user: Admin, name: str) -> Response:
    """Delete a user with their keys and sessions."""
    try:
        services(request).accounts.delete(name, actor=user.name)
    except RayonError as error:
        return _deletion(request, name, error)
    return redirect("/people", "user-deleted")


@router.post("/people/{name}/keys/{key_id}/revoke")
def revoke(request: Request, user: Admin, name: str, key_id: str) -> Response:
    """Revoke a key of a user."""
    accounts = services(request).accounts
    accounts.revoke_key(key_id[:36], actor=user.name, owner=accounts.find(name))
    return redirect(f"/people/{name}", "key-revoked")


def _people(
    request: Request,
    error: RayonError | None = None,
    name: str = "",
    role: str = Role.REVIEWER,
    *,
    made: str = "",
    secret: str = "",
) -> Response:
    return render_page(
        request,
        "people.html.j2",
        error.status if error else 200,
        users=services(request).accounts.users(),
        roles=list(Role),
        error=error,
        name=name,
        role=role,
        made=made,
        secret=secret,
        min_password=MIN_PASSWORD,
    )


def _person(request: Request, name: str, error: RayonError | None = None) -> Response:
    served = services(request)
    found = served.accounts.find(name)
    return render_page(
        request,
        "person.html.j2",
        error.status if error else 200,
        person=found,
        keys=served.accounts.keys(found),
        sessions=served.sessions.count(found),
        roles=list(Role),
        error=error,
        min_password=MIN_PASSWORD,
    )


def _deletion(request: Request, name: str, error: RayonError | None = None) -> Response:
    return render_page(
        request,
        "person_delete.html.j2",
        error.status if error else 200,
        person=services(request).accounts.find(name),
        error=error,
    )
