"""What holds for every request: a limit to its body, and a refusal once the server stops."""

from __future__ import annotations

from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rayon.serving.problems import HINTS, render

ALIVE = "/health/live"


class RequestLimits:
    """Stop reading a body at its limit, and refuse requests once the server stops.

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
        request_id = scope["rayon_request_id"]
        seen, limit = 0, self._max_body(scope["path"])
        detail = f"The body is longer than {limit:,} bytes."

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413, detail)
            return message

        announced = headers.get(b"content-length", b"0")
        if self._stopping() and scope["path"] != ALIVE:
            hint = "Ask another process, or again in a moment"
            wait = {"Retry-After": "1", "Connection": "close"}
            answer = render(503, "The server is stopping.", hint, request_id=request_id, headers=wait)
            await answer(scope, receive, send)
        elif announced.isdigit() and int(announced) > limit:
            answer = render(413, detail, HINTS[413], request_id=request_id)
            await answer(scope, receive, send)
        else:
            await self._app(scope, limited, send)
