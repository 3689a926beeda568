"""Every error that a user can meet.

An error is one sentence that says what is wrong and where, and a hint that says how to mend it.
The command line prints both and exits with 2; the service will render them as `application/problem+json`
with ``status`` as the HTTP status.
"""

from __future__ import annotations

from typing import Any


class RayonError(Exception):
    """Base of all errors that are meant for a person.

    Parameters
    ----------
    message
        One sentence without a final full stop: what is wrong, with the file, line or field.
    hint
        What to do about it; may be empty.
    public
        The message for whoever asks over HTTP, where it is another one.
    """

    status: int = 400

    def __init__(self, message: str, hint: str = "", public: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.public = public or message

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class CatalogueError(RayonError):
    """A catalogue cannot be read as a whole: a missing file, column or label, a wrong encoding."""


class ListingError(RayonError):
    """One listing cannot be used: nothing in it, or a part that is out of bounds."""


class ImageError(ListingError):
    """A picture is absent, truncated, too large, or not a picture at all."""


class TaxonomyError(RayonError):
    """A taxonomy is malformed, or a code is not in it."""


class TrainingError(RayonError):
    """The data cannot teach a model: a single code, nothing to learn from, wrong shapes."""


class ModelError(RayonError):
    """A model folder or a model file is missing, changed, truncated or from a newer version."""


class NotFittedError(RayonError, ValueError, AttributeError):
    """A classifier, fusion or policy is asked for answers before it has learned anything."""


class OutputError(RayonError):
    """Something cannot be written: no permission, a full disk, a folder in the way."""

    status = 500


class StoreError(RayonError):
    """The database, or a folder beside it, cannot be used as it is configured."""

    status = 500


class StoreUnavailableError(StoreError):
    """The database, or the place of pictures, cannot be reached at the moment; nothing was stored.

    Where things are kept is none of the business of whoever asks: its public message leaves it out.
    """

    status = 503


class StoreValueError(RayonError):
    """Something cannot be a value in the database, such as a NUL character in a text."""


class AddressError(RayonError):
    """The service cannot listen where it was told to."""


class AuthenticationError(RayonError):
    """Nobody knows who is asking: no credentials, wrong ones, or too many wrong ones."""

    status = 401


class PermissionDeniedError(RayonError):
    """The role of who is asking does not cover this."""

    status = 403


class NotFoundError(RayonError):
    """There is nothing under this name or id."""

    status = 404


class ConflictError(RayonError):
    """It cannot be done as things are: a name that is taken, the last administrator."""

    status = 409


class PromotionRefusedError(ConflictError):
    """The gate lets a challenger not take the champion's place.

    Parameters
    ----------
    verdict
        What it found, JSON-ready.
    """

    def __init__(self, message: str, hint: str, verdict: dict[str, Any]) -> None:
        super().__init__(message, hint)
        self.verdict = verdict


class TooManyAttemptsError(RayonError):
    """Too many failed sign-ins for an account or from an address."""

    status = 429

    def __init__(self, message: str, hint: str = "", retry_after: int = 1) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class OverloadedError(RayonError):
    """More requests are waiting than can be answered in time."""

    status = 503
    retry_after = 1


class MissingExtraError(RayonError):
    """An optional dependency is not installed; the hint is the install line that mends it."""

    status = 501

    def __init__(self, package: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed",
            f"Install it with: pip install {package}",
        )
