"""Predictions of a window of time, as monitoring reads them: few columns of many rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from rayon.store.predictions import PREDICTION_COLUMNS, StoredPrediction
from rayon.store.tables import predictions, validations

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What monitoring needs of a prediction.

    Parameters
    ----------
    id
        Of the prediction.
    at
        When it was made.
    code, confidence
        The answer.
    accepted
        Whether it was accepted.
    degraded
        Whether a part of the listing could not be used.
    audited, queued
        Whether the random audit drew it, and whether a person is to look for any reason.
    audit_probability
        With which the audit would have drawn it.
    model_version
        Who answered.
    true_code
        The code that is right in a person's eyes; ``None`` where nobody has said.
    """

    id: str
    at: datetime
    code: str
    confidence: float
    accepted: bool
    degraded: bool
    audited: bool
    queued: bool
    audit_probability: float
    model_version: str
    true_code: str | None


def answers_between(connection: Connection, since: datetime, until: datetime) -> Iterator[Answer]:
    """Predictions made from one moment on and before another, oldest first."""
    columns = predictions.c
    query = (
        select(
            columns.id,
            columns.created_at,
            columns.code,
            columns.confidence,
            columns.decision,
            columns.degraded,
            columns.queued_for,
            columns.audit_probability,
            columns.model_version,
            columns.true_code,
        )
        .where(columns.created_at >= since, columns.created_at < until)
        .order_by(columns.id)
        .execution_options(yield_per=10_000)
    )
    for row in connection.execute(query):
        yield Answer(
            row.id,
            row.created_at,
            row.code,
            row.confidence,
            row.decision == "accept",
            row.degraded,
            row.queued_for == "audit",
            row.queued_for is not None,
            row.audit_probability,
            row.model_version,
            row.true_code,
        )


def predictions_by_id(connection: Connection, ids: Sequence[str]) -> list[StoredPrediction]:
    """Those that are still there, in the order of their ids."""
    found: list[StoredPrediction] = []
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        query = select(*PREDICTION_COLUMNS).where(predictions.c.id.in_(part)).order_by(predictions.c.id)
        found.extend(StoredPrediction(*row) for row in connection.execute(query))
    return found


def audited_accepted(connection: Connection, version: str, since: datetime) -> tuple[int, int]:
    """How many accepted predictions of a model, made since a moment, the audit drew and people validated.

    Returns
    -------
    tuple
        How many of them are right, and how many there are.
    """
    columns = predictions.c
    query = select(
        func.coalesce(func.sum(case((columns.true_code == columns.code, 1), else_=0)), 0), func.count()
    ).where(
        columns.model_version == version,
        columns.created_at >= since,
        columns.decision == "accept",
        columns.queued_for == "audit",
        columns.true_code.is_not(None),
    )
    right, n = connection.execute(query).one()
    return int(right), int(n)


def waiting_for_review(connection: Connection) -> int:
    """How many predictions wait for a person."""
    query = select(func.count()).where(
        predictions.c.queued_for.is_not(None), predictions.c.validated_at.is_(None)
    )
    return int(connection.execute(query).scalar_one())


def validated_since(connection: Connection, moment: datetime | None) -> int:
    """How many predictions people have validated since a moment, or ever."""
    said = select(validations.c.prediction_id)
    query = select(func.count()).where(predictions.c.validated_at.is_not(None))
    if moment is not None:
        said = said.where(validations.c.at > moment)  # what was said since is few among all predictions
        query = query.where(predictions.c.validated_at > moment)
    return int(connection.execute(query.where(predictions.c.id.in_(said))).scalar_one())
