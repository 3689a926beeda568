"""A lean HTTP client that asks for predictions as fast as clients allow, or at a fixed rate."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from rayon.data.listings import Listing

_MOST_CONNECTIONS = 4000
_LAST_ANSWERS_SECONDS = 30
RETRY_AFTER = 1.0
"""Seconds that the server asks for."""


@dataclass(frozen=True)
class Answer:
    """The status of an answer, and how many seconds it took."""

    status: int
    seconds: float


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: str) -> _Connection:
        parts = urlsplit(address)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    async def ask(self, request: bytes) -> Answer:
        begin = time.perf_counter()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        at = head.lower().index(b"content-length:") + len(b"content-length:")
        await self._reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
        return Answer(int(head[9:12]), time.perf_counter() - begin)

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def ask(address: str, requests: Sequence[bytes], clients: int, total: int) -> list[Answer]:
    """Ask ``total`` times; each client waits for its answer before it asks again."""
    answers: list[Answer] = []
    numbers = iter(range(total))

    async def client() -> None:
        connection = await _Connection.open(address)
        for number in numbers:  # not a comprehension: the numbers are shared, and each waits for its answer
            answer = await connection.ask(requests[number % len(requests)])
            answers.append(answer)
        await connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return answers


async def crowd(address: str, requests: Sequence[bytes], clients: int, seconds: float) -> list[Answer]:
    """Ask from many clients for a while; each waits as long as it is told to after a refusal."""
    answers: list[Answer] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        await asyncio.sleep(number / clients)  # they do not come at the same moment
        connection = await _Connection.open(address)
        while time.perf_counter() < end:
            answer = await connection.ask(requests[number % len(requests)])
            answers.append(answer)
            if answer.status == 503:
                await asyncio.sleep(RETRY_AFTER)
        await connection.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return answers


async def offer(address: str, requests: Sequence[bytes], rate: float, seconds: float) -> list[Answer]:
    """Ask ``rate`` times a second, whether or not earlier answers have come."""
    answers: list[Answer] = []
    idle: list[_Connection] = []
    asking: set[asyncio.Task[None]] = set()

    async def one(request: bytes) -> None:
        connection = idle.pop() if idle else await _Connection.open(address)
        try:
            answer = await connection.ask(request)
        except (asyncio.IncompleteReadError, ConnectionError):  # it was idle for too long
            connection = await _Connection.open(address)
            answer = await connection.ask(request)
        answers.append(answer)
        idle.append(connection)

    begin, number = time.perf_counter(), 0
    while (now := time.perf_counter() - begin) < seconds:
        while number < now * rate and len(asking) < _MOST_CONNECTIONS:
            task = asyncio.create_task(one(requests[number % len(requests)]))
            asking.add(task)
            task.add_done_callback(asking.discard)
            number += 1
        await asyncio.sleep(0.002)
    if asking:
        await asyncio.wait(set(asking), timeout=_LAST_ANSWERS_SECONDS)
    for connection in idle:
        await connection.close()
    return answers


def request_for(address: str, secret: str, listing: Listing) -> bytes:
    """The whole request: a form where there is a picture, JSON otherwise."""
    if isinstance(listing.image, bytes):
        mark = "rayon-bench-boundary"
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in (("designation", listing.designation), ("description", listing.description))
        ]
        parts.append(
            f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n".encode()
            + listing.image
            + f"\r\n--{mark}--\r\n".encode()
        )
        body, kind = b"".join(parts), f"multipart/form-data; boundary={mark}"
    else:
        fields = {"designation": listing.designation, "description": listing.description}
        body, kind = json.dumps(fields).encode(), "application/json"
    head = (
        f"POST /api/v1/predictions HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\n"
        f"Authorization: Bearer {secret}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
