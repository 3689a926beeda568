"""Storing people's words on predictions, by the rules that hold wherever they come from."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from rayon.errors import ConflictError, RayonError, TaxonomyError
from rayon.serving.schemas import ValidationIn
from rayon.serving.services import Services
from rayon.store.accounts import User
from rayon.store.database import IntegrityError
from rayon.store.predictions import (
    StoredPrediction,
    Validation,
    add_validation,
    find_validation,
    list_validations,
    lock_predictions,
    standing_validation,
)


def store_word(
    served: Services, connection: Connection, stored: StoredPrediction, user: User, word: ValidationIn
) -> Validation:
    """Store a word, or give the one that came with the same token before.

    Raises
    ------
    ConflictError
        When there is nothing to undo, or the token came with another word.
    RayonError
        When a code is missing, superfluous, or not one of the taxonomy.
    """
    code = _true_code(served, stored, word)
    lock_predictions(connection, [stored.id])
    if word.token is not None and (known := find_validation(connection, word.token)) is not None:
        same = (known.prediction_id, known.user_id, known.verdict, known.code)
        if same != (stored.id, user.id, word.verdict, code):
            raise _taken()
        return known
    if word.verdict == "undone" and not standing_validation(list_validations(connection, stored.id)):
        raise ConflictError("There is nothing to undo", "No word on this prediction stands")
    try:
        with connection.begin_nested():
            return add_validation(
                connection,
                stored.id,
                user.id,
                word.verdict,
                code,
                word.comment,
                datetime.now(UTC),
                word.token,
            )
    except IntegrityError:  # the token may have come with a word on another prediction at the same moment
        if word.token is None or find_validation(connection, word.token) is None:
            raise
        raise _taken() from None


def _taken() -> ConflictError:
    return ConflictError("This token belongs to another word", "Make a new one for each word")


def _true_code(served: Services, stored: StoredPrediction, word: ValidationIn) -> str | None:
    """The code that is true by this word."""
    if word.verdict != "wrong":
        if word.code is not None and (word.verdict == "undone" or word.code != stored.code):
            raise RayonError(
                f"A code does not go with the verdict {word.verdict!r}", "Leave it out, or say wrong"
            )
        return stored.code if word.verdict == "right" else None
    if not word.code:
        raise RayonError("The true code is missing", "Say which code is right, in the field code")
    if word.code == stored.code:
        raise RayonError(f"The true code {word.code!r} is the predicted one", "Say right instead")
    if word.code not in served.model.taxonomy_:
        raise TaxonomyError(f"There is no code {word.code[:80]!r}", "GET /api/v1/taxonomy lists the codes")
    return word.code
