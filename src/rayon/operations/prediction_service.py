"""The queue before the model: one listing at a time for those who ask, small batches for the model.

Callers put listings into a bounded queue. One thread takes what has gathered, classifies it together, stores
all of it in one transaction, and only then lets the callers have their answers: so whatever was answered is
stored, and the more is asked at once, the cheaper each answer becomes.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from rayon.errors import OverloadedError
from rayon.operations.prediction_recorder import PredictionRecorder, Question
from rayon.store.predictions import StoredPrediction

MAX_WAITING = 64
"""Listings that may wait, two batches of the model; more are refused at once."""

_BATCH = 32
_STOP = None


@dataclass(frozen=True)
class _Asked:
    questions: Sequence[Question]
    user_id: str | None
    answer: Future[list[StoredPrediction]] = field(default_factory=Future)


class PredictionService:
    """Answer from any number of threads, by one that classifies and stores.

    Parameters
    ----------
    recorder
        Classifies and stores; used by one thread.
    max_waiting
        Listings that may wait.
    """

    def __init__(self, recorder: PredictionRecorder, max_waiting: int = MAX_WAITING) -> None:
        self.recorder = recorder
        self._max_waiting = max_waiting
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

    @property
    def is_full(self) -> bool:
        """Whether no other listing may wait."""
        return self._closed or self._waiting >= self._max_waiting

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
            stored = self.recorder.record(
                [question for asked in batch for question in asked.questions],
                [asked.user_id for asked in batch for _ in asked.questions],
            )
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

    def _leave(self, asked: _Asked) -> None:
        with self._lock:
            self._waiting -= len(asked.questions)
