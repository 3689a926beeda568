"""People and programs that may ask: who they are, what they may do, and what they did with accounts."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection

from rayon.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    OverloadedError,
    RayonError,
    TooManyAttemptsError,
)
from rayon.operations.passwords import check_password, hash_key, hash_password, new_key
from rayon.store import accounts as store
from rayon.store import audit
from rayon.store.accounts import ApiKey, User
from rayon.store.database import Database, IntegrityError
from rayon.store.sessions import delete_sessions_of

FREE_ATTEMPTS = 5
ONESELF = "me"
"""Stands for whoever asks."""

RESERVED = frozenset({ONESELF, "audit", "keys", ".", ".."})
"""Names that no user may have: in the place of a name, addresses take them for something else."""

COMMAND_LINE = "command line"
"""Who did what was done without signing in; no user's name has a space in it."""

SCHEDULE = "the schedule"
"""Who did what nobody asked for at that moment."""

LONGEST_WAIT = timedelta(minutes=15)
_CHECKS = 2
_PATIENCE = 3.0
"""Seconds."""

_REMEMBERED = timedelta(hours=1)
_NAME = re.compile(r"[\w.@+-]{1,100}")
_KEY_USED_EVERY = timedelta(minutes=1)


class Role(StrEnum):
    """What somebody may do; each role may do what the ones before it may."""

    CLIENT = "client"
    REVIEWER = "reviewer"
    ADMIN = "admin"


