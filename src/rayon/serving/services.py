"""What the endpoints work with, made once when the service starts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import Request

from rayon.learning.model import ProductClassifier
from rayon.operations.accounts import Accounts
from rayon.operations.hot_swap import ModelFollower
from rayon.operations.jobs import Jobs
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.prediction_service import MAX_WAITING, PredictionService
from rayon.operations.registry import Registry
from rayon.operations.retrainings import Retrainings
from rayon.operations.sessions import Sessions
from rayon.serving.admission import Admission
from rayon.serving.metrics import Metrics
from rayon.serving.plot_cache import PlotCache
from rayon.serving.questions import Questions
from rayon.store.database import Database
from rayon.store.images import ImageStore


@dataclass(frozen=True)
class Services:
    """The parts behind the endpoints.

    Parameters
    ----------
    exports
        Folder of files that are made to be downloaded; empty but while they are.
    registry
        The models that are kept.
    retrainings
        What retrainings were asked for, and what became of them.
    follower
        Keeps this process on the champion; ``None`` where one model is pinned.
    pinned
        The folder of that one.
    deadline
        Seconds within which a prediction is answered, or refused.
    lease_seconds
        How long a reviewer keeps a listing that they were given.
    stopping
        Set once no new request is to be answered.
    gate_seconds
        Within which the gate judges, or is broken off.
    judging
        Held while the gate judges: once at a time in this process.
    questions
        What pages ask the gate in the background.
    looking
        Held while somebody has the live service looked at, likewise.
    look_failed
        Set where the last look that a page began has failed.
    mirror
        Called when the champion has changed, or a model has come; shows it elsewhere, and makes nobody wait.
    metrics
        What the processes of this service count.
    admission
        How many requests for predictions may be under way.
    plots
        Plots of looks at the live service, which take longer to draw than to keep.
    reports
        Folder of the monthly reports; ``None`` where none are written.
    """

    database: Database
    images: ImageStore
    accounts: Accounts
    predictions: PredictionService
    jobs: Jobs
    exports: Path
    registry: Registry
    retrainings: Retrainings
    follower: ModelFollower | None = None
    pinned: Path | None = None
    deadline: float = 10.0
    lease_seconds: int = 600
    gate_seconds: float = 600.0
    judging: threading.Lock = field(default_factory=threading.Lock)
    questions: Questions = field(default_factory=Questions)
    looking: threading.Lock = field(default_factory=threading.Lock)
    look_failed: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    mirror: Callable[[], None] = lambda: None
    metrics: Metrics = field(default_factory=Metrics)
    admission: Admission = field(default_factory=lambda: Admission(MAX_WAITING))
    plots: PlotCache = field(default_factory=PlotCache)
    reports: Path | None = None

    def is_full(self) -> bool:
        """Whether another request for a prediction could not be answered in time."""
        return self.admission.full or self.predictions.is_full

    @property
    def sessions(self) -> Sessions:
        """Who is signed in with a browser."""
        return Sessions(self.database)

    @property
    def recorder(self) -> PredictionRecorder:
        """What classifies and stores behind the queue."""
        return self.predictions.recorder

    @property
    def model(self) -> ProductClassifier:
        """The model that answers."""
        return self.recorder.model


def services(request: Request) -> Services:
    """The services of the application that got this request."""
    found: Services = request.app.state.services
    return found
