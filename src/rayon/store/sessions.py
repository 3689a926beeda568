"""Sessions of people who signed in with a browser, each known by the hash of its token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from rayon.store.accounts import USER_COLUMNS, User
from rayon.store.tables import sessions, users


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in with a browser.

    Parameters
    ----------
    hash
        Of the token that the browser keeps.
    user_id
        Whose it is.
    created_at, seen_at
        When they signed in, and when they were last heard of.
    """

    hash: str
    user_id: str
    created_at: datetime
    seen_at: datetime


_SESSION = (sessions.c.hash, sessions.c.user_id, sessions.c.created_at, sessions.c.seen_at)


def add_session(connection: Connection, hash: str, user_id: str, now: datetime) -> None:
    """Store a new session."""
    connection.execute(insert(sessions).values(hash=hash, user_id=user_id, created_at=now, seen_at=now))


def may_begin(connection: Connection, user: User) -> bool:
    """Whether a user is there, is not disabled, and has the same password as when they were found."""
    # The row is held where the database can: whoever changes it ends the sessions that there are by then.
    query = (
        select(users.c.id)
        .where(users.c.id == user.id, users.c.password_hash == user.password_hash, ~users.c.disabled)
        .with_for_update(read=True)
    )
    return connection.execute(query).first() is not None


def find_session(connection: Connection, hash: str) -> tuple[Session, User] | None:
    """Find a session by the hash of its token, and whose it is."""
    query = (
        select(*_SESSION, *USER_COLUMNS)
        .join_from(sessions, users, sessions.c.user_id == users.c.id)
        .where(sessions.c.hash == hash)
    )
    row = connection.execute(query).first()
    return (Session(*row[: len(_SESSION)]), User(*row[len(_SESSION) :])) if row else None


def count_sessions(connection: Connection, user_id: str, since: datetime) -> int:
    """How many sessions of a user have been heard of since then."""
    query = select(sessions.c.hash).where(sessions.c.user_id == user_id, sessions.c.seen_at > since)
    return len(connection.execute(query).all())


def touch_session(connection: Connection, hash: str, now: datetime) -> None:
    """Note that a session was heard of."""
    connection.execute(update(sessions).where(sessions.c.hash == hash).values(seen_at=now))


def delete_session(connection: Connection, hash: str) -> None:
    """End one session."""
    connection.execute(delete(sessions).where(sessions.c.hash == hash))


def delete_sessions_of(connection: Connection, user_id: str) -> None:
    """End all sessions of a user."""
    connection.execute(delete(sessions).where(sessions.c.user_id == user_id))


def delete_unseen_sessions(connection: Connection, before: datetime) -> None:
    """Remove sessions that have not been heard of since a moment."""
    connection.execute(delete(sessions).where(sessions.c.seen_at < before))
