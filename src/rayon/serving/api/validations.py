"""People's words on predictions, and the queue of those that wait for one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request, Response

from rayon.errors import ConflictError, RayonError, TaxonomyError
from rayon.serving.api.predictions import visible_prediction
from rayon.serving.auth import Client, Reviewer
from rayon.serving.problems import problem_responses
from rayon.serving.schemas import PredictionOut, ValidationIn, ValidationOut
from rayon.serving.services import Services, services
from rayon.store.predictions import (
    StoredPrediction,
    add_validation,
    lease_next,
    list_validations,
    standing_validation,
)

router = APIRouter(tags=["review"])


@router.post(
    "/predictions/{prediction_id}/validations",
    status_code=201,
    responses=problem_responses(400, 404, 409, 422),
)
def validate(request: Request, user: Reviewer, prediction_id: str, word: ValidationIn) -> ValidationOut:
    """Say that a prediction is right, or wrong and what is true, or take the last word back.

    Nothing is overwritten: the history stays, and the latest word counts.
    """
    served = services(request)
    stored = visible_prediction(served, prediction_id, user)
    code = _true_code(served, stored, word)
    with served.database.write() as connection:
        if word.verdict == "undone" and not standing_validation(list_validations(connection, stored.id)):
            raise ConflictError("There is nothing to undo", "No word on this prediction stands")
        return ValidationOut.of(
            add_validation(
                connection, stored.id, user.id, word.verdict, code, word.comment, datetime.now(UTC)
            )
        )


@router.get("/predictions/{prediction_id}/validations", responses=problem_responses(404))
def history(request: Request, user: Client, prediction_id: str) -> list[ValidationOut]:
    """All that people said of a prediction, oldest first."""
    served = services(request)
    stored = visible_prediction(served, prediction_id, user)
    with served.database.read() as connection:
        return [ValidationOut.of(one) for one in list_validations(connection, stored.id)]


@router.get(
    "/review/next",
    responses={204: {"description": "Nothing waits"}},
    response_model=PredictionOut,
)
def next_for_review(request: Request, user: Reviewer) -> PredictionOut | Response:
    """Take the listing that has waited longest for a person; it is yours for ten minutes.

    Who asks again before they validated it gets the same one.
    """
    served = services(request)
    now = datetime.now(UTC)
    with served.database.write() as connection:
        leased = lease_next(connection, user.id, now, now + timedelta(seconds=served.lease_seconds))
    return PredictionOut.of(leased) if leased else Response(status_code=204)


def _true_code(served: Services, stored: StoredPrediction, word: ValidationIn) -> str | None:
    """The code that is true by this word.

    Raises
    ------
    RayonError
        When a code is missing, superfluous, or not one of the taxonomy.
    """
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
