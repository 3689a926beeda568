"""Passwords and API keys: made, hashed and checked."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from rayon.errors import RayonError

MIN_PASSWORD, MAX_PASSWORD = 10, 1024
KEY_MARK = "rk_"
_PREFIX = len(KEY_MARK) + 6


def hash_password(password: str) -> str:
    """Hash a password with Argon2id and a salt of its own.

    Raises
    ------
    RayonError
        When the password is too short or absurdly long.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise RayonError(
            f"A password has {MIN_PASSWORD} to {MAX_PASSWORD:,} characters, this one has {len(password):,}",
            "A few unrelated words make a good one",
        )
    return _hasher().hash(password)


def check_password(password: str, password_hash: str | None) -> bool:
    """Whether the password is right; takes as long where there is no such user (``None``)."""
    if len(password) > MAX_PASSWORD:
        return False
    try:
        return _hasher().verify(password, password_hash or _nobody()) and password_hash is not None
    except UnknownHashError:
        return False


def new_password() -> str:
    """Make a password for somebody's first visit."""
    return secrets.token_urlsafe(15)


def new_key() -> tuple[str, str, str]:
    """Make an API key: the secret, the prefix by which people know it, and the hash that is stored."""
    secret = KEY_MARK + secrets.token_urlsafe(32)
    return secret, secret[:_PREFIX], hash_key(secret)


def hash_key(secret: str) -> str:
    """Hash an API key. It has 256 random bits, so that a fast hash keeps it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def _hasher() -> PasswordHash:
    return PasswordHash((Argon2Hasher(),))


@cache
def _nobody() -> str:
    return _hasher().hash(secrets.token_urlsafe(32))
