"""Listings to stored predictions: classified together, drawn for the audit, and kept in one transaction."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from rayon.data.image import plain_jpeg
from rayon.data.listings import Listing
from rayon.errors import ImageError
from rayon.learning.model import ProductClassifier
from rayon.learning.prediction import Prediction
from rayon.operations.brake import all_brakes, braked
from rayon.operations.near_key import near_key
from rayon.operations.registry import NAME_LENGTH
from rayon.store.accounts import list_users
from rayon.store.brakes import Brake
from rayon.store.database import Database, IntegrityError
from rayon.store.identifiers import new_id
from rayon.store.images import ImageStore
from rayon.store.predictions import Queue, StoredPrediction, add_predictions, words_of
from rayon.store.review import next_near_ranks

AUDIT_SHARE = 0.01
"""Share of all predictions that the random audit draws."""


@dataclass(frozen=True, slots=True)
class Question:
    """A listing to classify, and the SHA-256 under which its picture is kept, if it has a usable one."""

    listing: Listing
    image: str | None = None


class PredictionRecorder:
    """Classify and store.

    Parameters
    ----------
    model
        Loaded. Another may be put in its place at any moment: what is being answered stays with the old one.
    database, images
        Where predictions and their pictures are kept.
    audit_share
        Share of all predictions, 0 to 1, that is drawn for review at random.
    chance
        Draws the audit by numbers from 0 to 1; the system's randomness where not given.
    observe
        Told of predictions once they are stored.
    """

    def __init__(
        self,
        model: ProductClassifier,
        database: Database,
        images: ImageStore,
        *,
        audit_share: float = AUDIT_SHARE,
        chance: Callable[[], float] | None = None,
        observe: Callable[[Sequence[StoredPrediction]], None] = lambda stored: None,  # noqa: ARG005
    ) -> None:
        self.model = model
        self._brakes: Mapping[str, Brake] = {}
        self._database = database
        self._images = images
        self._audit_share = audit_share
        self._chance = chance or random.SystemRandom().random
        self._observe = observe

    def prepare(self, listing: Listing) -> Question:
        """Keep the picture of a listing, its pixels and nothing else; to be called from any thread.

        A picture that cannot be used is not kept; the prediction will say why.
        """
        if not isinstance(listing.image, bytes):
            return Question(listing)
        try:
            return Question(listing, self._images.put(plain_jpeg(listing.image)))
        except ImageError:
            return Question(listing)

    def record(self, questions: Sequence[Question], user_ids: Sequence[str | None]) -> list[StoredPrediction]:
        """Classify listings and store all predictions in one transaction.

        A listing with nothing to classify gets a prediction without a code, which is not stored.

        Parameters
        ----------
        questions, user_ids
            N listings, and who asks for each.

        Raises
        ------
        StoreUnavailableError
            When they cannot be stored; none of them is then.
        """
        model = self.model  # another may take its place meanwhile
        predictions = self._decide(model, [question.listing for question in questions])
        stored = [
            self._stored(question, prediction, user, model.version_)
            for question, prediction, user in zip(questions, predictions, user_ids, strict=True)
        ]
        self._keep(stored)
        return stored

    def record_job(
        self,
        job_id: str,
        user_id: str | None,
        questions: Sequence[tuple[int, Question]],
        advance: Callable[[Connection, dict[int, str]], bool],
    ) -> bool:
        """Classify rows of a job, and store the predictions with its progress or not at all.

        Parameters
        ----------
        job_id, user_id
            The job, and who asked for it.
        questions
            Row numbers and listings.
        advance
            Notes the progress in the same transaction, with the rows that cannot be classified; where it
            answers false, nothing is stored.

        Returns
        -------
        bool
            What ``advance`` answered.
        """
        model = self.model
        predictions = self._decide(model, [question.listing for _, question in questions])
        stored = [
            replace(self._stored(question, prediction, user_id, model.version_), job_id=job_id, job_row=row)
            for (row, question), prediction in zip(questions, predictions, strict=True)
        ]
        errors = {row: one.error for (row, _), one in zip(questions, stored, strict=True) if not one.code}
        return self._keep(stored, lambda connection: advance(connection, errors))

    def look_at_brakes(self) -> None:
        """Take up the brakes as they are now.

        Raises
        ------
        StoreUnavailableError
            When the database cannot be reached; those of before stay.
        """
        self._brakes = all_brakes(self._database)

    @property
    def brake(self) -> Brake | None:
        """What keeps the model that answers from accepting as it promises."""
        return self._brake_on(self.model)

    def _brake_on(self, model: ProductClassifier) -> Brake | None:
        return self._brakes.get(model.version_[:NAME_LENGTH])

    def _decide(self, model: ProductClassifier, listings: Sequence[Listing]) -> list[Prediction]:
        predictions, brake = model.decide(listings), self._brake_on(model)
        return predictions if brake is None else [braked(one, brake) for one in predictions]

    def _keep(
        self, stored: Sequence[StoredPrediction], allowed: Callable[[Connection], bool] | None = None
    ) -> bool:
        answered = [one for one in stored if one.code]
        try:
            kept = self._write(answered, allowed)
        except IntegrityError:  # somebody who asked was deleted meanwhile; what they asked stays
            with self._database.read() as connection:
                there = {user.id for user in list_users(connection)}
            known = [one if one.user_id in there else replace(one, user_id=None) for one in answered]
            kept = self._write(known, allowed)
        if kept:
            self._observe(answered)
        return kept

    def _write(self, rows: Sequence[StoredPrediction], allowed: Callable[[Connection], bool] | None) -> bool:
        words = words_of(rows)
        with self._database.write() as connection:
            if allowed is not None and not allowed(connection):
                return False
            add_predictions(connection, _ranked(connection, rows), words)
        return True

    def _stored(
        self, question: Question, prediction: Prediction, user_id: str | None, version: str
    ) -> StoredPrediction:
        listing = question.listing
        drawn = self._chance() < self._audit_share
        queued_for: Queue | None = (
            "audit" if drawn else ("review" if prediction.decision == "review" else None)
        )
        return StoredPrediction(
            id=new_id(),
            created_at=datetime.now(UTC),
            user_id=user_id,
            designation=_storable(listing.designation),
            description=_storable(listing.description),
            productid=_storable(listing.productid)[:200],
            imageid=_storable(listing.imageid)[:200],
            image=question.image,
            code=prediction.code,
            label=prediction.label,
            confidence=prediction.confidence,
            decision=prediction.decision,
            reason=prediction.reason,
            threshold=prediction.threshold,
            modalities=list(prediction.modalities),
            degraded=prediction.degraded,
            alternatives=[asdict(alternative) for alternative in prediction.alternatives],
            scores={name: asdict(score) for name, score in prediction.scores.items()},
            error=prediction.error,
            model_version=version,
            queued_for=queued_for,
            audit_probability=self._audit_share,
            priority=_uncertainty(prediction) if queued_for else None,
            near_key=near_key(listing, question.image) if queued_for else None,
        )


def _uncertainty(prediction: Prediction) -> float:
    """From 0 to 1, where the first two codes are as likely as each other."""
    return min(1.0, max(0.0, 2 * (1 - prediction.score)))


def _ranked(connection: Connection, rows: Sequence[StoredPrediction]) -> list[StoredPrediction]:
    """Say of each that is queued which of its near-duplicates it is: a second look at the same tells less."""
    ranks = next_near_ranks(connection, [row.near_key for row in rows if row.near_key is not None])
    ranked = []
    for row in rows:
        if row.near_key is None or row.priority is None:
            ranked.append(row)
            continue
        rank = ranks[row.near_key]
        ranks[row.near_key] += 1
        ranked.append(replace(row, near_rank=rank, priority=row.priority / (1 + rank)))
    return ranked


def _storable(text: str) -> str:
    return text.replace("\0", "")  # PostgreSQL keeps none
