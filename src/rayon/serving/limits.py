"""What holds for every request: an id, a limit to its body, and a refusal once the server stops."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rayon.serving.problems import HINTS, render

ALIVE = "/health/live"
_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestLimits:
    """Give every request an id, stop reading a body at its limit, and refuse requests once the server stops.

    Parameters
    ----------
    app
        The application.
    max_body
        Bytes of a body that are read, by path.
    stopping
        Whether the server stops; that it lives is said all the same.
    """

    def __init__(self, app: ASGIApp, max_body: Callable[[str], int], stopping: Callable[[], bool]) -> None:
        self._app = app
        self._max_body = max_body
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id", b""))
        scope["rayon_request_id"] = request_id
        seen, limit = 0, self._max_body(scope["path"])
        detail = f"The body is longer than {limit:,} bytes."

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413, detail)
            return message

        async def identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        announced = headers.get(b"content-length", b"0")
        if self._stopping() and scope["path"] != ALIVE:
            hint = "Ask another process, or again in a moment"
            wait = {"Retry-After": "1", "Connection": "close"}
            answer = render(503, "The server is stopping.", hint, request_id=request_id, headers=wait)
            await answer(scope, receive, identified)
        elif announced.isdigit() and int(announced) > limit:
            answer = render(413, detail, HINTS[413], request_id=request_id)
            await answer(scope, receive, identified)
        else:
            await self._app(scope, limited, identified)


def _request_id(given: bytes) -> str:
    return given.decode() if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
