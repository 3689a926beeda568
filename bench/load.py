"""The service under load: throughput and latency by number of clients, against the ceiling of the same run.

The ceiling is one listing at a time through the model and one committed INSERT, in one thread. Run as
``python -m bench.load`` from the repository's root; it trains a small model on the sample catalogue, starts
the real server on SQLite and on PostgreSQL, and asks it from a process of its own: from 1, 8 and 64 clients,
then ten times as often as it could answer. ``--memory N`` asks N times more, and watches the memory.
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
from pathlib import Path
from typing import Any

import numpy as np

from bench.load_client import Answer, ask, crowd, offer, request_for
from bench.service import DATABASES, database_url, server
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
OVERLOAD = 10
OVERLOAD_SECONDS = 10
REFUSED_WITHIN_MS = 50
CEILING_LISTINGS = 400


def measure(
    requests: int, databases: Sequence[str], kinds: Sequence[str], memory_requests: int
) -> dict[str, Any]:
    """All figures, by database, kind of listing and number of clients."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_sample(home / "shop", 1500, seed=0)
        catalogue = read_catalogue(home / "shop", codes="required")
        ProductClassifier().fit(catalogue.listings, catalogue.codes or []).save(home / "model")
        listings = _kinds(catalogue.listings)
        for database in databases:
            with database_url(database, home) as url:
                if url is None:
                    continue
                secret = _account(url)
                found[database] = {}
                for kind in kinds:
                    found[database][kind] = _measure_kind(home, url, secret, listings[kind], requests)
                    print(database, kind, json.dumps(found[database][kind]), file=sys.stderr, flush=True)
                if memory_requests:
                    found[database]["memory"] = _memory(home, url, secret, listings["text"], memory_requests)
    return found


def _measure_kind(
    home: Path, url: str, secret: str, listings: Sequence[Listing], requests: int
) -> dict[str, Any]:
    ceiling = _ceiling(home, url, listings)
    found: dict[str, Any] = {"ceiling_per_second": round(ceiling, 1)}
    for clients in CLIENTS:
        with server(home, url, "--model", str(home / "model")) as (address, _):
            bodies = [request_for(address, secret, listing) for listing in listings]
            asyncio.run(ask(address, bodies, clients, max(clients, 50)))
            begin = time.perf_counter()
            answers = asyncio.run(ask(address, bodies, clients, requests))
            figures = _latencies(answers, time.perf_counter() - begin)
            figures["ratio_to_ceiling"] = round(figures["per_second"] / ceiling, 3)
            found[str(clients)] = figures
            if clients == CLIENTS[-1]:
                begin = time.perf_counter()
                answers = asyncio.run(crowd(address, bodies, OVERLOAD * clients, OVERLOAD_SECONDS))
                found["overload"] = _latencies(answers, time.perf_counter() - begin) | _refusals(answers)
                begin, rate = time.perf_counter(), OVERLOAD * figures["per_second"]
                answers = asyncio.run(offer(address, bodies, rate, OVERLOAD_SECONDS))
                found["flood"] = {
                    "aimed_per_second": round(rate, 1),
                    "offered_per_second": round(len(answers) / OVERLOAD_SECONDS, 1),
                    **_latencies(answers, time.perf_counter() - begin),
                    **_refusals(answers),
                }
    return found


def _latencies(answers: Sequence[Answer], seconds: float) -> dict[str, Any]:
    good = np.array([one.seconds for one in answers if one.status == 200]) * 1e3
    p50, p95, p99 = (round(float(value), 2) for value in np.percentile(good, [50, 95, 99]))
    rate = round(len(good) / seconds, 1)
    return {"per_second": rate, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


def _refusals(answers: Sequence[Answer]) -> dict[str, Any]:
    refused = np.array([one.seconds for one in answers if one.status == 503] or [0.0]) * 1e3
    p50, p99 = (round(float(value), 2) for value in np.percentile(refused, [50, 99]))
    others = sum(one.status not in (200, 503) for one in answers)
    return {
        "refused": sum(one.status == 503 for one in answers),
        "refused_p50_ms": p50,
        "refused_p99_ms": p99,
        "refused_in_time": round(float(np.mean(refused <= REFUSED_WITHIN_MS)), 3),
        "other_answers": others,
    }


def _memory(
    home: Path, url: str, secret: str, listings: Sequence[Listing], requests: int
) -> dict[str, float]:
    """Resident memory of the server in MiB, after each tenth of the requests."""
    found = {}
    with server(home, url, "--model", str(home / "model")) as (address, pid):
        bodies = [request_for(address, secret, listing) for listing in listings]
        for tenth in range(1, 11):
            asyncio.run(ask(address, bodies, 8, requests // 10))
            found[str(requests * tenth // 10)] = _resident_mib(pid)
            print(f"  {requests * tenth // 10:,}: {found[str(requests * tenth // 10)]}", file=sys.stderr)
    return found


def _resident_mib(pid: int) -> float:
    asked = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return round(int(asked.stdout) / 1024, 1)


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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="for each kind and number of clients")
    parser.add_argument("--database", choices=DATABASES, action="append", help="both where not given")
    parser.add_argument("--kind", choices=("text", "image", "both"), action="append", help="all by default")
    parser.add_argument("--memory", type=int, default=0, metavar="N", help="watch the memory over N requests")
    options = parser.parse_args()
    print(
        json.dumps(
            measure(
                options.requests,
                options.database or DATABASES,
                options.kind or ("text", "image", "both"),
                options.memory,
            ),
            indent=2,
        )
    )
