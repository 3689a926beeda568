"""Clients that hold on to connections without ever finishing a request."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from rayon.serving.app import create_app
from rayon.serving.server import Server, listen
from rayon.serving.services import Services

URL = "/api/v1/predictions"
PATIENCE = 2.0


@pytest.fixture
def listening(served: Services) -> Iterator[tuple[str, int]]:
    """A server with little patience."""
    listening, ready = listen("127.0.0.1", 0), threading.Event()
    app = create_app(served, patience=PATIENCE)
    server = Server(app, served, drain_seconds=0, ready=ready.set, patience=PATIENCE)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    assert ready.wait(30)
    yield listening.getsockname()[:2]
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.proof
def test_200_slow_clients_keep_nobody_waiting_and_are_cut_off(
    served: Services, listening: tuple[str, int]
) -> None:
    _, secret = served.accounts.create_key("client", "test", "test")
    head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n".encode()
    body = b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(listening)) for _ in range(200)]
        for number, connection in enumerate(slow):
            connection.settimeout(60)
            connection.sendall((b"", head[:20], head, head + body)[number % 4])
        headers = {"Authorization": f"Bearer {secret}"}
        address = f"http://{listening[0]}:{listening[1]}"
        with httpx.Client(base_url=address, headers=headers, timeout=30) as client:
            begin = time.monotonic()
            for _ in range(5):
                assert client.post(URL, json={"designation": "Lampe"}).status_code == 200
            answered_while_they_wait = time.monotonic() - begin < PATIENCE
            ends = [_everything(connection) for connection in slow]
            assert client.get("/health/ready").status_code == 200
    if answered_while_they_wait:  # a machine that is too busy proves nothing by this
        assert ends[:2] == [b"", b""]
    told = 0
    for number, end in enumerate(ends):
        if number % 4 == 3 and end.startswith(b"HTTP/1.1 408 "):  # its head was whole, so it is told why
            assert b"The body did not go on for 2 s." in end
            told += 1
        else:  # so many at once may be too many
            assert end == b"" or (number % 4 > 1 and end.startswith(b"HTTP/1.1 503 "))
    assert told > 0


def _everything(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    return received
