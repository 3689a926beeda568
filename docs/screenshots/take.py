"""Take the pictures of the web application that the documentation shows.

``make screenshots`` runs it. It makes a shop on the sample catalogue, trains, has a month of listings
classified and partly judged, starts the real service, and drives Chromium through the pages: light and dark,
as wide as a laptop and a phone. Nothing is painted; figures differ a little from machine to machine.
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
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import httpx
from bench.service import command, send_batch, server
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import update

from rayon.data.sample import make_sample
from rayon.operations.accounts import Accounts
from rayon.operations.sessions import Sessions
from rayon.store.database import Database
from rayon.store.schema import upgrade_schema
from rayon.store.tables import predictions

FOLDER = Path(__file__).parent
LAPTOP, PHONE = (1280, 800), (390, 844)
PEOPLE = {"camille": "admin", "amelie": "reviewer", "boutique": "client"}
DAYS = 30
LISTINGS = 6000
JUDGED_SHARE = 0.85
AUDIT_SHARE = "0.2"
"""More than a shop would draw of more listings than these few hundred."""

PARTS = ("designation", "description", "image")
WAITING = {"queued": True, "validated": False, "limit": 100}
WRITTEN = "Piscine gonflable ronde 3 mètres avec pompe et bâche, pour toute la famille"


@dataclass(frozen=True)
class Shot:
    """One picture.

    Parameters
    ----------
    name
        Of its file.
    who
        Who is signed in; nobody where empty.
    path
        The page, with gaps for ids.
    act
        What is done there before.
    size, dark, french
        Of the window, and what the browser asks for.
    whole
        Whether the page is shown down to its end, up to twice the height of the window.
    """

    name: str
    who: str
    path: str
    act: Callable[[Page], None] | None = None
    size: tuple[int, int] = LAPTOP
    dark: bool = False
    french: bool = False
    whole: bool = False


def _classify(page: Page) -> None:
    page.get_by_label("Title").fill(WRITTEN)
    page.get_by_role("button", name="Classify").click()
    expect(page.locator("mark").first).to_be_visible()


def _wait_for_listing(page: Page) -> None:
    expect(page.locator(".choice")).to_have_count(5)
    expect(page.locator("[data-part=title]")).to_be_visible()


def _find_code(page: Page) -> None:
    _wait_for_listing(page)
    page.keyboard.press("/")
    page.keyboard.type("jeux plien")  # a letter that is in the wrong place


SHOTS = (
    Shot("sign-in", "", "/sign-in"),
    Shot("start", "amelie", "/"),
    Shot("start-admin-french", "camille", "/", french=True),
    Shot("classify", "boutique", "/classify", _classify, whole=True),
    Shot("review", "amelie", "/review", _wait_for_listing),
    Shot("review-dark", "amelie", "/review", _wait_for_listing, dark=True),
    Shot("review-search", "amelie", "/review", _find_code, french=True),
    Shot("review-phone", "amelie", "/review", _wait_for_listing, size=PHONE),
    Shot("review-bulk", "amelie", "/review/bulk?code={code}"),
    Shot("predictions", "amelie", "/predictions?state=judged"),
    Shot("prediction", "amelie", "/predictions/{judged}", whole=True),
    Shot("batches", "boutique", "/batches"),
    Shot("batch-draft", "boutique", "/batches/{draft}", whole=True),
    Shot("batch", "boutique", "/batches/{batch}", whole=True),
    Shot("monitoring", "amelie", "/monitoring", whole=True),
    Shot("monitoring-dark", "amelie", "/monitoring", dark=True, french=True),
    Shot("journal", "amelie", "/monitoring/journal"),
    Shot("models", "camille", "/models", whole=True),
    Shot("model-compare", "camille", "/models/compare", whole=True),
    Shot("model-verdict", "camille", "/models/verdicts/{verdict}", whole=True),
    Shot("model-promote", "camille", "/models/{challenger}/promote"),
    Shot("retraining", "camille", "/models/retrainings/{retraining}", whole=True),
    Shot("people", "camille", "/people"),
    Shot("audit", "camille", "/people/audit", dark=True),
    Shot("account", "boutique", "/account", size=PHONE, french=True),
    Shot("documentation", "", "/docs"),
)


def take(folder: Path, names: Sequence[str]) -> None:
    """Make the shop, and take the pictures."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("There is no Chromium here. Install it: apt-get install chromium")
    with (
        tempfile.TemporaryDirectory() as scratch,
        _shop(Path(scratch)) as (address, gaps, sessions),
        sync_playwright() as playwright,
    ):
        # The sandbox takes rights that containers lack; only our own pages are opened.
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for shot in SHOTS:
            if not names or shot.name in names:
                print(f"  {shot.name}", file=sys.stderr)
                _take_one(opened, address, shot, gaps, sessions, folder)
        opened.close()


def _take_one(
    browser: Browser,
    address: str,
    shot: Shot,
    gaps: dict[str, str],
    sessions: dict[str, str],
    folder: Path,
) -> None:
    width, height = shot.size
    context = browser.new_context(
        base_url=address,
        viewport={"width": width, "height": height},
        color_scheme="dark" if shot.dark else "light",
        locale="fr-FR" if shot.french else "en-GB",
        timezone_id="Europe/Paris",
    )
    if shot.who:
        context.add_cookies([{"name": "rayon_session", "value": sessions[shot.who], "url": address}])
    page = context.new_page()
    page.goto(shot.path.format_map(gaps))
    if shot.act:
        shot.act(page)
    page.wait_for_load_state("networkidle")
    if shot.whole:
        wanted = int(page.evaluate("document.documentElement.scrollHeight"))
        page.set_viewport_size({"width": width, "height": min(max(height, wanted), 2 * height)})
    taken = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    # 256 colours are enough for pages, and take a third of the bytes.
    taken.quantize(256, dither=Image.Dither.NONE).save(folder / f"{shot.name}.png", optimize=True)
    context.close()


