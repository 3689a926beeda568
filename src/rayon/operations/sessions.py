"""Signing in with a browser: a session known by a random token, and what keeps other sites from using it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

from rayon.errors import AuthenticationError
from rayon.store import sessions as store
from rayon.store.accounts import User
from rayon.store.database import Database
from rayon.store.sessions import Session

IDLE = timedelta(hours=12)
"""How long a session lasts without being heard of."""

LONGEST = timedelta(days=30)
"""How long it lasts at the most."""

_SEEN_EVERY = timedelta(minutes=5)


class Sessions:
    """Who is signed in with a browser. What a browser keeps is stored nowhere else, only its hash.

    Parameters
    ----------
    database
        Where they are kept, its schema up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, user: User) -> str:
        """Sign somebody in who has proved who they are, and give the token of their session.

        Raises
        ------
        AuthenticationError
            When they were deleted, disabled or given another password since they proved it.
        """
        token, now = new_token(), datetime.now(UTC)
        with self._database.write() as connection:
            if not store.may_begin(connection, user):
                raise AuthenticationError("The name or the password is wrong", "Check both, and try again")
            store.delete_unseen_sessions(connection, now - IDLE)
            store.add_session(connection, _hash(token), user.id, now)
        return token

    def holder_of(self, token: str) -> User | None:
        """Find out whose session this is; ``None`` where it has ended, or its user may not sign in."""
        now, hash = datetime.now(UTC), _hash(token)
        with self._database.read() as connection:
            found = store.find_session(connection, hash)
        if found is None or found[1].disabled or _is_over(found[0], now):
            return None
        session, user = found
        if now - session.seen_at > _SEEN_EVERY:
            with self._database.write() as connection:
                store.touch_session(connection, hash, now)
        return user

    def count(self, user: User) -> int:
        """How many browsers a user is signed in with."""
        with self._database.read() as connection:
            return store.count_sessions(connection, user.id, datetime.now(UTC) - IDLE)

    def end(self, token: str) -> None:
        """Sign out."""
        with self._database.write() as connection:
            store.delete_session(connection, _hash(token))

    def end_all(self, user: User) -> None:
        """Sign a user out everywhere."""
        with self._database.write() as connection:
            store.delete_sessions_of(connection, user.id)


def new_token() -> str:
    """Make a token that nobody can guess."""
    return secrets.token_urlsafe(32)


def form_token(token: str) -> str:
    """Make what forms carry to show that they come from a page of this very session.

    Other sites can have a browser send its cookies, but cannot know this.
    """
    return hmac.new(token.encode("utf-8", "replace"), b"form", hashlib.sha256).hexdigest()


def is_form_token(given: str, token: str) -> bool:
    """Whether a form comes from a page of the session with this token.

    Never without a token: what a form of no session would carry is known to everybody.
    """
    return bool(token) and hmac.compare_digest(given.encode("utf-8", "replace"), form_token(token).encode())


def _is_over(session: Session, now: datetime) -> bool:
    return now - session.seen_at > IDLE or now - session.created_at > LONGEST


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
