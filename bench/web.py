"""The web application over a long history: how long each page takes on the server, and one key in a browser.

The database has 200,000 predictions, 10,000 of which wait for a person. Each page is asked for in turn by an
administrator, over HTTP, by one client; the page to sign in, which reads no prediction, is what they are
compared with. Then Chromium reviews by keyboard, with a short queue and with the long one, and measures from
the key to the moment when the next listing has been drawn. Run as ``python -m bench.web`` from the
repository's root, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
from fastapi.routing import iter_route_contexts

from bench.history import PREDICTIONS, WAITING, fill
from bench.service import DATABASES, command, database_url, send_batch, server
from rayon.data.sample import make_sample
from rayon.operations.accounts import Accounts
from rayon.operations.sessions import Sessions
from rayon.serving.web.router import router
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.schema import upgrade_schema

REFERENCE = "/sign-in"
SHORT_QUEUE = 60
PICTURES = 300
NAMES = ("bench-admin", "bench-client")

PAGES: dict[str, tuple[str, ...]] = {
    "/sign-in": ("",),
    "/": ("",),
    "/docs": ("",),
    "/account": ("",),
    "/classify": ("", "?id={prediction_id}"),
    "/review": ("", "?order=age", "?code={code}"),
    "/review/bulk": ("", "?id={prediction_id}"),
    "/review/{prediction_id}/details": ("",),
    "/predictions": (
        "",
        "?cursor={cursor}",
        "?state=waiting",
        "?state=wrong",
        "?least=99.9",
        "?most=20",
        "?least=50&most=51",
        "?decision=review&least=90",
        "?code={code}",
        "?code={code}&true_code={other_code}",
        "?since=2000-01-01&until=2000-01-02",
        "?model_version={version}",
        "?productid={productid}",
        "?user_id={user_id}",
        "?user_id=nobody",
        "?search=chaise",
        "?search=ch",
        "?search=zzyzx",
        "?search=piscine+gonflable&state=waiting",
        "?search=coque&least=99.99&code={code}",
    ),
    "/predictions/{prediction_id}": ("", "?explain={other_code}"),
    "/predictions/{prediction_id}/explanation": ("",),
    "/batches": ("",),
    "/batches/{job_id}": ("",),
    "/batches/{job_id}/cancel": ("",),
    "/batches/{job_id}/progress": ("",),
    "/batches/{job_id}/decisions": ("",),
    "/batches/{job_id}/failures.csv": ("",),
    "/monitoring": ("",),
    "/monitoring/journal": ("",),
    "/monitoring/looking": ("?after={run_before}&begun={now}",),
    "/monitoring/looking/state": ("?after={run_before}&begun={now}",),
    "/monitoring/{run_id:int}": ("",),
    "/monitoring/{run_id:int}/history": ("",),
    "/monitoring/{run_id:int}/plots/{name}.svg": ("",),
    "/models": ("",),
    "/models/{name}": ("",),
    "/models/{name}/promote": ("",),
    "/models/compare": ("?a={champion}&b={name}",),
    "/models/verdicts/{verdict_id}": ("",),
    "/models/judging": ("?{judging}",),
    "/models/judging/state": ("?{judging}",),
    "/models/rollback": ("",),
    "/models/brake": ("",),
    "/models/recalibrate": ("",),
    "/models/import": ("",),
    "/models/retrainings": ("",),
    "/models/retrainings/{retraining_id}": ("",),
    "/models/retrainings/{retraining_id}/progress": ("",),
    "/people": ("",),
    "/people/audit": ("",),
    "/people/keys": ("",),
    "/people/{person}": ("",),
    "/people/{person}/delete": ("",),
}
"""Every page, with the queries that it is asked with."""

_FILES = {
    "/static/{digest}/{name}": "of the web application itself",
    "/batches/{job_id}/pictures/{row}": "thumbnails of a draft",
    "/monitoring/reports/{name}": "made each month",
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def measure(n: int, waiting: int, repeats: int, presses: int, databases: Sequence[str]) -> dict[str, Any]:
    """All figures, by database."""
    _check_that_all_are_there()
    found: dict[str, Any] = {"predictions": n, "waiting": waiting}
    with tempfile.TemporaryDirectory() as folder:
        make_sample(Path(folder) / "shop", 1500, seed=0)
        for kind in databases:
            home = Path(folder) / kind
            home.mkdir()
            with database_url(kind, home) as url:
                if url is None:
                    continue
                found[kind] = _measure(home, url, Path(folder) / "shop", (n, waiting), repeats, presses)
            print(kind, json.dumps(found[kind]), file=sys.stderr, flush=True)
    return found


def _check_that_all_are_there() -> None:
    routes = {str(one.path) for one in iter_route_contexts(router.routes) if "GET" in (one.methods or ())}
    measured = {path.replace("{person}", "{name}") for path in PAGES}
    assert routes == measured | set(_FILES), routes ^ (measured | set(_FILES))


def _measure(
    home: Path, url: str, shop: Path, sizes: tuple[int, int], repeats: int, presses: int
) -> dict[str, Any]:
    command(home, url, "retrain", str(shop))
    database = Database(url)
    upgrade_schema(database)
    accounts = Accounts(database)
    for name, role in zip(NAMES, ("admin", "client"), strict=True):
        accounts.create(name, uuid4().hex, role, "bench")
    user_ids = [accounts.find(name).id for name in NAMES]
    session = Sessions(database).begin(accounts.find(NAMES[0]))
    pictures = sorted((shop / "images").rglob("*.jpg"))[:PICTURES]
    images = [FolderImageStore(home / "images").put(picture.read_bytes()) for picture in pictures]
    fill(database, 10 * SHORT_QUEUE, SHORT_QUEUE, user_ids, images=images)
    command(home, url, "retrain")  # a challenger and a verdict, from what was validated
    with server(home, url) as (address, _):
        short = _keys(address, session, min(presses, SHORT_QUEUE - 10))
        with _client(address, session) as client:
            versions = [client.get(f"/api/v1/models/{name}").json()["version"] for name in _names(client)]
    fill(database, *sizes, user_ids, versions, images, seed=1)
    command(home, url, "monitor", "--since", "90d")
    with server(home, url) as (address, _), _client(address, session) as client:
        pages = _pages(client, repeats, user_ids[1])
        long = _keys(address, session, presses)
    database.close()
    slowest = max(
        (name for name in pages if name != REFERENCE), key=lambda name: float(pages[name]["p95_ms"])
    )
    return {
        "pages": pages,
        "slowest": {"page": slowest, **pages[slowest]},
        "key_to_next": {"short_queue": short, "long_queue": long},
    }


def _client(address: str, session: str) -> httpx.Client:
    return httpx.Client(base_url=address, cookies={"rayon_session": session}, timeout=60)


# ------------------------------------------------------------------ pages


def _pages(client: httpx.Client, repeats: int, user_id: str) -> dict[str, dict[str, float]]:
    """Milliseconds until a page has come whole, by what is asked."""
    addresses = dict(_addresses(client, user_id))
    taken: dict[str, list[float]] = {name: [] for name in addresses}
    stranger = httpx.Client(base_url=client.base_url)
    for _ in range(repeats):  # one page after the other, so that none is helped by its own last answer
        for name, address in addresses.items():
            who = stranger if name == REFERENCE else client  # somebody signed in is led on from there
            begin = time.perf_counter()
            answer = who.get(address)
            taken[name].append(1e3 * (time.perf_counter() - begin))
            assert answer.status_code == 200, (address, answer.status_code, answer.text[:500])
    stranger.close()
    reference = float(np.median(taken[REFERENCE]))
    return {name: _figures(times, reference) for name, times in taken.items()}


def _figures(times: Sequence[float], reference: float) -> dict[str, float]:
    p50, p95 = np.percentile(times, [50, 95])
    return {
        "first_ms": round(times[0], 1),
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
        "ratio_to_sign_in": round(float(p50) / reference, 2),
    }


def _addresses(client: httpx.Client, user_id: str) -> Iterator[tuple[str, str]]:
    """What is asked, with the address where its gaps are filled."""
    listed = client.get("/api/v1/predictions", params={"limit": 100, "queued": True}).json()
    prediction = listed["items"][0]
    champion, name = _names(client)
    runs = re.findall(r"/monitoring/(\d+)/history", client.get("/monitoring").text)
    retrainings = re.findall(r"/models/retrainings/([0-9a-f-]{36})", client.get("/models/retrainings").text)
    verdicts = re.findall(r"/models/verdicts/(\d+)", client.get("/models").text)
    gaps: dict[str, Any] = {
        "prediction_id": prediction["id"],
        "code": prediction["code"],
        "other_code": prediction["alternatives"][0]["code"],
        "cursor": listed["next"],
        "version": prediction["model_version"],
        "productid": prediction["productid"],
        "user_id": user_id,
        "job_id": _batch(client),
        "run_id": int(runs[0]),
        "run_before": runs[0],
        "now": int(time.time()),
        "champion": champion,
        "name": name,
        "verdict_id": verdicts[0],
        "judging": f"key=k&champion={champion}&challenger={name}&after=999999&begun={int(time.time())}",
        "retraining_id": retrainings[0],
        "person": NAMES[1],
    }
    plots = re.findall(r"/monitoring/\d+/plots/([\w-]+)\.svg", client.get("/monitoring").text)
    for path, queries in PAGES.items():
        for query in queries:
            for plot in plots if "/plots/" in path else [""]:
                filled = gaps | ({"name": plot} if plot else {})
                address = (path.replace(":int", "") + query).format_map(filled)
                yield (path.replace("{name}.svg", f"{plot}.svg") + query), address


def _names(client: httpx.Client) -> tuple[str, str]:
    """The champion and another model."""
    models = client.get("/api/v1/models").json()
    champion = next(one["name"] for one in models if one["champion"])
    return champion, next(one["name"] for one in models if not one["champion"])


def _batch(client: httpx.Client) -> str:
    """Have a batch with some bad rows classified, and give its id."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["designation", "description", "productid"])
    rows.writerows(
        [f"Chaise pliante {number}", "" if number % 10 else "x" * 200_000, number] for number in range(200)
    )
    return send_batch(client, "listings.csv", text.getvalue().encode())


