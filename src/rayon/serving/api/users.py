"""Users and API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from rayon.operations.accounts import Role
from rayon.serving.auth import Admin, Client, address_of
from rayon.serving.problems import problem_responses
from rayon.serving.schemas import KeyIn, KeyOut, NewKeyOut, OwnPassword, UserChange, UserIn, UserOut
from rayon.serving.services import services

router = APIRouter(tags=["people"])
Name = Annotated[str, Path(max_length=100)]


@router.get("/users/me")
def me(user: Client) -> UserOut:
    """See oneself."""
    return UserOut.of(user)


@router.put("/users/me/password", status_code=204, responses=problem_responses(422, 429))
def change_own_password(request: Request, user: Client, passwords: OwnPassword) -> None:
    """Change one's own password; the current one is asked for, whatever one is signed in with."""
    accounts = services(request).accounts
    accounts.sign_in(user.name, passwords.current, address_of(request))
    accounts.change(user.name, user.name, password=passwords.new)


@router.get("/users")
def list_(request: Request, _user: Admin) -> list[UserOut]:
    """List all users, by name."""
    return [UserOut.of(one) for one in services(request).accounts.users()]


@router.post("/users", status_code=201, responses=problem_responses(409, 422))
def create(request: Request, user: Admin, new: UserIn) -> UserOut:
    """Create a user."""
    made = services(request).accounts.create(new.name, new.password, new.role, actor=user.name)
    return UserOut.of(made)


@router.get("/users/{name}", responses=problem_responses(404, 422))
def get(request: Request, _user: Admin, name: Name) -> UserOut:
    """See a user."""
    return UserOut.of(services(request).accounts.find(name))


@router.patch("/users/{name}", responses=problem_responses(404, 409, 422))
def change(request: Request, user: Admin, name: Name, wanted: UserChange) -> UserOut:
    """Change a user's password or role, disable them or let them in again; all that is given, or nothing."""
    changed = services(request).accounts.change(name, user.name, **wanted.model_dump())
    return UserOut.of(changed)


@router.delete("/users/{name}", status_code=204, responses=problem_responses(404, 409, 422))
def delete(request: Request, user: Admin, name: Name) -> None:
    """Delete a user with their keys; what they asked and validated stays."""
    services(request).accounts.delete(name, actor=user.name)


@router.get("/keys")
def list_keys(request: Request, user: Client) -> list[KeyOut]:
    """List one's own API keys; administrators see everybody's."""
    keys = services(request).accounts.keys(None if user.role == Role.ADMIN else user)
    return [KeyOut.of(key) for key in keys]


@router.post("/keys", status_code=201, responses=problem_responses(422))
def create_key(request: Request, user: Client, new: KeyIn) -> NewKeyOut:
    """Create an API key for oneself; the secret is in this answer and nowhere else."""
    return NewKeyOut.made(*services(request).accounts.create_key(user.name, new.name, actor=user.name))


@router.delete("/keys/{key_id}", status_code=204, responses=problem_responses(404))
def revoke_key(request: Request, user: Client, key_id: str) -> None:
    """Revoke an API key of one's own; administrators may revoke any."""
    owner = None if user.role == Role.ADMIN else user
    services(request).accounts.revoke_key(key_id[:36], actor=user.name, owner=owner)
