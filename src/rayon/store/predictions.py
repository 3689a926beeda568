"""Stored predictions: kept, found again, listed, validated, and leased to reviewers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select, text, union, update

from rayon.errors import RayonError
from rayon.store.filters import PredictionFilter as PredictionFilter
from rayon.store.filters import filter_conditions
from rayon.store.search import search_text
from rayon.store.tables import golden_listings, predictions, search_texts, validations

Verdict = Literal["right", "wrong", "undone"]
Queue = Literal["review", "audit"]


@dataclass(frozen=True, slots=True)
class StoredPrediction:
    """What was answered for a listing, for whom and when, and what a person said of it.

    Parameters
    ----------
    id
        Unique; sorts by time.
    image
        SHA-256 of the picture in hexadecimal digits; ``None`` where there was none.
    alternatives, scores
        As in `rayon.learning.prediction.Prediction`, as plain dictionaries.
    queued_for
        Why a person is to look: ``"review"``, ``"audit"``; ``None`` where nobody needs to.
    audit_probability
        With which probability the random audit would have drawn this prediction.
    validated_at, true_code
        When a person last validated it, and the code that is right in their eyes.
    job_id, job_row
        The job that it belongs to, and the row of its file, from 1; ``None`` for what was asked alone.
    priority
        How useful a person's look is, 0 to 1; ``None`` where nobody needs to.
    near_key, near_rank
        Near-duplicates share a key; the rank says which of those that were queued this one is, from 0.
    """

    id: str
    created_at: datetime
    user_id: str | None
    designation: str
    description: str
    productid: str
    imageid: str
    image: str | None
    code: str
    label: str
    confidence: float
    decision: str
    reason: str
    threshold: float | None
    modalities: list[str]
    degraded: bool
    alternatives: list[dict[str, Any]]
    scores: dict[str, dict[str, Any]]
    error: str
    model_version: str
    queued_for: Queue | None
    audit_probability: float
    leased_by: str | None = None
    leased_until: datetime | None = None
    validated_at: datetime | None = None
    true_code: str | None = None
    job_id: str | None = None
    job_row: int | None = None
    priority: float | None = None
    near_key: str | None = None
    near_rank: int | None = None


@dataclass(frozen=True, slots=True)
class Validation:
    """A person's word on a prediction; ``"undone"`` takes the one before back.

    ``token`` was made by whoever sent it, so that one that is sent twice is stored once.
    """

    id: int
    prediction_id: str
    user_id: str | None
    at: datetime
    verdict: Verdict
    code: str | None
    comment: str
    token: str | None = None


PREDICTION_COLUMNS = tuple(predictions.c[name] for name in StoredPrediction.__slots__)
"""What makes a `StoredPrediction`, in order."""

_PICTURES = (predictions.c.image, golden_listings.c.image)


def words_of(rows: Iterable[StoredPrediction]) -> list[str]:
    """The words by which predictions are found; long texts take a while, in which others may write."""
    return [search_text(row.designation, row.description, row.productid, row.imageid) for row in rows]


def add_predictions(
    connection: Connection, rows: Sequence[StoredPrediction], words: Sequence[str] | None = None
) -> None:
    """Store predictions, with the words by which they are found where `words_of` has given them already."""
    if not rows:
        return
    columns = StoredPrediction.__slots__
    connection.execute(insert(predictions), [{name: getattr(row, name) for name in columns} for row in rows])
    texts = words_of(rows) if words is None else words
    noted = [{"prediction_id": row.id, "text": text} for row, text in zip(rows, texts, strict=True)]
    connection.execute(insert(search_texts), noted)


def find_prediction(connection: Connection, id: str) -> StoredPrediction | None:
    """Find a prediction by its id."""
    row = connection.execute(select(*PREDICTION_COLUMNS).where(predictions.c.id == id)).first()
    return StoredPrediction(*row) if row else None


def list_predictions(connection: Connection, wanted: PredictionFilter, limit: int) -> list[StoredPrediction]:
    """Newest predictions first that the filter lets through; go on from the last one's id by ``before``."""
    if connection.dialect.name == "postgresql":  # which else plans for any filter alike, after a few times
        connection.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    # Whole rows are long. So none but those of this page is read: one index has all that can be filtered.
    conditions = filter_conditions(connection, wanted, in_list=True)
    ids = select(predictions.c.id).where(*conditions).order_by(predictions.c.id.desc()).limit(limit)
    page = ids.subquery("page")
    query = select(*PREDICTION_COLUMNS).join(page, page.c.id == predictions.c.id)
    return [StoredPrediction(*row) for row in connection.execute(query.order_by(predictions.c.id.desc()))]