# ------------------------------------------------------------------ from key to next listing


def _keys(address: str, session: str, presses: int) -> dict[str, float] | None:
    """Milliseconds from the key that accepts to the next listing, in Chromium; ``None`` without."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        print("There is no Chromium here: apt-get install chromium", file=sys.stderr)
        return None
    sync_api = import_module("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        # The sandbox takes rights that containers lack; only our own pages are opened.
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        context = opened.new_context(base_url=address, viewport={"width": 1280, "height": 800})
        context.add_cookies([{"name": "rayon_session", "value": session, "url": address}])
        page = context.new_page()
        page.goto("/review")
        for _ in range(presses):
            sync_api.expect(page.locator(".choice")).to_have_count(5)
            shown = page.locator("[data-part=link]").get_attribute("href")
            page.keyboard.press("Enter")
            sync_api.expect(page.locator("[data-part=link]")).not_to_have_attribute("href", shown)
        taken = page.evaluate("performance.getEntriesByName('rayon-next-listing').map((one) => one.duration)")
        opened.close()
    p50, p95, worst = np.percentile(taken, [50, 95, 100])
    return {
        "presses": len(taken),
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
        "worst_ms": round(float(worst), 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=int, default=PREDICTIONS)
    parser.add_argument("--waiting", type=int, default=WAITING)
    parser.add_argument("--repeats", type=int, default=20, help="of each page")
    parser.add_argument("--presses", type=int, default=200, help="of the key that accepts")
    parser.add_argument("--database", choices=DATABASES, action="append", help="both where not given")
    asked = parser.parse_args()
    print(
        json.dumps(
            measure(
                asked.predictions, asked.waiting, asked.repeats, asked.presses, asked.database or DATABASES
            ),
            indent=2,
        )
    )
