"""Counters and times for Prometheus, added up over the processes of a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from rayon.store.predictions import StoredPrediction

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))
_CONFIDENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder where processes count together; the Prometheus client reads it when it is imported."""


class Metrics:
    """What a process counts, by itself or together with others.

    Parameters
    ----------
    shared
        The folder where several processes count together, as in `SHARED_FOLDER`; ``None`` for one alone.
    """

    def __init__(self, shared: Path | None = None) -> None:
        self._shared = shared
        self._waiting: Callable[[], int] = lambda: 0
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "rayon_requests", "Answered requests", ("method", "path", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "rayon_request_seconds", "Time to answer", ("path",), buckets=_SECONDS, registry=self._registry
        )
        self._predictions = Counter(
            "rayon_predictions",
            "Stored predictions",
            ("code", "decision", "model_version"),
            registry=self._registry,
        )
        self._confidence = Histogram(
            "rayon_confidence",
            "Stated confidence of stored predictions",
            buckets=_CONFIDENCES,
            registry=self._registry,
        )
        self._rejected = Counter(
            "rayon_images_rejected", "Pictures that could not be used", registry=self._registry
        )
        self._queue = Gauge(
            "rayon_waiting",
            "Listings that wait or are being answered",
            registry=self._registry,
            multiprocess_mode="livesum",
        )

    def watch(self, waiting: Callable[[], int]) -> None:
        """Be told by whom to ask how many listings wait."""
        self._waiting = waiting

    def count_rejected_images(self, n: int) -> None:
        """Count pictures that could not be used."""
        self._rejected.inc(n)

    def count_predictions(self, stored: Iterable[StoredPrediction]) -> None:
        """Count what was answered."""
        for one in stored:
            self._predictions.labels(one.code, one.decision, one.model_version[:12]).inc()
            self._confidence.observe(one.confidence)

    def count_request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request by its endpoint, never by the address that was asked for."""
        self._requests.labels(method if method in _METHODS else "other", path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)
        self._queue.set(self._waiting())

    def count_refusal(self, method: str, path: str, status: int) -> None:
        """Count a request that was refused before anything was done for it."""
        self._requests.labels(method, path, str(status)).inc()

    def render(self) -> bytes:
        """Write all of it in the text format of Prometheus."""
        self._queue.set(self._waiting())
        if self._shared is None:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together, str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(together)


def forget_process(shared: Path, pid: int) -> None:
    """Leave out what a process that has ended said of the present; what it counted stays."""
    mark_process_dead(pid, str(shared))  # type: ignore[no-untyped-call]