def add_validation(
    connection: Connection,
    prediction_id: str,
    user_id: str | None,
    verdict: Verdict,
    code: str | None,
    comment: str,
    now: datetime,
    token: str | None = None,
) -> Validation:
    """Append a person's word, and repeat what counts from now on beside the prediction.

    ``code`` is the true code with ``"right"`` and ``"wrong"``; ``"undone"`` brings the word before the last
    one back.
    """
    found = connection.execute(
        insert(validations).values(
            prediction_id=prediction_id,
            user_id=user_id,
            at=now,
            verdict=verdict,
            code=code,
            comment=comment,
            token=token,
        )
    ).inserted_primary_key
    if found is None:
        raise RayonError("The validation was not stored", "Try again")
    standing = standing_validation(list_validations(connection, prediction_id))
    connection.execute(
        update(predictions)
        .where(predictions.c.id == prediction_id)
        .values(
            validated_at=standing.at if standing else None,
            true_code=standing.code if standing else None,
            leased_by=None,
            leased_until=None,
        )
    )
    return Validation(found[0], prediction_id, user_id, now, verdict, code, comment, token)


def lock_predictions(connection: Connection, ids: Collection[str]) -> None:
    """Let nobody else say anything of predictions until this transaction ends.

    What was said a moment ago is seen then, and a word that comes twice at once is stored once.
    """
    query = select(predictions.c.id).where(predictions.c.id.in_(ids)).order_by(predictions.c.id)
    connection.execute(query.with_for_update()).all()  # all in one order, so that no two wait for each other


def find_validation(connection: Connection, token: str) -> Validation | None:
    """Find a word by the token that came with it."""
    row = connection.execute(select(validations).where(validations.c.token == token)).first()
    return Validation(*row) if row else None


def list_validations(connection: Connection, prediction_id: str) -> list[Validation]:
    """All that people said of a prediction, oldest first."""
    query = select(validations).where(validations.c.prediction_id == prediction_id).order_by(validations.c.id)
    return [Validation(*row) for row in connection.execute(query)]


def standing_validation(history: Sequence[Validation]) -> Validation | None:
    """Which word of a history, oldest first, counts in the end; each undo takes one back."""
    standing: list[Validation] = []
    for validation in history:
        if validation.verdict != "undone":
            standing.append(validation)
        elif standing:
            standing.pop()
    return standing[-1] if standing else None


def validated_predictions(connection: Connection) -> list[StoredPrediction]:
    """All predictions on which a person's word stands, oldest first."""
    query = (
        select(*PREDICTION_COLUMNS).where(predictions.c.validated_at.is_not(None)).order_by(predictions.c.id)
    )
    return [StoredPrediction(*row) for row in connection.execute(query)]


def audited_predictions(connection: Connection, since: datetime) -> list[StoredPrediction]:
    """Predictions from a moment on that the random audit drew, validated or not, oldest first."""
    query = (
        select(*PREDICTION_COLUMNS)
        .where(predictions.c.queued_for == "audit", predictions.c.created_at >= since)
        .order_by(predictions.c.id)
    )
    return [StoredPrediction(*row) for row in connection.execute(query)]


def all_images(connection: Connection) -> Iterator[str]:
    """All pictures that predictions and golden listings have, by their SHA-256."""
    query = union(*(select(column).where(column.is_not(None)) for column in _PICTURES))
    yield from connection.execute(query.execution_options(yield_per=1000)).scalars()


def delete_oldest(connection: Connection, wanted: PredictionFilter, limit: int) -> list[StoredPrediction]:
    """Delete the oldest predictions that the filter lets through, and give them a last time."""
    query = (
        select(*PREDICTION_COLUMNS)
        .where(*filter_conditions(connection, wanted))
        .order_by(predictions.c.created_at)
        .limit(limit)
    )
    found = [StoredPrediction(*row) for row in connection.execute(query)]
    connection.execute(delete(predictions).where(predictions.c.id.in_([one.id for one in found])))
    return found


def disown(connection: Connection, user_id: str) -> None:
    """Take a user's name from what they said of predictions, and from those that they hold for review."""
    connection.execute(update(validations).where(validations.c.user_id == user_id).values(user_id=None))
    held = update(predictions).where(predictions.c.leased_by == user_id)
    connection.execute(held.values(leased_by=None, leased_until=None))


def images_in_use(connection: Connection, digests: Iterable[str]) -> set[str]:
    """Which of these pictures some prediction or golden listing has."""
    wanted = list(digests)
    query = union(*(select(column).where(column.in_(wanted)) for column in _PICTURES))
    return set(connection.execute(query).scalars())
