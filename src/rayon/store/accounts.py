"""Users, their API keys, and failed attempts to sign in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from rayon.store.identifiers import new_id
from rayon.store.tables import api_keys, sign_ins, users


@dataclass(frozen=True, slots=True)
class User:
    """Somebody, or some program, that may ask.

    Parameters
    ----------
    id, name
        The name is unique and may not change.
    role
        ``"admin"``, ``"reviewer"`` or ``"client"``.
    disabled
        Whether all access is refused.
    created_at
        In UTC.
    password_hash
        Never leaves the server.
    """

    id: str
    name: str
    role: str
    disabled: bool
    created_at: datetime
    password_hash: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of a user; its secret is known to its holder alone."""

    id: str
    user_id: str
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


USER_COLUMNS = (
    users.c.id,
    users.c.name,
    users.c.role,
    users.c.disabled,
    users.c.created_at,
    users.c.password_hash,
)
"""What makes a `User`, in order."""

_KEY = (
    api_keys.c.id,
    api_keys.c.user_id,
    api_keys.c.name,
    api_keys.c.prefix,
    api_keys.c.created_at,
    api_keys.c.last_used_at,
    api_keys.c.revoked_at,
)


def add_user(connection: Connection, name: str, role: str, password_hash: str, now: datetime) -> User:
    """Store a new user; the database refuses a name that is taken (`IntegrityError`)."""
    user = User(new_id(), name, role, False, now, password_hash)
    connection.execute(
        insert(users).values(
            id=user.id, name=name, role=role, disabled=False, created_at=now, password_hash=password_hash
        )
    )
    return user


def find_user(connection: Connection, *, id: str = "", name: str = "") -> User | None:
    """Find a user by id or by name."""
    condition = users.c.id == id if id else users.c.name == name
    return _one(connection, select(*USER_COLUMNS).where(condition))


def list_users(connection: Connection) -> list[User]:
    """All users, by name."""
    return [User(*row) for row in connection.execute(select(*USER_COLUMNS).order_by(users.c.name))]


def change_user(connection: Connection, id: str, **values: Any) -> None:
    """Change columns of a user: role, password_hash or disabled."""
    connection.execute(update(users).where(users.c.id == id).values(**values))


def delete_user(connection: Connection, id: str) -> None:
    """Remove a user with its keys; what it asked and validated stays, without its name."""
    connection.execute(delete(users).where(users.c.id == id))


def count_active(connection: Connection, role: str, *, other_than: str = "") -> int:
    """How many users of a role may sign in, leaving one out of account."""
    # The rows are locked where the database can: two requests must not each remove the other's last one.
    query = (
        select(users.c.id)
        .where(users.c.role == role, ~users.c.disabled, users.c.id != other_than)
        .with_for_update()
    )
    return len(connection.execute(query).all())


def add_key(
    connection: Connection,
    user_id: str,
    name: str,
    prefix: str,
    hash: str,
    now: datetime,
) -> ApiKey:
    """Store a new key by the hash of its secret."""
    key = ApiKey(new_id(), user_id, name, prefix, now, None, None)
    connection.execute(
        insert(api_keys).values(
            id=key.id, user_id=user_id, name=name, prefix=prefix, hash=hash, created_at=now
        )
    )
    return key


def list_keys(connection: Connection, user_id: str | None = None) -> list[ApiKey]:
    """Keys of one user, or of all, oldest first."""
    query = select(*_KEY).order_by(api_keys.c.id)
    if user_id is not None:
        query = query.where(api_keys.c.user_id == user_id)
    return [ApiKey(*row) for row in connection.execute(query)]


def find_key(connection: Connection, id: str) -> ApiKey | None:
    """Find a key by its id."""
    row = connection.execute(select(*_KEY).where(api_keys.c.id == id)).first()
    return ApiKey(*row) if row else None


def revoke_key(connection: Connection, id: str, now: datetime) -> None:
    """Make a key useless from now on; the first revocation counts."""
    connection.execute(
        update(api_keys).where(api_keys.c.id == id, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
    )


def user_of_key(connection: Connection, hash: str) -> tuple[User, ApiKey] | None:
    """Who holds the key with this hash, unless it was revoked."""
    query = (
        select(*USER_COLUMNS, *_KEY)
        .join_from(api_keys, users)
        .where(api_keys.c.hash == hash, api_keys.c.revoked_at.is_(None))
    )
    row = connection.execute(query).first()
    return (User(*row[: len(USER_COLUMNS)]), ApiKey(*row[len(USER_COLUMNS) :])) if row else None


def touch_key(connection: Connection, id: str, now: datetime) -> None:
    """Note that a key was used."""
    connection.execute(update(api_keys).where(api_keys.c.id == id).values(last_used_at=now))


def add_failure(connection: Connection, name: str, address: str, now: datetime) -> None:
    """Note a failed attempt to sign in."""
    connection.execute(insert(sign_ins).values(name=name, address=address, at=now))


def count_failures(
    connection: Connection, since: datetime, *, name: str = "", address: str = ""
) -> tuple[int, datetime | None]:
    """How many attempts failed since then, for an account or from an address, and when the last one did."""
    condition = sign_ins.c.name == name if name else sign_ins.c.address == address
    query = select(func.count(), func.max(sign_ins.c.at, type_=sign_ins.c.at.type)).where(
        condition, sign_ins.c.at > since
    )
    count, last = connection.execute(query).one()
    return count, last


def clear_failures(connection: Connection, *, name: str = "", before: datetime | None = None) -> None:
    """Forget failed attempts: those for an account, or those that are old."""
    condition = sign_ins.c.name == name if before is None else sign_ins.c.at < before
    connection.execute(delete(sign_ins).where(condition))


def _one(connection: Connection, query: Select[Any]) -> User | None:
    row = connection.execute(query).first()
    return User(*row) if row else None
