"""Connections: those that stay silent end, and requests for which there is no room are refused unparsed.

Under heavy overload even parsing a request only to refuse it would take the time that the admitted ones need.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from rayon.serving.admission import QUEUED
from rayon.serving.limits import FULL, PATIENCE
from rayon.serving.problems import render

_STARTS = tuple(f"{method} {path}{end}".encode() for method, path in QUEUED for end in (" ", "?"))
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+) *(?:\r\n|$)", re.IGNORECASE)
_LINGER_SECONDS = 2.0


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # one of several, by what is installed
    """A connection of a client; use `connection_class`."""

    patience = PATIENCE
    full: Callable[[], bool]
    refused: Callable[[str, str, int], None]

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for the head of a request; `RequestLimits` watches over the bodies."""
        super().connection_made(transport)
        self._ending = False
        self.loop.call_later(self.patience, self._end_silence)

    def data_received(self, data: bytes) -> None:
        """Refuse a request for which there is no room, or pass it on."""
        if self._ending:
            return
        between = self.cycle is None or self.cycle.response_complete
        if between and self.full() and data.startswith(_STARTS):
            self._refuse(data)
        else:
            super().data_received(data)

    def _refuse(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        whole = length is not None and int(length[1]) == len(body)
        request_id = secrets.token_hex(8).encode()
        self.transport.write(_REFUSALS[not whole].replace(_NO_ID, request_id))
        method, path = data[:60].decode("ascii", "replace").split(" ", 2)[:2]
        self.refused(method, path.partition("?")[0], 503)
        if not whole:
            # What is still to come is read and dropped for a moment: a reset would take the answer with it.
            self._ending = True
            self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _end_silence(self) -> None:
        if self.cycle is None:
            self.transport.close()


def connection_class(
    patience: float, full: Callable[[], bool], refused: Callable[[str, str, int], None]
) -> type[Connection]:
    """Make the class of a server's connections.

    Parameters
    ----------
    patience
        Seconds within which the head of a connection's first request has to come.
    full
        Whether there is no room for another request that waits for the model.
    refused
        Told method, path and status of a request that was refused here.
    """
    own = {"patience": patience, "full": staticmethod(full), "refused": staticmethod(refused)}
    return type("OwnConnection", (Connection,), own)


def _make_refusal(close: bool) -> bytes:
    answer = render(503, *FULL, request_id=_NO_ID.decode())
    head = [
        "HTTP/1.1 503 Service Unavailable",
        f"content-type: {answer.media_type}",
        f"content-length: {len(answer.body)}",
        "retry-after: 1",
        f"x-request-id: {_NO_ID.decode()}",
        *(["connection: close"] if close else []),
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + bytes(answer.body)


_NO_ID = b"0" * 16
_REFUSALS = {close: _make_refusal(close) for close in (False, True)}
"""Made once, but for the id of the request."""
