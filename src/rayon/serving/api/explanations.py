"""Why a listing got its code."""

from __future__ import annotations

import threading
from typing import Annotated

from fastapi import APIRouter, Query, Request

from rayon.data.listings import Listing
from rayon.errors import NotFoundError, OverloadedError
from rayon.operations.accounts import Role
from rayon.serving.api.predictions import visible_prediction
from rayon.serving.auth import Client
from rayon.serving.problems import problem_responses
from rayon.serving.schemas import ExplanationOut
from rayon.serving.services import services

router = APIRouter(tags=["predictions"])
_ONE_AT_A_TIME = threading.Lock()
"""An explanation asks the model dozens of times: predictions must not wait for several of them."""

_PATIENCE = 2.0
"""Seconds that a request waits for its turn: it keeps a thread meanwhile, which others may need."""


@router.post("/predictions/{prediction_id}/explanation", responses=problem_responses(400, 404))
def explain(
    request: Request,
    user: Client,
    prediction_id: str,
    code: Annotated[str | None, Query(description="Explain this code instead", max_length=200)] = None,
) -> ExplanationOut:
    """Show what spoke for and against the code: words, region of the picture, and known listings.

    The known listings are training data: clients do not see them.
    """
    served = services(request)
    stored = visible_prediction(served, prediction_id, user)
    try:
        image = served.images.get(stored.image) if stored.image else None
    except NotFoundError:  # erased since: the text alone is explained
        image = None
    listing = Listing(stored.designation, stored.description, image)
    if not _ONE_AT_A_TIME.acquire(timeout=_PATIENCE):
        raise OverloadedError("Other explanations are being made", "Try again in a moment")
    try:
        explanation = served.model.explain(
            listing, code or stored.code, n_neighbours=0 if user.role == Role.CLIENT else 5
        )
    finally:
        _ONE_AT_A_TIME.release()
    return ExplanationOut.of(explanation)
