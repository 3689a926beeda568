"""More requests than can be answered: the others are refused at once, and those under way are answered."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import text

from rayon.serving.admission import Admission
from rayon.serving.app import create_app
from rayon.serving.server import Server, address_of, listen
from rayon.serving.services import Services
from rayon.store.database import Database

URL = "/api/v1/predictions"
LAMP = {"designation": "Lampe"}


@pytest.fixture
def small(served: Services) -> Services:
    """A service with room for two requests."""
    return replace(served, admission=Admission(2))


@pytest.fixture
def client(small: Services) -> Iterator[httpx.Client]:
    listening, ready = listen("127.0.0.1", 0), threading.Event()
    server = Server(create_app(small), small, drain_seconds=0, ready=ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    assert ready.wait(30)
    _, secret = small.accounts.create_key("client", "test", "test")
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=address_of(listening), headers=headers, timeout=60) as client:
        yield client
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


@contextmanager
def held(database: Database) -> Iterator[None]:
    """Keep the service from storing predictions, and so from answering."""
    with database.write() as connection:
        if not database.is_sqlite:  # SQLite has one writer at a time anyway
            connection.execute(text("LOCK TABLE predictions IN EXCLUSIVE MODE"))
        yield


def check_refusal(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["detail"] == "As many listings are waiting already as can be answered in time."
    assert problem["request_id"] == answer.headers["x-request-id"] != "0" * 16


def test_what_has_no_room_is_refused_and_the_rest_answered(
    small: Services, client: httpx.Client, until: Callable[..., None]
) -> None:
    assert client.get("/api/v1/model").status_code == 200  # its key is noted as used: no write later
    with ThreadPoolExecutor(2) as pool:
        with held(small.database):
            asked = [pool.submit(client.post, URL, json=LAMP) for _ in range(2)]
            until(lambda: small.admission.full)
            ids = set()
            for _ in range(50):  # on one connection, which stays open
                refused = client.post(URL, json=LAMP)
                check_refusal(refused)
                assert "connection" not in refused.headers
                ids.add(refused.headers["x-request-id"])
            assert len(ids) == 50
            check_refusal(client.post(f"{URL}/batch?x=1", json={"listings": [LAMP]}))
            large = client.post(URL, files={"image": b"x" * 5_000_000})
            check_refusal(large)
            assert large.headers["connection"] == "close"
            assert client.get(URL).status_code == 200  # nobody waits for the model here
            assert client.get("/health/live").status_code == 200
            assert client.get("/health/ready").status_code == 503
        assert [future.result(60).status_code for future in asked] == [200, 200]
    assert not small.admission.full
    assert client.post(URL, json=LAMP).status_code == 200
    counted = client.get("/metrics").text
    assert f'rayon_requests_total{{method="POST",path="{URL}",status="503"}} 51.0' in counted
    assert len(client.get(URL).json()["items"]) == 3


@pytest.mark.parametrize(
    "odd",
    [
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 50\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Expect: 100-continue\r\nContent-Length: 50\r\n",
        b"",
    ],
)
def test_a_refused_request_whose_end_is_in_doubt_ends_its_connection(
    small: Services, client: httpx.Client, until: Callable[..., None], odd: bytes
) -> None:
    assert client.get("/api/v1/model").status_code == 200
    smuggled = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with ThreadPoolExecutor(2) as pool, held(small.database):
        for _ in range(2):
            pool.submit(client.post, URL, json=LAMP)
        until(lambda: small.admission.full)
        place = (client.base_url.host, client.base_url.port)
        with socket.create_connection(place, timeout=30) as connection:
            connection.sendall(f"POST {URL} HTTP/1.1\r\nHost: x\r\n".encode() + odd + b"\r\n12345" + smuggled)
            received = b""
            while piece := connection.recv(65_536):
                received += piece
    assert received.startswith(b"HTTP/1.1 503 ")
    assert received.count(b"HTTP/1.1") == 1
    assert b"connection: close" in received


def test_clients_that_leave_make_room(
    small: Services, client: httpx.Client, until: Callable[..., None]
) -> None:
    assert client.get("/api/v1/model").status_code == 200
    address = client.base_url
    for _ in range(3):
        with held(small.database):
            for _ in range(2):
                with (
                    httpx.Client(base_url=address, headers=client.headers, timeout=0.3) as hasty,
                    pytest.raises(httpx.ReadTimeout),
                ):
                    hasty.post(URL, json=LAMP)
        until(lambda: not small.is_full())
    assert client.post(URL, json=LAMP).status_code == 200


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_request_that_comes_in_pieces_is_one_request(
    small: Services, client: httpx.Client, pieces: int
) -> None:
    def body() -> Iterator[bytes]:
        whole = b'{"designation": "Lampe"}'
        for start in range(0, len(whole), -(-len(whole) // pieces)):
            yield whole[start : start + -(-len(whole) // pieces)]

    for _ in range(5):
        answer = client.post(URL, content=body(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 200
    assert not small.admission.full
