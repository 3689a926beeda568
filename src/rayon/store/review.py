"""The queue of predictions that wait for a person: ordered, leased to one reviewer each, counted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select, update

from rayon.store.predictions import PREDICTION_COLUMNS, StoredPrediction
from rayon.store.tables import predictions, validations

ReviewOrder = Literal["useful", "age", "confidence"]
_WAITING = and_(predictions.c.queued_for.is_not(None), predictions.c.validated_at.is_(None))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far reviewing is.

    Parameters
    ----------
    waiting, waiting_audit
        Predictions that wait for a person, and those of them that the random audit drew.
    by_user, by_all
        Words since a moment, of one user and of all, less those that were taken back.
    """

    waiting: int
    waiting_audit: int
    by_user: int
    by_all: int


def lease(
    connection: Connection,
    user_id: str,
    now: datetime,
    until: datetime,
    *,
    count: int,
    order: ReviewOrder = "useful",
    code: str | None = None,
    exclude: Collection[str] = (),
) -> list[StoredPrediction]:
    """Give waiting predictions to one reviewer, who keeps them until a moment.

    Parameters
    ----------
    user_id, now, until
        Who gets them, and from when until when.
    count
        How many at the most.
    order
        ``"useful"``: those of the random audit, oldest first, then the most useful ones; ``"age"``: oldest
        first; ``"confidence"``: least sure first. Those that the reviewer holds already are among them.
    code
        Only those with this suggested code.
    exclude
        Ids of predictions that are not to be given.
    """
    found: list[Any] = []
    free = _free(user_id, now, exclude)
    for query in _in_order(order, code):
        left = count - len(found)
        if left:
            query = query.where(free).limit(left).with_for_update(skip_locked=True)
            found += connection.execute(query).all()
    leased = [StoredPrediction(*row) for row in found]
    _hold(connection, [one.id for one in leased], user_id, until)
    return leased


def lease_next(
    connection: Connection, user_id: str, now: datetime, until: datetime
) -> StoredPrediction | None:
    """Give one waiting prediction to a reviewer; who asks again gets the one that they hold already."""
    held = select(*PREDICTION_COLUMNS).where(_WAITING, predictions.c.leased_by == user_id)
    mine = held.order_by(predictions.c.id).limit(1).with_for_update(skip_locked=True)
    row = connection.execute(mine).first()
    if row is not None:
        _hold(connection, [row.id], user_id, until)
        return StoredPrediction(*row)
    found = lease(connection, user_id, now, until, count=1)
    return found[0] if found else None


def lease_these(
    connection: Connection, ids: Sequence[str], user_id: str, now: datetime, until: datetime
) -> list[StoredPrediction]:
    """Give certain predictions to a reviewer, in that order, if they wait and nobody else holds them."""
    query = (
        select(*PREDICTION_COLUMNS)
        .where(_WAITING, predictions.c.id.in_(ids), _free(user_id, now, ()))
        .with_for_update(skip_locked=True)
    )
    found = {row.id: StoredPrediction(*row) for row in connection.execute(query)}
    _hold(connection, list(found), user_id, until)
    return [found[id] for id in ids if id in found]


def waiting_texts(
    connection: Connection, code: str, user_id: str, now: datetime, exclude: Collection[str], limit: int
) -> list[tuple[str, str, str]]:
    """Ids, titles and descriptions of predictions that wait with a suggested code, the most useful first."""
    query = (
        select(predictions.c.id, predictions.c.designation, predictions.c.description)
        .where(_WAITING, predictions.c.code == code, _free(user_id, now, exclude))
        .order_by(predictions.c.queued_for, predictions.c.priority.desc())
        .limit(limit)
    )
    return [(id, title, text) for id, title, text in connection.execute(query)]


def renew_leases(
    connection: Connection, ids: Sequence[str], user_id: str, now: datetime, until: datetime
) -> list[str]:
    """Let a reviewer keep predictions for longer, and say which of them they hold now.

    What they gave back, or took back a word on, is theirs again where nobody else has taken it meanwhile.
    """
    mine = select(predictions.c.id).where(_WAITING, predictions.c.id.in_(ids), _free(user_id, now, ()))
    held = list(connection.execute(mine.with_for_update(skip_locked=True)).scalars())
    _hold(connection, held, user_id, until)
    return held


def release_leases(connection: Connection, ids: Sequence[str], user_id: str) -> None:
    """Let others have predictions that a reviewer holds."""
    mine = and_(predictions.c.id.in_(ids), predictions.c.leased_by == user_id)
    connection.execute(update(predictions).where(mine).values(leased_by=None, leased_until=None))


def count_progress(connection: Connection, user_id: str, since: datetime) -> Progress:
    """Count what waits, and what was said since a moment."""
    queues = select(predictions.c.queued_for, func.count()).where(_WAITING).group_by(predictions.c.queued_for)
    waiting = {queue: int(n) for queue, n in connection.execute(queues)}
    worth = case((validations.c.verdict == "undone", -1), else_=1)
    mine = case((validations.c.user_id == user_id, worth), else_=0)
    by_user, by_all = connection.execute(
        select(func.coalesce(func.sum(mine), 0), func.coalesce(func.sum(worth), 0)).where(
            validations.c.at >= since
        )
    ).one()
    return Progress(sum(waiting.values()), waiting.get("audit", 0), max(0, by_user), max(0, by_all))


def next_near_ranks(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    """For each key of near-duplicates, the rank that the next one gets."""
    wanted = list(dict.fromkeys(keys))
    if not wanted:
        return {}
    highest = [
        select(predictions.c.near_rank)
        .where(predictions.c.near_key == key)
        .order_by(predictions.c.near_rank.desc())
        .limit(1)
        .scalar_subquery()
        for key in wanted
    ]
    row = connection.execute(select(*highest)).one()
    return {key: 0 if rank is None else rank + 1 for key, rank in zip(wanted, row, strict=True)}


def _in_order(order: ReviewOrder, code: str | None) -> list[Select[Any]]:
    """Queries that give the queue, one after the other; each follows an index."""
    query = select(*PREDICTION_COLUMNS).where(_WAITING)
    if code is not None:
        query = query.where(predictions.c.code == code)
    if order == "confidence":
        return [query.order_by(predictions.c.confidence)]
    if order == "age":
        return [query.order_by(predictions.c.id)]
    audit = query.where(predictions.c.queued_for == "audit").order_by(predictions.c.id)
    rest = query.where(predictions.c.queued_for == "review").order_by(predictions.c.priority.desc())
    return [audit, rest]


def _free(user_id: str, now: datetime, exclude: Collection[str]) -> ColumnElement[bool]:
    """What nobody else holds."""
    free = or_(
        predictions.c.leased_until.is_(None),
        predictions.c.leased_until <= now,
        predictions.c.leased_by == user_id,
    )
    return and_(free, predictions.c.id.not_in(exclude)) if exclude else free


def _hold(connection: Connection, ids: Sequence[str], user_id: str, until: datetime) -> None:
    if ids:
        connection.execute(
            update(predictions).where(predictions.c.id.in_(ids)).values(leased_by=user_id, leased_until=until)
        )
