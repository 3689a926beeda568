"""What holds for every request: an id, and a limit to its body while it streams."""

from __future__ import annotations

import re
import secrets

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rayon.serving.problems import HINTS, render

REQUEST_ID = "X-Request-ID"
_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestLimits:
    """Give every request an id, and stop reading a body at its limit.

    Parameters
    ----------
    app
        The application.
    max_body
        Bytes of a body that are read.
    """

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self._app = app
        self._max_body = max_body
        self._detail = f"The body is longer than {max_body:,} bytes."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id", b""))
        scope["rayon_request_id"] = request_id
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_body:
                raise HTTPException(413, self._detail)
            return message

        async def identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._max_body:
            answer = render(413, self._detail, HINTS[413], request_id=request_id)
            await answer(scope, receive, identified)
        else:
            await self._app(scope, limited, identified)


def _request_id(given: bytes) -> str:
    return given.decode() if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
