"""What holds for every request: room to answer it, limits to its body, and an end once the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rayon.serving.admission import QUEUED, Admission
from rayon.serving.problems import HINTS, render

ALIVE = "/health/live"
PATIENCE = 30.0
"""Seconds that a client may be silent before its request is whole."""

FULL = ("As many listings are waiting already as can be answered in time.", "Try again in a moment")
"""What is said, with a hint, to whoever asks then."""


class RequestLimits:
    """Refuse at once what cannot be answered, and stop reading a body at its limit.

    Refusals are made here, before anything is parsed or looked up, so that they stay cheap under overload.

    Parameters
    ----------
    app
        The application.
    max_body
        Bytes of a body that are read, by path.
    admission
        Counts the requests that wait for the model.
    is_full
        Whether another of them could not be answered in time.
    stopping
        Whether the server stops; that it lives is said all the same.
    patience
        Seconds that a client may leave between two pieces of a body.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_body: Callable[[str], int],
        admission: Admission,
        is_full: Callable[[], bool],
        stopping: Callable[[], bool],
        patience: float,
    ) -> None:
        self._app = app
        self._max_body = max_body
        self._admission = admission
        self._is_full = is_full
        self._stopping = stopping
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            status, detail, hint, headers = refusal
            request_id = scope["rayon_request_id"]
            answer = render(status, detail, hint, request_id=request_id, headers=headers)
            await answer(scope, receive, send)
            return
        with self._admission if (scope["method"], scope["path"]) in QUEUED else nullcontext():
            await self._app(scope, self._limited(scope, receive), send)

    def _refusal(self, scope: Scope) -> tuple[int, str, str, dict[str, str]] | None:
        if self._stopping() and scope["path"] != ALIVE:
            wait = {"Retry-After": "1", "Connection": "close"}
            return 503, "The server is stopping.", "Ask another process, or again in a moment", wait
        limit = self._max_body(scope["path"])
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if announced.isdigit() and int(announced) > limit:
            return 413, _too_long(limit), HINTS[413], {}
        if (scope["method"], scope["path"]) in QUEUED and self._is_full():
            return 503, *FULL, {"Retry-After": "1"}
        return None

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        seen, limit, whole = 0, self._max_body(scope["path"]), False

        async def limited() -> Message:
            nonlocal seen, whole
            if whole:  # what comes now is that the client has gone, however long that takes
                return await receive()
            try:
                async with asyncio.timeout(self._patience):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"The body did not go on for {self._patience:g} s.") from None
            seen += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if seen > limit:
                raise HTTPException(413, _too_long(limit))
            return message

        return limited


def _too_long(limit: int) -> str:
    return f"The body is longer than {limit:,} bytes."
