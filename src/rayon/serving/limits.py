"""What holds for every request: room to answer it, limits to its body, and an end once the server stops."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rayon.serving.admission import QUEUED, Admission
from rayon.serving.problems import HINTS, render

ALIVE = "/health/live"
PATIENCE = 30.0
"""Seconds that a client may be silent before its request is whole."""

_SHORT = 65_536
"""Bytes of a body that may as well be read to their end."""

_PLACE_SECONDS = 0.25
"""How long a request keeps its place without being whole."""

_LINGER_SECONDS = 1.0
_LINGER_BYTES = 8 * 1024 * 1024
_CHARSET = re.compile(rb'charset="?([^";,\s]*)', re.IGNORECASE)

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
            answer = render(Request(scope), status, detail, hint, headers=headers)
            await answer(scope, receive, send)
            return
        body = _Body(scope, receive, self._max_body(scope["path"]), self._patience)
        send = body.closing(send)
        if (scope["method"], scope["path"]) in QUEUED:
            await self._answer_in_place(scope, body, send)
        else:
            await self._app(scope, body.receive, send)

    async def _answer_in_place(self, scope: Scope, body: _Body, send: Send) -> None:
        """Take a place while the request is under way, but not while its client is slow to send it."""
        place = self._admission.place()
        place.take()
        slow = asyncio.get_running_loop().call_later(_PLACE_SECONDS, place.leave)

        def whole() -> None:
            slow.cancel()
            place.take()

        async def leaving(message: Message) -> None:
            place.leave()  # before the client has the answer, so that there is room for its next request
            await send(message)

        body.on_whole = whole
        try:
            await self._app(scope, body.receive, leaving)
        finally:
            slow.cancel()
            place.leave()

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
        kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        charset = _CHARSET.search(kind)
        if charset is not None and charset[1].lower() not in (b"utf-8", b"utf8"):
            return 415, "Only UTF-8 can be read.", "Leave the charset out, or say utf-8", {}
        return None


class _Body:
    """The body of a request: read to its limit, and not at all once the request is answered."""

    def __init__(self, scope: Scope, receive: Receive, limit: int, patience: float) -> None:
        self._receive = receive
        self._limit = limit
        self._patience = patience
        self._seen = 0
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"0")
        self._long = b"transfer-encoding" in headers or int(announced if announced.isdigit() else 0) > _SHORT
        self._whole = False
        self.on_whole: Callable[[], None] = lambda: None

    async def receive(self) -> Message:
        if self._whole:  # what comes now is that the client has gone, however long that takes
            return await self._receive()
        try:
            async with asyncio.timeout(self._patience):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, f"The body did not go on for {self._patience:g} s.") from None
        self._seen += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._seen > self._limit:
            raise HTTPException(413, _too_long(self._limit))
        if self._whole:
            self.on_whole()
        return message

    def closing(self, send: Send) -> Send:
        """Have the connection closed where the answer comes before the body has ended.

        Otherwise the server would read on to the end, which may never come.
        """
        closes = False

        async def closing(message: Message) -> None:
            nonlocal closes
            if message["type"] == "http.response.start" and self._long and not self._whole:
                closes = True
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if closes and last:
                await send({**message, "more_body": True})
                await self._linger()
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        return closing

    async def _linger(self) -> None:
        """Drop for a moment what still comes: a reset would take the answer with it."""
        left = _LINGER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while left > 0 and (message := await self._receive()).get("more_body", False):
                    left -= len(message["body"])


def _too_long(limit: int) -> str:
    return f"The body is longer than {limit:,} bytes."