# ------------------------------------------------------------------ a shop after a month


@contextmanager
def _shop(home: Path) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    """Serve a shop after a month: its address, what fills the gaps in paths, and a session of each person."""
    url = f"sqlite:///{home / 'rayon.db'}"
    make_sample(home / "shop", LISTINGS, seed=0)
    command(home, url, "retrain", str(home / "shop"), "--precision", "0.95")
    database = Database(url)
    upgrade_schema(database)
    accounts = Accounts(database)
    for name, role in PEOPLE.items():
        accounts.create(name, uuid4().hex, role, "rayon")
    keys = {name: accounts.create_key(name, "shop", name)[1] for name in PEOPLE}
    with server(home, url, RAYON_AUDIT_SHARE=AUDIT_SHARE) as (address, _):
        _classify_a_month(address, keys, home / "shop", database)
    for days in (7, 14):
        command(home, url, "monitor", "--since", f"{days}d")
    command(home, url, "retrain", "--reason", "a month of feedback")
    command(home, url, "monitor", "--since", f"{DAYS}d")
    sessions = {name: Sessions(database).begin(accounts.find(name)) for name in PEOPLE}
    with server(home, url) as (address, _):
        yield address, _gaps(address, sessions, home), sessions
    database.close()


def _classify_a_month(address: str, keys: dict[str, str], shop: Path, database: Database) -> None:
    """Ask for what the model has not learned, spread over a month, and judge most of the queue."""
    rng = Random(0)
    with (shop / "X_test_update.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (shop / "Y_test_truth.csv").open(encoding="utf-8", newline="") as file:
        truth = {row[""]: row["prdtypecode"] for row in csv.DictReader(file)}
    headers = {name: {"Authorization": f"Bearer {key}"} for name, key in keys.items()}
    with httpx.Client(base_url=f"{address}/api/v1", timeout=60) as client:
        begin = datetime.now(UTC) - timedelta(days=DAYS)
        for number, row in enumerate(rows):
            name = f"image_{row['imageid']}_product_{row['productid']}.jpg"
            picture = next((shop / "images").rglob(name), None)
            answer = client.post(
                "/predictions",
                data={key: row[key] for key in ("designation", "description", "productid", "imageid")},
                files={"image": picture.read_bytes()} if picture else {"image": b""},
                headers=headers["boutique"],
            )
            answer.raise_for_status()
            made = answer.json()
            at = begin + timedelta(days=DAYS) * ((number + rng.random()) / len(rows))
            with database.write() as connection:
                asked = update(predictions).where(predictions.c.id == made["id"])
                connection.execute(asked.values(created_at=at))
            if made["queued_for"] and rng.random() < JUDGED_SHARE:
                _judge(client, made, truth[row[""]], headers["amelie"])


def _judge(client: httpx.Client, made: dict[str, Any], code: str, headers: dict[str, str]) -> None:
    word = {"verdict": "right"} if made["code"] == code else {"verdict": "wrong", "code": code}
    client.post(f"/predictions/{made['id']}/validations", json=word, headers=headers).raise_for_status()


def _gaps(address: str, sessions: dict[str, str], home: Path) -> dict[str, str]:
    """Ids of what there is to see."""
    with httpx.Client(
        base_url=address, cookies={"rayon_session": sessions["boutique"]}, timeout=60
    ) as client:
        batch, draft = (_send_batch(client, home / "shop", start=start) for start in (True, False))
    with httpx.Client(base_url=address, cookies={"rayon_session": sessions["camille"]}, timeout=60) as client:
        judged = client.get("/api/v1/predictions", params={"correct": False}).json()["items"]
        waiting = client.get("/api/v1/predictions", params=WAITING).json()["items"]
        names = [one["name"] for one in client.get("/api/v1/models").json() if not one["champion"]]
        models = client.get("/models").text
        retrainings = client.get("/models/retrainings").text
    return {
        "code": Counter(one["code"] for one in waiting).most_common(1)[0][0],
        "judged": max(judged, key=lambda one: sum(bool(one[part]) for part in PARTS))["id"],
        "batch": batch,
        "draft": draft,
        "challenger": names[0],
        "verdict": re.findall(r"/models/verdicts/(\d+)", models)[0],
        "retraining": re.findall(r"/models/retrainings/([0-9a-f-]{36})", retrainings)[0],
    }


def _send_batch(client: httpx.Client, shop: Path, *, start: bool) -> str:
    """Send a file with some rows that cannot be read; its id."""
    with (shop / "X_test_update.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            [row["designation"], row["description"], row["productid"]]
            for row in islice(csv.DictReader(file), 90)
        ]
    rows[2][0], rows[2][1] = "", ""
    rows[4][1] = "x" * 300_000
    written = io.StringIO()
    csv.writer(written).writerows([["titre", "description", "ean"], *rows])
    return send_batch(client, "nouveautes.csv", written.getvalue().encode(), start=start)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="pictures to take; all where not given")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they go")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    take(asked.folder, asked.names)
    sizes = {path.name: path.stat().st_size for path in sorted(asked.folder.glob("*.png"))}
    print(json.dumps(sizes, indent=1))
