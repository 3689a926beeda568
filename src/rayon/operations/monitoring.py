"""Monitoring: how good the live service is, whether its promise is kept, and what has changed.

Quality is estimated from the random audit and from strata that were reviewed throughout, never from what
reviewers happened to look at. What there is too little data for raises no alarm; the report says what is
missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rayon.errors import RayonError
from rayon.learning.crossfit import Progress
from rayon.learning.curves import ReliabilityBin, reliability_curve
from rayon.learning.drift import DriftReport, judge_drift, pair_signals
from rayon.learning.histograms import SignalCounts
from rayon.learning.live_estimates import LiveEstimate, estimate_live
from rayon.learning.model_files import ModelReader
from rayon.learning.promise import PromiseCheck, promise_check
from rayon.learning.reference import Reference
from rayon.learning.storage import read_reference, read_taxonomy
from rayon.operations.attention import Attention, MonitoringThresholds, attention_of, missing_data
from rayon.operations.brake import brake_of
from rayon.operations.live_window import LiveWindow
from rayon.operations.registry import NAME_LENGTH
from rayon.store.brakes import Brake
from rayon.store.database import Database
from rayon.store.images import ImageStore
from rayon.store.monitoring import add_run
from rayon.store.windows import waiting_for_review

TRAINING, BEFORE = "training", "the window before"
DOCUMENT_FORMAT = 1
"""Raised by one whenever a page or program could no longer read older journal entries alike."""

_READING, _MEASURING = "Reading predictions", "Measuring listings"
_BINS = 10
_LONGEST = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class MonitoringReport:
    """What a look at the live service found.

    Parameters
    ----------
    at
        When.
    model, version
        The model that was looked at: its name, and its whole version.
    window
        The predictions.
    waiting
        How many predictions wait for a person, of whatever time.
    trained
        Weighted F1, share of accepted listings and their precision as training's cross-fitting saw them.
    quality
        What the audit says of the window.
    promise
        Whether the promised precision is kept; ``None`` where nothing was promised.
    reliability
        Confidence against the share that is right, of audited predictions.
    drift
        What has changed; ``None`` where the model is too old to know its training listings.
    brake
        What keeps the model from accepting; ``None`` where nothing does.
    attention
        What a person should look at.
    missing
        What could not be judged, and how much data it takes.
    codes
        Code and label of each class index.
    """

    at: datetime
    model: str
    version: str
    window: LiveWindow
    waiting: int
    trained: Mapping[str, Any]
    quality: LiveEstimate
    promise: PromiseCheck | None
    reliability: tuple[ReliabilityBin, ...]
    drift: DriftReport | None
    brake: Brake | None
    attention: tuple[Attention, ...]
    missing: tuple[str, ...]
    codes: Sequence[tuple[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        window = self.window
        n = len(window)
        quality = self.quality.to_dict()
        for one in quality["codes"]:
            one["code"], one["label"] = self.codes[one.pop("index")]
        return {
            "format": DOCUMENT_FORMAT,
            "at": self.at.isoformat(timespec="seconds"),
            "model": self.model,
            "version": self.version,
            "since": window.since.isoformat(timespec="seconds"),
            "until": window.until.isoformat(timespec="seconds"),
            "volume": {
                "predictions": n,
                "of_this_model": len(window.sample),
                "accepted": window.accepted,
                "acceptance_rate": window.accepted / n if n else None,
                "degraded": window.degraded,
                "waiting_for_review": self.waiting,
                "days": [
                    {"day": day, "predictions": made, "accepted": accepted}
                    for day, (made, accepted) in window.days.items()
                ],
            },
            "trained": dict(self.trained),
            "quality": quality,
            "promise": self.promise.to_dict() if self.promise else None,
            "reliability": [asdict(one) for one in self.reliability],
            "drift": self.drift.to_dict() if self.drift else None,
            "brake": {**asdict(self.brake), "at": self.brake.at.isoformat()} if self.brake else None,
            "attention": [asdict(one) for one in self.attention],
            "missing": list(self.missing),
        }


class Monitor:
    """Look at what a model has answered.

    Parameters
    ----------
    database, images
        Where predictions and pictures are.
    folder
        Of the model that is looked at: the champion, or one that is pinned.
    thresholds
        When something needs attention.
    threads
        Workers that decode pictures.
    """

    def __init__(
        self,
        database: Database,
        images: ImageStore,
        folder: Path,
        *,
        thresholds: MonitoringThresholds | None = None,
        threads: int | None = None,
    ) -> None:
        self._database = database
        self._images = images
        self._thresholds = thresholds or MonitoringThresholds()
        self._threads = threads
        reader = ModelReader(folder)
        self.version = reader.fingerprint()
        self.model = self.version[:NAME_LENGTH]
        self._document = reader.model
        self._taxonomy = read_taxonomy(reader)
        self._reference = read_reference(reader)

    def look(
        self,
        actor: str,
        progress: Progress,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        note: bool = True,
    ) -> MonitoringReport:
        """Look at a window, and note in the journal what was found.

        Parameters
        ----------
        actor
            Who looks, for the journal.
        progress
            Told how far each stage is.
        since, until
            Ends of the window; the last 30 days where they are not given.
        note
            Whether to note it.

        Raises
        ------
        RayonError
            When the window ends before it begins, or is longer than ten years.
        """
        now = datetime.now(UTC)
        until = until or now
        since = since or until - self._thresholds.window
        if since >= until:
            raise RayonError(
                f"A window from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} is empty",
                "Give a moment that lies before the end of the window",
            )
        if until - since > _LONGEST:
            raise RayonError(f"A window from {since:%Y-%m-%d} is too long", "Look at ten years at the most")
        progress(_READING, 0, 2)
        window = self._read(since, until)
        progress(_READING, 1, 2)
        before = self._read(since - (until - since), since)
        progress(_READING, 2, 2)
        report = self._judge(now, window, before, progress)
        if not note:
            return report
        with self._database.write() as connection:
            add_run(connection, now, actor, self.model, len(report.attention), report.to_dict())
        return report

    def _read(self, since: datetime, until: datetime) -> LiveWindow:
        return LiveWindow.read(self._database, since, until, self.version, self._taxonomy.codes)

    def _judge(
        self, now: datetime, window: LiveWindow, before: LiveWindow, progress: Progress
    ) -> MonitoringReport:
        asked = self._thresholds
        quality = estimate_live(window.sample, len(self._taxonomy.codes))
        promised = self._document["promise"]
        promise = None
        if promised["threshold"] is not None:
            promise = promise_check(
                quality.accepted_right, quality.accepted_labelled, promised["precision"], asked.promise
            )
        drift = self._drift(window, before, progress)
        trained = _trained(self._document)
        brake = brake_of(self._database, self.model)
        audited = window.sample.drawn & window.sample.validated
        with self._database.read() as connection:
            waiting = waiting_for_review(connection)
        return MonitoringReport(
            at=now,
            model=self.model,
            version=self.version,
            window=window,
            waiting=waiting,
            trained=trained,
            quality=quality,
            promise=promise,
            reliability=reliability_curve(
                window.sample.confidence[audited], window.sample.right[audited], _BINS
            ),
            drift=drift,
            brake=brake,
            attention=attention_of(promise, quality, trained["weighted_f1"], drift, brake, asked),
            missing=missing_data(quality, promise, drift),
            codes=[(one.code, one.label()) for one in self._taxonomy],
        )

    def _drift(self, window: LiveWindow, before: LiveWindow, progress: Progress) -> DriftReport | None:
        reference = self._reference
        if reference is None:
            return None
        progress(_MEASURING, 0, 2)
        live = self._signals(window, reference)
        progress(_MEASURING, 1, 2)
        earlier = self._signals(before, reference)
        progress(_MEASURING, 2, 2)
        pairs = pair_signals(live, {TRAINING: reference.counts, BEFORE: earlier})
        return judge_drift(pairs, self._thresholds.drift)

    def _signals(self, window: LiveWindow, reference: Reference) -> SignalCounts:
        return window.signals(self._database, self._images, reference, threads=self._threads)


def _trained(document: Mapping[str, Any]) -> dict[str, Any]:
    fused = document["figures"]["modalities"]["fused"]
    names = ("weighted_f1", "accuracy", "coverage", "accepted_precision")
    return {name: fused[name] for name in names} | {"promised": document["promise"]["precision"]}
