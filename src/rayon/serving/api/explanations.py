"""Why a listing got its code."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Query, Request

from rayon.data.listings import Listing
from rayon.errors import NotFoundError, OverloadedError
from rayon.learning.explain import Explanation
from rayon.operations.accounts import Role
from rayon.serving.api.predictions import visible_prediction
from rayon.serving.auth import Client
from rayon.serving.problems import problem_responses
from rayon.serving.schemas import ExplanationOut
from rayon.serving.services import Services, services
from rayon.store.accounts import User
from rayon.store.predictions import StoredPrediction

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
    return ExplanationOut.of(explain_stored(served, stored, user, code or stored.code))


def explain_stored(served: Services, stored: StoredPrediction, user: User, code: str | None) -> Explanation:
    """Explain a stored prediction by today's model; clients do not see known listings.

    Parameters
    ----------
    served, stored, user
        The services, the prediction, and who asks.
    code
        What to explain; the model's own answer where ``None``.

    Raises
    ------
    OverloadedError
        When other explanations take too long.
    """
    listing = kept_listing(served, stored)
    with explanation_turn():
        return served.model.explain(listing, code, n_neighbours=0 if user.role == Role.CLIENT else 5)


def kept_listing(served: Services, stored: StoredPrediction) -> Listing:
    """The listing of a prediction, as far as it is kept: its picture may have been erased since."""
    try:
        image = served.images.get(stored.image) if stored.image else None
    except NotFoundError:
        image = None
    return Listing(stored.designation, stored.description, image, stored.productid, stored.imageid)


@contextmanager
def explanation_turn() -> Iterator[None]:
    """Wait for one's turn to have the model explain something.

    Raises
    ------
    OverloadedError
        When others take too long.
    """
    if not _ONE_AT_A_TIME.acquire(timeout=_PATIENCE):
        raise OverloadedError("Other explanations are being made", "Try again in a moment")
    try:
        yield
    finally:
        _ONE_AT_A_TIME.release()
