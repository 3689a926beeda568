"""Listings to stored predictions: one at a time for those who ask, in small batches for the model.

Callers put listings into a bounded queue. One thread takes what has gathered, classifies it together, stores
all of it in one transaction, and only then lets the callers have their answers: so whatever was answered is
stored, and the more is asked at once, the cheaper each answer becomes.
"""

from __future__ import annotations

import io
import queue
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from PIL import Image

from rayon.data.image import plain_jpeg
from rayon.data.listings import Listing
from rayon.errors import ImageError, ModelError, OverloadedError
from rayon.learning.model import ProductClassifier
from rayon.learning.prediction import Prediction
from rayon.store.database import Database
from rayon.store.identifiers import new_id
from rayon.store.images import ImageStore
from rayon.store.predictions import StoredPrediction, add_predictions

AUDIT_SHARE = 0.01
"""Share of all predictions that the random audit draws."""

MAX_WAITING = 256
"""Listings that may wait; more are refused at once."""

_BATCH = 32
_STOP = None


@dataclass(frozen=True, slots=True)
class Question:
    """A listing to classify, and the SHA-256 under which its picture is kept, if it has a usable one."""

    listing: Listing
    image: str | None = None


@dataclass(frozen=True)
class _Asked:
    questions: Sequence[Question]
    user_id: str | None
    answer: Future[list[StoredPrediction]] = field(default_factory=Future)


class PredictionService:
    """Classify and store, from any number of threads.

    Parameters
    ----------
    model
        Loaded once; used by one thread.
    database, images
        Where predictions and their pictures are kept.
    audit_share
        Share of all predictions, 0 to 1, that is drawn for review at random.
    max_waiting
        Listings that may wait.
    chance
        Draws the audit by numbers from 0 to 1; the system's randomness where not given.
    """

    def __init__(
        self,
        model: ProductClassifier,
        database: Database,
        images: ImageStore,
        *,
        audit_share: float = AUDIT_SHARE,
        max_waiting: int = MAX_WAITING,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self.model = model
        self._database = database
        self._images = images
        self._audit_share = audit_share
        self._max_waiting = max_waiting
        self._chance = chance or random.SystemRandom().random
        self._queue: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="rayon-predictions", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Listings that wait or are being answered."""
        return self._waiting

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

    def refuse_if_full(self, n: int = 1) -> None:
        """Refuse at once what could not be answered in time.

        Raises
        ------
        OverloadedError
            When too many listings wait already, or the service is stopping.
        """
        with self._lock:
            self._check_room(n)

    def submit(self, questions: Sequence[Question], user_id: str | None) -> Future[list[StoredPrediction]]:
        """Ask for the predictions of some listings; they are stored when the answer is there.

        A listing with nothing to classify is answered by a prediction without a code, and not stored.

        Raises
        ------
        OverloadedError
            When too many listings wait already, or the service is stopping.
        """
        asked = _Asked(questions, user_id)
        with self._lock:
            self._check_room(len(questions))
            self._waiting += len(questions)
        self._queue.put(asked)
        return asked.answer

    def close(self) -> None:
        """Answer what was asked, and stop."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._queue.put(_STOP)
        self._thread.join()

    def _check_room(self, n: int) -> None:
        if self._closed:
            raise OverloadedError("The service is stopping", "Ask another process, or again in a moment")
        # Many listings at once are let in where nobody waits, however few may wait.
        if self._waiting and self._waiting + n > self._max_waiting:
            raise OverloadedError(f"{self._waiting} listings are waiting already", "Try again in a moment")

    def _work(self) -> None:
        stopping = False
        while not stopping:
            batch: list[_Asked] = []
            asked = self._queue.get()
            while asked is not _STOP:
                if asked.answer.set_running_or_notify_cancel():
                    batch.append(asked)
                else:
                    self._leave(asked)
                if sum(len(one.questions) for one in batch) >= _BATCH:
                    break
                try:
                    asked = self._queue.get_nowait()
                except queue.Empty:
                    break
            stopping = asked is _STOP
            if batch:
                self._answer(batch)

    def _answer(self, batch: Sequence[_Asked]) -> None:
        try:
            stored = self._predict(batch)
        except BaseException as error:  # whoever waits must hear of it; the thread goes on
            for asked in batch:
                self._leave(asked)
                asked.answer.set_exception(error)
            return
        position = 0
        for asked in batch:
            mine = stored[position : position + len(asked.questions)]
            position += len(mine)
            self._leave(asked)
            asked.answer.set_result(mine)

    def _predict(self, batch: Sequence[_Asked]) -> list[StoredPrediction]:
        questions = [question for asked in batch for question in asked.questions]
        users = [asked.user_id for asked in batch for _ in asked.questions]
        predictions = self.model.decide([question.listing for question in questions])
        stored = [
            self._stored(question, prediction, user)
            for question, prediction, user in zip(questions, predictions, users, strict=True)
        ]
        with self._database.write() as connection:
            add_predictions(connection, [row for row in stored if row.code])
        return stored

    def _stored(self, question: Question, prediction: Prediction, user_id: str | None) -> StoredPrediction:
        listing = question.listing
        drawn = self._chance() < self._audit_share
        return StoredPrediction(
            id=new_id(),
            created_at=datetime.now(UTC),
            user_id=user_id,
            designation=listing.designation,
            description=listing.description,
            productid=listing.productid,
            imageid=listing.imageid,
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
            model_version=self.model.version_,
            queued_for="audit" if drawn else ("review" if prediction.decision == "review" else None),
            audit_probability=self._audit_share,
        )

    def _leave(self, asked: _Asked) -> None:
        with self._lock:
            self._waiting -= len(asked.questions)


def warm_up(model: ProductClassifier) -> None:
    """Answer one listing for nobody, so that the first to ask does not wait.

    Raises
    ------
    ModelError
        When the model gives no answer.
    """
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(picture, "PNG")
    (prediction,) = model.decide([Listing("warm up", image=picture.getvalue())])
    if not prediction.code:
        raise ModelError(f"The model does not answer ({prediction.error})", "Train it again")
