"""The server process: says when it is ready, and ends without losing a request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from rayon.errors import AddressError
from rayon.serving.connections import connection_class
from rayon.serving.limits import PATIENCE
from rayon.serving.services import Services

ANSWER_SECONDS = 30
"""How long running requests have to end once the server stops."""


def listen(host: str, port: int) -> socket.socket:
    """Take an address; port 0 takes any that is free.

    Raises
    ------
    AddressError
        When it is taken, or not one of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise AddressError(
            f"The address {host}:{port} cannot be used ({error.strerror})",
            "Choose another with --host or --port",
        ) from None
    # Connections inherit it. Without, each answer's body would wait for the client to acknowledge its head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address_of(listening: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class Server(uvicorn.Server):
    """Serve until SIGTERM or Ctrl-C.

    Then new requests are refused with 503 and their connections closed for ``drain_seconds``, so that whoever
    distributes requests goes elsewhere; running ones are answered; and only then the sockets close.

    Parameters
    ----------
    app
        The application.
    services
        Behind it.
    drain_seconds
        How long new requests are refused before the sockets close.
    ready
        Called once requests are answered.
    patience
        Seconds within which the head of a connection's first request has to come.
    """

    def __init__(
        self,
        app: FastAPI,
        services: Services,
        *,
        drain_seconds: float = 1.0,
        ready: Callable[[], None] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=connection_class(
                    patience, services.admission, services.is_full, services.metrics.count_refusal
                ),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=ANSWER_SECONDS,
            )
        )
        self._services = services
        self._drain_seconds = drain_seconds
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self._ready is not None:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse what is new, answer what is running, and close."""
        self._services.stopping.set()
        if not self.force_exit:
            await asyncio.sleep(self._drain_seconds)
        await super().shutdown(sockets)
