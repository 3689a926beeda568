"""Connections: those that stay silent end, and requests for which there is no room are refused unparsed.

Under heavy overload even parsing a request only to refuse it would take the time that the admitted ones need.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable

import h11
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from rayon.serving.admission import QUEUED, Admission
from rayon.serving.limits import FULL, PATIENCE
from rayon.serving.problems import render_problem

_STARTS = tuple(f"{method} {path}{end}".encode() for method, path in QUEUED for end in (" ", "?"))
_LENGTH = re.compile(rb"(?<=\r\n)content-length *:[ \t]*(\d{1,15})[ \t]*(?=\r\n)", re.IGNORECASE)
_ODD = (b"transfer-encoding", b"expect:", b"connection: close")
_LINGER_SECONDS = 2.0
_SHORT = 65_536
"""Bytes of a refused body that may as well be read to their end."""


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # one of several, by what is installed
    """A connection of a client; use `connection_class`."""

    patience = PATIENCE
    admission: Admission
    full: Callable[[], bool]
    refused: Callable[[str, str, int], None]

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for the head of a request; `RequestLimits` watches over the bodies."""
        super().connection_made(transport)
        self._ending = self._refused = False
        self._skip = 0
        self.loop.call_later(self.patience, self._end_silence)

    def data_received(self, data: bytes) -> None:
        """Refuse a request for which there is no room, or pass it on."""
        data = self._unskipped(data)
        if self._ending or not data:
            return
        if not (data.startswith(_STARTS) and self._is_between_requests()):
            super().data_received(data)
        elif not self.full():
            # Its own task counts it, but begins only after all that arrived at the same time was looked at.
            place = self.admission.place()
            place.take()
            self.loop.call_soon(place.leave)
            super().data_received(data)
        else:
            self._refuse(data)

    def _is_between_requests(self) -> bool:
        """Whether what comes now is the beginning of a request, by the parser's own account."""
        parser = getattr(self, "conn", None)  # another parser than h11 sees every request to its end
        return parser is not None and parser.their_state is h11.IDLE and not parser.trailing_data[0]

    def _unskipped(self, data: bytes) -> bytes:
        """What is left of the data after the rest of a body whose request was refused."""
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        return data[skipped:] if skipped else data

    def _refuse(self, data: bytes) -> None:
        missing = _missing(data)
        stays = 0 <= missing <= _SHORT
        request_id = secrets.token_hex(8).encode()
        self.transport.write(_REFUSALS[not stays].replace(_NO_ID, request_id))
        method, path = data[:60].decode("ascii", "replace").split(" ", 2)[:2]
        self.refused(method, path.partition("?")[0], 503)
        self._wait_for_the_next()
        if stays:
            self._skip = missing
        else:
            # What is still to come is read and dropped for a moment: a reset would take the answer with it.
            self._ending = True
            self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _wait_for_the_next(self) -> None:
        """Keep the connection for as long as after any other answer."""
        self._refused = True
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _end_silence(self) -> None:
        if self.cycle is None and not self._refused:
            self.transport.close()


def _missing(data: bytes) -> int:
    """How many bytes of a request are still to come; -1 where that cannot be told beyond doubt.

    A guess would take the rest of one request for the next one.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    lengths = _LENGTH.findall(head + b"\r\n")
    odd = any(sign in head.lower() for sign in _ODD) or b" HTTP/1.1\r\n" not in head[:200]
    return int(lengths[0]) - len(body) if end and len(lengths) == 1 and not odd else -1


def connection_class(
    patience: float,
    admission: Admission,
    full: Callable[[], bool],
    refused: Callable[[str, str, int], None],
) -> type[Connection]:
    """Make the class of a server's connections.

    Parameters
    ----------
    patience
        Seconds within which the head of a connection's first request has to come.
    admission
        Counts the requests that wait for the model.
    full
        Whether there is no room for another request that waits for the model.
    refused
        Told method, path and status of a request that was refused here.
    """
    own = {
        "patience": patience,
        "admission": admission,
        "full": staticmethod(full),
        "refused": staticmethod(refused),
    }
    return type("OwnConnection", (Connection,), own)


def _make_refusal(close: bool) -> bytes:
    answer = render_problem(503, *FULL, request_id=_NO_ID.decode())
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
