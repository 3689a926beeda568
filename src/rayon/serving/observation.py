"""What is noted of every request: an id, how long it took, and a line in the log."""

from __future__ import annotations

import logging
import re
import secrets
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rayon.serving.metrics import Metrics

_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_QUIET = "/health/"
_LOG = logging.getLogger(__name__)


class RequestObserver:
    """Give every request an id, time it, count it, and log it.

    Headers, queries and bodies are never logged: they hold passwords, keys and what sellers write.

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
        request_id = _request_id(scope)
        scope["rayon_request_id"] = request_id

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, watched)
            finally:
                seconds = time.perf_counter() - begin
                self._metrics.count_request(scope["method"], _endpoint(scope), status, seconds)
                _log(scope, status, seconds)


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)


def _log(scope: Scope, status: int, seconds: float) -> None:
    level = logging.DEBUG if scope["path"].startswith(_QUIET) and status < 500 else logging.INFO
    if not _LOG.isEnabledFor(level):
        return
    client = scope.get("client")
    noted = {
        "method": scope["method"],
        "path": "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in scope["path"][:200]),
        "status": status,
        "milliseconds": round(seconds * 1e3, 2),
        "user": scope.get("rayon_user"),
        "address": client[0] if client else None,
    }
    _LOG.log(level, "request", extra=noted)


def _endpoint(scope: Scope) -> str:
    """The address with the names of its parameters, so that there are as many as there are endpoints."""
    if "endpoint" not in scope:
        return "other"
    path: str = scope["path"]
    for name, value in scope.get("path_params", {}).items():
        before, _, after = path.rpartition(f"/{value}")
        path = f"{before}/{{{name}}}{after}"
    return path
