"""The review queue: listings that need a person, each leased to one reviewer at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from rayon.errors import RayonError
from rayon.operations.similar import most_similar
from rayon.serving.api.predictions import Moment
from rayon.serving.auth import Reviewer
from rayon.serving.problems import problem_responses
from rayon.serving.review_schemas import (
    IdsIn,
    LeasedOut,
    LeaseIn,
    OutcomeOut,
    OutcomesOut,
    QueuedOut,
    RenewedOut,
    ReviewProgressOut,
    SimilarIn,
    WordIn,
    WordsIn,
)
from rayon.serving.schemas import PredictionOut, ValidationOut
from rayon.serving.services import Services, services
from rayon.serving.validating import store_word
from rayon.store.accounts import User, list_users
from rayon.store.predictions import (
    StoredPrediction,
    find_prediction,
    find_validation,
    list_validations,
    lock_predictions,
    standing_validation,
)
from rayon.store.review import (
    count_progress,
    lease,
    lease_next,
    lease_these,
    release_leases,
    renew_leases,
    waiting_texts,
)

router = APIRouter(tags=["review"])
_COMPARED = 1000
"""Waiting listings that are compared with one another, at the most."""


@router.get(
    "/review/next",
    responses={204: {"description": "Nothing waits"}},
    response_model=PredictionOut,
)
def next_for_review(request: Request, user: Reviewer) -> PredictionOut | Response:
    """Take the listing that needs a person most; it is yours for ten minutes.

    Who asks again before they validated it gets the same one.
    """
    served = services(request)
    now, until = _term(served)
    with served.database.write() as connection:
        leased = lease_next(connection, user.id, now, until)
    return PredictionOut.of(leased) if leased else Response(status_code=204)


@router.post("/review/leases", responses=problem_responses(422))
def take(request: Request, user: Reviewer, wanted: LeaseIn) -> LeasedOut:
    """Take several listings; they are yours for ten minutes, and nobody else is given them."""
    served = services(request)
    now, until = _term(served)
    with served.database.write() as connection:
        found = lease(
            connection,
            user.id,
            now,
            until,
            count=wanted.count,
            order=wanted.order,
            code=wanted.code,
            exclude=wanted.exclude,
        )
    return LeasedOut(items=[QueuedOut.queued(one) for one in found], leased_until=until)


@router.post("/review/leases/renew", responses=problem_responses(422))
def renew(request: Request, user: Reviewer, held: IdsIn) -> RenewedOut:
    """Keep listings for another ten minutes, also some that you gave back and nobody else has."""
    served = services(request)
    now, until = _term(served)
    with served.database.write() as connection:
        still = renew_leases(connection, held.ids, user.id, now, until)
    return RenewedOut(ids=still, leased_until=until)


@router.post("/review/leases/release", status_code=204, responses=problem_responses(422))
def release(request: Request, user: Reviewer, held: IdsIn) -> None:
    """Let others have listings that you hold."""
    with services(request).database.write() as connection:
        release_leases(connection, held.ids, user.id)


@router.post("/review/similar", responses=problem_responses(422))
def take_similar(request: Request, user: Reviewer, wanted: SimilarIn) -> LeasedOut:
    """Take listings with the same suggested code that look alike, the most similar first."""
    served = services(request)
    now, until = _term(served)
    seed = _seed(served, user, wanted, now, until)
    if seed is None:
        return LeasedOut(items=[], leased_until=until)
    with served.database.read() as connection:
        texts = waiting_texts(connection, seed.code, user.id, now, wanted.exclude, _COMPARED)
    # Comparing takes a while, in which others write.
    ids = most_similar((seed.id, seed.designation, seed.description), texts, wanted.count)
    with served.database.write() as connection:
        items = lease_these(connection, ids, user.id, now, until)
    return LeasedOut(items=[QueuedOut.queued(one) for one in items], leased_until=until)


@router.get("/review/progress", responses=problem_responses(422))
def progress(
    request: Request,
    user: Reviewer,
    since: Annotated[Moment | None, Query(description="Midnight in UTC where not given")] = None,
) -> ReviewProgressOut:
    """See how many listings wait, and how many words were said since a moment."""
    begin = since or datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with services(request).database.read() as connection:
        found = count_progress(connection, user.id, begin)
    return ReviewProgressOut(
        waiting=found.waiting,
        waiting_audit=found.waiting_audit,
        mine_today=found.by_user,
        team_today=found.by_all,
        since=begin,
    )


@router.post("/review/validations", responses=problem_responses(422))
def validate_several(request: Request, user: Reviewer, said: WordsIn) -> OutcomesOut:
    """Say something of several predictions; what cannot be stored is told one by one, the rest is stored.

    A word with a token may be sent again after a lost connection: it is stored once.
    """
    served = services(request)
    with served.database.write() as connection:
        lock_predictions(connection, [word.prediction_id for word in said.words])
        return OutcomesOut(outcomes=[_store(served, connection, user, word) for word in said.words])


def _store(served: Services, connection: Connection, user: User, word: WordIn) -> OutcomeOut:
    id = word.prediction_id
    stored = find_prediction(connection, id)
    if stored is None:
        return OutcomeOut(prediction_id=id, status="refused", detail="There is no such prediction")
    repeated = word.token is not None and find_validation(connection, word.token) is not None
    standing = standing_validation(list_validations(connection, id))
    if standing and standing.user_id != user.id and not (repeated or word.overrule):
        return OutcomeOut(
            prediction_id=id,
            status="conflict",
            validation=ValidationOut.of(standing),
            detail=f"{_name(connection, standing.user_id)} has answered this listing meanwhile",
        )
    try:
        kept = store_word(served, connection, stored, user, word)
    except RayonError as error:
        return OutcomeOut(prediction_id=id, status="refused", detail=error.message)
    return OutcomeOut(
        prediction_id=id,
        status="repeated" if repeated else "stored",
        validation=ValidationOut.of(kept),
    )


def _seed(
    served: Services, user: Reviewer, wanted: SimilarIn, now: datetime, until: datetime
) -> StoredPrediction | None:
    """What others are to resemble: what was named if it waits still, or else the next one of the queue."""
    with served.database.write() as connection:
        named = find_prediction(connection, wanted.id) if wanted.id else None
        if named is not None and named.queued_for is not None and named.validated_at is None:
            return named
        found = lease(connection, user.id, now, until, count=1, code=wanted.code, exclude=wanted.exclude)
    return found[0] if found else None


def _name(connection: Connection, user_id: str | None) -> str:
    names = {user.id: user.name for user in list_users(connection)}
    return names.get(user_id or "", "Somebody")


def _term(served: Services) -> tuple[datetime, datetime]:
    """From now on until when a listing is leased."""
    now = datetime.now(UTC)
    return now, now + timedelta(seconds=served.lease_seconds)