class Accounts:
    """Users and API keys. Every change is in the audit log, in the same transaction.

    Parameters
    ----------
    database
        Where they are kept, its schema up to date.
    free_attempts
        Wrong passwords in a row, for an account or from an address, before the next has to wait.
    """

    def __init__(self, database: Database, free_attempts: int = FREE_ATTEMPTS) -> None:
        self._database = database
        self._free_attempts = free_attempts
        self._checks = threading.BoundedSemaphore(_CHECKS)

    # ---------------------------------------------------------------- signing in

    def sign_in(self, name: str, password: str, address: str) -> User:
        """Find out who this is by name and password.

        After the free attempts the wait doubles with each, up to `LONGEST_WAIT`; a right password
        clears the failures of its account. Failures are counted in the database, so that all processes
        count together.

        Raises
        ------
        AuthenticationError
            When name or password is wrong, or the user is disabled; the same words for all of them.
        TooManyAttemptsError
            When too many attempts have failed; nothing is checked then.
        """
        name, address = name[:100], address[:64]
        now = datetime.now(UTC)
        with self._database.read() as connection:
            _refuse_hasty(connection, name, address, now, self._free_attempts)
            user = store.find_user(connection, name=name)
        with self._one_of_few():
            with self._database.read() as connection:  # others have failed while this one waited
                _refuse_hasty(connection, name, address, datetime.now(UTC), self._free_attempts)
            right = check_password(password, user.password_hash if user else None)
            if user is None or not right or user.disabled:
                with self._database.write() as connection:
                    store.clear_failures(connection, before=now - _REMEMBERED)
                    store.add_failure(connection, name, address, now)
                raise AuthenticationError("The name or the password is wrong", "Check both, and try again")
        with self._database.read() as connection:
            failed, _ = store.count_failures(connection, now - _REMEMBERED, name=name)
        if failed:
            with self._database.write() as connection:
                store.clear_failures(connection, name=name)
        return user

    @contextmanager
    def _one_of_few(self) -> Iterator[None]:
        """Check few passwords at once: each takes 64 MiB, and strangers may send as many as they like."""
        if not self._checks.acquire(timeout=_PATIENCE):
            raise OverloadedError("Too many people sign in at this moment", "Try again in a moment")
        try:
            yield
        finally:
            self._checks.release()

    def holder_of(self, secret: str) -> User:
        """Find out whose API key this is.

        Raises
        ------
        AuthenticationError
            When there is no such key, it was revoked, or its holder is disabled.
        """
        now = datetime.now(UTC)
        with self._database.read() as connection:
            found = store.user_of_key(connection, hash_key(secret))
        if found is None or found[0].disabled:
            raise AuthenticationError("This API key is not valid", "Ask an administrator for another")
        user, key = found
        if key.last_used_at is None or now - key.last_used_at > _KEY_USED_EVERY:
            with self._database.write() as connection:
                store.touch_key(connection, key.id, now)
        return user

    # ---------------------------------------------------------------- users

    def create(self, name: str, password: str, role: str, actor: str) -> User:
        """Create a user.

        Raises
        ------
        ConflictError
            When the name is taken.
        RayonError
            When name, password or role is not acceptable.
        """
        if not _NAME.fullmatch(name) or name in RESERVED:
            raise RayonError(
                f"{name!r} cannot be the name of a user",
                "Use 1 to 100 letters, digits and . _ - + @",
            )
        role = _role(role)
        password_hash = hash_password(password)
        now = datetime.now(UTC)
        try:
            with self._database.write() as connection:
                user = store.add_user(connection, name, role, password_hash, now)
                audit.record(connection, actor, "user.create", name, now, {"role": role})
        except IntegrityError:
            raise ConflictError(f"There is a user named {name!r} already", "Choose another name") from None
        return user

    def users(self) -> list[User]:
        """All users, by name."""
        with self._database.read() as connection:
            return store.list_users(connection)

    def find(self, name: str) -> User:
        """Find a user by name.

        Raises
        ------
        NotFoundError
            When there is none.
        """
        with self._database.read() as connection:
            return _existing(connection, name)

    def change(
        self,
        name: str,
        actor: str,
        *,
        password: str | None = None,
        role: str | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Change what is given of a user, all of it or nothing.

        A new password, and being disabled, end all their sessions.

        Raises
        ------
        ConflictError
            When the last administrator would be none any more.
        NotFoundError
            When there is no such user.
        RayonError
            When the password or the role is not acceptable.
        """
        values: dict[str, object] = {}
        actions: dict[str, dict[str, str]] = {}
        if password is not None:
            values["password_hash"] = hash_password(password)
            actions["user.password"] = {}
        if role is not None:
            values["role"] = _role(role)
            actions["user.role"] = {"role": role}
        if disabled is not None:
            values["disabled"] = disabled
            actions["user.disable" if disabled else "user.enable"] = {}
        now = datetime.now(UTC)
        with self._database.write() as connection:
            user = _existing(connection, name)
            if values.get("role", Role.ADMIN) != Role.ADMIN or disabled:
                _keep_an_admin(connection, user)
            if values:
                store.change_user(connection, user.id, **values)
            if password is not None:
                store.clear_failures(connection, name=name)
            if password is not None or disabled:
                delete_sessions_of(connection, user.id)
            for action, detail in actions.items():
                audit.record(connection, actor, action, name, now, detail)
            return _existing(connection, name)

    def delete(self, name: str, actor: str) -> None:
        """Delete a user with their keys; not the last administrator."""
        with self._changed(name, "user.delete", actor) as (connection, user):
            _keep_an_admin(connection, user)
            store.delete_user(connection, user.id)

    # ---------------------------------------------------------------- keys

    def create_key(self, user_name: str, key_name: str, actor: str) -> tuple[ApiKey, str]:
        """Create an API key for a user; its secret, the second answer, is never shown again."""
        if not 1 <= len(key_name.strip()) <= 100:
            raise RayonError("The name of a key has 1 to 100 characters", "Say what it is for")
        secret, prefix, digest = new_key()
        with self._changed(user_name, "key.create", actor, key=prefix) as (connection, user):
            key = store.add_key(connection, user.id, key_name.strip(), prefix, digest, datetime.now(UTC))
        return key, secret

    def keys(self, user: User | None = None) -> list[ApiKey]:
        """Keys of one user, or of all."""
        with self._database.read() as connection:
            return store.list_keys(connection, user.id if user else None)

    def revoke_key(self, key_id: str, actor: str, owner: User | None = None) -> None:
        """Make a key useless from now on; with ``owner``, only one of theirs.

        Raises
        ------
        NotFoundError
            When there is no such key.
        """
        now = datetime.now(UTC)
        with self._database.write() as connection:
            key = store.find_key(connection, key_id)
            if key is None or (owner is not None and key.user_id != owner.id):
                raise NotFoundError(f"There is no API key {key_id!r}", "List the keys to see their ids")
            store.revoke_key(connection, key_id, now)
            audit.record(connection, actor, "key.revoke", key.prefix, now)

    @contextmanager
    def _changed(
        self, name: str, action: str, actor: str, **detail: str
    ) -> Iterator[tuple[Connection, User]]:
        with self._database.write() as connection:
            yield connection, _existing(connection, name)
            audit.record(connection, actor, action, name, datetime.now(UTC), detail)


def _existing(connection: Connection, name: str) -> User:
    user = store.find_user(connection, name=name)
    if user is None:
        raise NotFoundError(f"There is no user named {name!r}", "List the users to see their names")
    return user


def _role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError:
        raise RayonError(f"There is no role {role!r}", f"Roles are {', '.join(Role)}") from None


def _keep_an_admin(connection: Connection, user: User) -> None:
    if user.role == Role.ADMIN and not store.count_active(connection, Role.ADMIN, other_than=user.id):
        raise ConflictError(
            f"{user.name!r} is the last administrator", "Make somebody else an administrator first"
        )


def _refuse_hasty(connection: Connection, name: str, address: str, now: datetime, free_attempts: int) -> None:
    since = now - _REMEMBERED
    for failed, last in (
        store.count_failures(connection, since, name=name),
        store.count_failures(connection, since, address=address),
    ):
        if failed < free_attempts or last is None:
            continue
        wait = min(timedelta(seconds=2 ** min(failed - free_attempts, 20)), LONGEST_WAIT)
        left = (last + wait - now).total_seconds()
        if left > 0:
            seconds = int(left) + 1
            raise TooManyAttemptsError(
                "Too many attempts to sign in have failed", f"Try again in {seconds} s", retry_after=seconds
            )
