"""Counters and times for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rayon.store.predictions import StoredPrediction

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))
_CONFIDENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


class Metrics:
    """What one process counts.

    Parameters
    ----------
    waiting
        Tells how many listings wait or are being answered.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
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
        gauge = Gauge("rayon_waiting", "Listings that wait or are being answered", registry=self._registry)
        gauge.set_function(waiting)

    def count_rejected_images(self, n: int) -> None:
        """Count pictures that could not be used."""
        self._rejected.inc(n)

    def count_predictions(self, stored: Iterable[StoredPrediction]) -> None:
        """Count what was answered."""
        for one in stored:
            if one.code:
                self._predictions.labels(one.code, one.decision, one.model_version[:12]).inc()
                self._confidence.observe(one.confidence)

    def count_request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request by its endpoint, never by the address that was asked for."""
        self._requests.labels(method if method in _METHODS else "other", path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def render(self) -> bytes:
        """Write all of it in the text format of Prometheus."""
        return generate_latest(self._registry)


class RequestMetrics:
    """Time every request.

    Parameters
    ----------
    app
        The application.
    metrics
        Where to count.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._metrics.count_request(
                scope["method"], _endpoint(scope), status, time.perf_counter() - begin
            )


def _endpoint(scope: Scope) -> str:
    """The address with the names of its parameters, so that there are as many as there are endpoints."""
    if "endpoint" not in scope:
        return "other"
    path: str = scope["path"]
    for name, value in scope.get("path_params", {}).items():
        before, _, after = path.rpartition(f"/{value}")
        path = f"{before}/{{{name}}}{after}"
    return path
