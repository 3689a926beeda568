"""People's words on predictions."""

from __future__ import annotations

from fastapi import APIRouter, Request

from rayon.serving.api.predictions import visible_prediction
from rayon.serving.auth import Client, Reviewer
from rayon.serving.problems import problem_responses
from rayon.serving.schemas import ValidationIn, ValidationOut
from rayon.serving.services import services
from rayon.serving.validating import store_word
from rayon.store.predictions import list_validations

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
    with served.database.write() as connection:
        return ValidationOut.of(store_word(served, connection, stored, user, word))


@router.get("/predictions/{prediction_id}/validations", responses=problem_responses(404))
def history(request: Request, user: Client, prediction_id: str) -> list[ValidationOut]:
    """All that people said of a prediction, oldest first."""
    served = services(request)
    stored = visible_prediction(served, prediction_id, user)
    with served.database.read() as connection:
        return [ValidationOut.of(one) for one in list_validations(connection, stored.id)]
