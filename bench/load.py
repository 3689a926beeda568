"""The service under load: throughput and latency by number of clients, against the ceiling of the same run.

The ceiling is one listing at a time through the model and one committed INSERT, in one thread. Run as
``python -m bench.load [--requests N] [--database URL]`` from the repository's root; it trains a small model
on the sample catalogue, starts the real server, and asks it from a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from rayon.data.listings import Listing
from rayon.data.loading import read_catalogue
from rayon.data.sample import make_sample
from rayon.learning.model import ProductClassifier
from rayon.operations.accounts import Accounts
from rayon.operations.prediction_recorder import PredictionRecorder, Question
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.schema import upgrade_schema

CLIENTS = (1, 8, 64)
CEILING_LISTINGS = 400


def measure(requests: int, database: str | None) -> dict[str, Any]:
    """Throughput, percentiles of the latency and the ratio to the ceiling, by kind of listing and clients."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_sample(home / "shop", 1500, seed=0)
        catalogue = read_catalogue(home / "shop", codes="required")
        ProductClassifier().fit(catalogue.listings, catalogue.codes or []).save(home / "model")
        url = database or f"sqlite:///{home / 'rayon.db'}"
        kinds = _kinds(catalogue.listings)
        secret = _account(url)
        found: dict[str, Any] = {"database": url.partition(":")[0]}
        for kind, listings in kinds.items():
            ceiling = _ceiling(home, url, listings)
            found[kind] = {"ceiling_per_second": round(ceiling, 1)}
            for clients in CLIENTS:
                figures = _serve(home, url, secret, listings, clients, requests)
                figures["ratio_to_ceiling"] = round(figures["per_second"] / ceiling, 3)
                found[kind][clients] = figures
                print(kind, clients, figures, file=sys.stderr, flush=True)
    return found


def _kinds(listings: Sequence[Listing]) -> dict[str, list[Listing]]:
    whole = [one for one in listings if one.designation and isinstance(one.image, Path)][:CEILING_LISTINGS]
    loaded = [
        Listing(one.designation, one.description, one.image.read_bytes())
        for one in whole
        if isinstance(one.image, Path) and one.image.is_file()
    ]
    return {
        "text": [Listing(one.designation, one.description) for one in loaded],
        "image": [Listing(image=one.image) for one in loaded],
        "both": loaded,
    }


def _account(url: str) -> str:
    database = Database(url)
    upgrade_schema(database)
    accounts = Accounts(database)
    if not accounts.users():
        accounts.create("bench", os.urandom(16).hex(), "client", "bench")
    _, secret = accounts.create_key("bench", "load", "bench")
    database.close()
    return secret


def _ceiling(home: Path, url: str, listings: Sequence[Listing]) -> float:
    """Listings a second in one thread: classified one at a time, each stored by a transaction of its own."""
    database = Database(url)
    model = ProductClassifier.load(home / "model", threads=1)
    recorder = PredictionRecorder(model, database, FolderImageStore(home / "ceiling-images"))
    for listing in listings[:20]:
        recorder.record([Question(listing)], [None])
    begin = time.perf_counter()
    for listing in listings:
        recorder.record([Question(listing)], [None])
    seconds = time.perf_counter() - begin
    database.close()
    return len(listings) / seconds


def _serve(
    home: Path, url: str, secret: str, listings: Sequence[Listing], clients: int, requests: int
) -> dict[str, Any]:
    server = subprocess.Popen(
        [sys.executable, "-m", "rayon", "serve", "--model", str(home / "model"), "--port", "0"],
        env={**os.environ, "RAYON_HOME": str(home), "RAYON_DATABASE": url, "COLUMNS": "300"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        line = next(line for line in server.stderr if line.startswith("Serving on "))
        return asyncio.run(_load(line.split()[2], secret, listings, clients, requests))
    finally:
        server.terminate()
        server.wait(60)


async def _load(
    address: str, secret: str, listings: Sequence[Listing], clients: int, requests: int
) -> dict[str, Any]:
    bodies = [_request(address, secret, listing) for listing in listings]
    warm = max(clients, 50)
    await _ask(address, bodies, clients, warm)
    begin = time.perf_counter()
    answers = await _ask(address, bodies, clients, requests)
    seconds = time.perf_counter() - begin
    good = np.array([latency for status, latency in answers if status == 200]) * 1e3
    p50, p95, p99 = np.percentile(good, [50, 95, 99])
    return {
        "per_second": round(len(good) / seconds, 1),
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "p99_ms": round(float(p99), 2),
        "refused": sum(status != 200 for status, _ in answers),
    }


async def _ask(address: str, bodies: Sequence[bytes], clients: int, total: int) -> list[tuple[int, float]]:
    answers: list[tuple[int, float]] = []
    numbers = iter(range(total))

    async def client() -> None:
        parts = urlsplit(address)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for number in numbers:
            begin = time.perf_counter()
            writer.write(bodies[number % len(bodies)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            await reader.readexactly(length)
            answers.append((int(head.split(b" ")[1]), time.perf_counter() - begin))
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    await asyncio.gather(*(client() for _ in range(clients)))
    return answers


def _request(address: str, secret: str, listing: Listing) -> bytes:
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3000, help="for each kind and number of clients")
    parser.add_argument("--database", help="address of an empty database; SQLite in a file where not given")
    options = parser.parse_args()
    print(json.dumps(measure(options.requests, options.database), indent=2))
