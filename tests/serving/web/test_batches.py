"""Batches with a browser: sent, looked at, started, followed to the end, and fetched."""

from __future__ import annotations

import csv
import io
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import FilePayload, Page, expect

from rayon.learning.model import ProductClassifier
from rayon.operations.jobs import PART_ROWS, Worker
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.serving.services import Services
from rayon.store.jobs import Job
from rayon.store.predictions import PredictionFilter, list_predictions

PHONE = {"width": 390, "height": 844}
SCRIPT = "<script>alert(1)</script>"
HOSTILE = '"><img src=x onerror=alert(1)>.csv'
ENCODED = HOSTILE.replace('"', "%22")
"""How browsers send this name."""

NUL_ROW, WIDE_ROW, EMPTY_ROW = 777, 1234, 7


@pytest.fixture
def worker(served: Services, model: ProductClassifier) -> Worker:
    recorder = PredictionRecorder(model, served.database, served.images, chance=lambda: 0.5)
    return Worker(recorder, served.database, served.jobs.folder)


class Resting(PredictionRecorder):
    """Rests after some parts of a job until it is told to go on, so that one can look at its progress."""

    parts = 40

    def record_job(self, *arguments: Any) -> bool:
        if self.parts == 0:
            assert self.going_on.wait(60)
        self.parts -= 1
        return super().record_job(*arguments)

    @cached_property
    def going_on(self) -> threading.Event:
        return threading.Event()


@contextmanager
def working(served: Services, recorder: PredictionRecorder) -> Iterator[None]:
    """Have a worker work in the background, as that of the service does."""
    worker = Worker(recorder, served.database, served.jobs.folder)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(60)
    assert not thread.is_alive()


def table(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([["Titre", "description", "productid", "imageid", "Prix"], *rows])
    return text.getvalue().encode()


def lamps(n: int) -> list[list[Any]]:
    return [[f"Lampe {i}", "Une lampe de chevet", i, "", "12,50"] for i in range(1, n + 1)]


def as_file(content: bytes, name: str = "shop.csv") -> FilePayload:
    return {"name": name, "mimeType": "text/csv", "buffer": content}


def send(page: Page, content: bytes, name: str = "shop.csv", pictures: bytes | None = None) -> None:
    page.locator("input[name=file]").set_input_files(as_file(content, name))
    if pictures is not None:
        page.locator("input[name=images]").set_input_files(
            {"name": "pictures.zip", "mimeType": "application/zip", "buffer": pictures}
        )
    page.get_by_role("button", name="Send and look").click()


def draft(served: Services, content: bytes, role: str = "client", name: str = "shop.csv") -> Job:
    user = served.accounts.find(role)
    return served.jobs.submit(name, io.BytesIO(content), None, user.id, draft=True)


def fits(page: Page) -> bool:
    width, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return bool(width <= seen)


def test_a_file_is_looked_at_before_it_is_started(
    visit: Callable[..., Page], served: Services, worker: Worker
) -> None:
    rows = lamps(20)
    rows[2] = ["", "", 3, "", ""]
    page = visit("client", "/batches")
    expect(page.get_by_role("heading", name="There are no batches yet")).to_be_visible()
    send(page, table(rows))
    expect(page.get_by_role("heading", level=1)).to_have_text("shop.csv")
    problems = page.get_by_role("region", name="Problems")
    expect(problems).to_contain_text("One of the 20 rows cannot be classified:")
    expect(problems).to_contain_text("the listing has no title, no description and no picture · row 3")
    expect(page.locator("dl.pairs dt")).to_have_text(["Title", "Description", "Product id", "Picture id"])
    expect(page.locator("dl.pairs dd")).to_have_text(["Titre", "description", "productid", "imageid"])
    expect(page.locator("section.panel").filter(has_text="Not used").locator("code")).to_have_text("Prix")
    expect(page.locator("table.found tbody tr")).to_have_count(20)
    assert not worker.work()
    page.get_by_role("button", name="Start the batch").press("Enter")
    expect(page.get_by_text("The batch waits for its turn.")).to_be_visible()
    assert worker.work()
    expect(page.get_by_role("heading", name="Rows that failed")).to_be_visible()
    (job,) = served.jobs.list(None, None, 10)
    assert (job.state, job.rows_done, job.rows_failed) == ("done", 20, 1)


@pytest.fixture
def large(picture: bytes, shop: Path) -> tuple[bytes, bytes, dict[int, str]]:
    """A table of 5,000 rows, an archive of pictures, and why which rows are to fail."""
    rows = lamps(5000)
    with (shop / "X_train_update.csv").open(encoding="utf-8", newline="") as file:
        texts = [[one["designation"], one["description"]] for one in csv.DictReader(file)]
    known = [text for text in texts if any(text)]
    for row in range(0, 5000, 2):
        rows[row][:2] = known[row % len(known)]
    failing: dict[int, str] = {}
    for row in range(EMPTY_ROW, 5001, 97):  # neither title, nor description, nor a picture
        rows[row - 1] = ["", "", row, f"none{row}", ""]
        failing[row] = f"line {row + 1}: the listing has no title, no description and no picture"
    for row in range(10, 2000, 500):  # a picture alone
        rows[row - 1] = ["", "", row, f"p{row}", ""]
    rows[WIDE_ROW - 1] = ["too", "many", "cells", "in", "this", "row"]
    failing[WIDE_ROW] = f"line {WIDE_ROW + 1}: the row has 6 fields where the header has 5"
    rows[NUL_ROW - 1][0] = "Lampe\0"
    failing[NUL_ROW] = f"line {NUL_ROW + 1}: the field 'designation' holds a NUL byte"
    rows[0][0] = f"Lampe {SCRIPT}"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for row in range(10, 2000, 500):
            archive.writestr(f"pictures/p{row}.jpg", picture)
    return table(rows), packed.getvalue(), failing


@pytest.mark.proof
def test_five_thousand_rows_from_the_upload_to_the_results(
    visit: Callable[..., Page],
    served: Services,
    better_trained: Path,
    client: httpx.Client,
    large: tuple[bytes, bytes, dict[int, str]],
    tmp_path: Path,
) -> None:
    content, pictures, failing = large
    page = visit("client", "/batches")
    send(page, content, HOSTILE, pictures)
    expect(page.get_by_role("heading", level=1)).to_have_text(ENCODED)
    first = sum(row <= 1000 for row in failing)
    problems = page.get_by_role("region", name="Problems")
    expect(problems).to_contain_text(f"{first} of the first 1,000 rows cannot be classified:")
    expect(problems).to_contain_text(f"{first - 1} rows, the first is row {EMPTY_ROW}")
    expect(problems).to_contain_text(f"the field 'designation' holds a NUL byte · row {NUL_ROW}")
    expect(page.get_by_text("The ZIP holds 4 pictures.")).to_be_visible()
    expect(page.get_by_text("Of the 1,000 rows that were looked at, 2 have a picture.")).to_be_visible()
    expect(page.get_by_text(f"Lampe {SCRIPT}")).to_be_visible()
    shown = page.get_by_role("img", name="Picture of row 10")
    shown.scroll_into_view_if_needed()
    expect(shown).to_have_js_property("naturalWidth", 160)

    page.get_by_role("button", name="Start the batch").click()
    expect(page.get_by_text("The batch waits for its turn.")).to_be_visible()
    recorder = Resting(ProductClassifier.load(better_trained), served.database, served.images)
    with working(served, recorder):
        progress = page.get_by_role("progressbar", name="Progress")
        expect(progress).to_have_js_property("value", 40 * PART_ROWS, timeout=120_000)
        expect(progress).to_have_js_property("max", 5001)
        expect(page.locator("dl.facts")).to_contain_text("Rows done 2,560", use_inner_text=True)
        expect(page.get_by_role("status").and_(page.locator("[data-live]"))).to_have_text("50 percent done")
        assert page.locator("[data-load] [aria-live], [data-load] [role=status]").count() == 0
        recorder.going_on.set()
        expect(page.get_by_role("heading", name="Results")).to_be_visible(timeout=120_000)
    (job,) = served.jobs.list(None, None, 10)
    assert (job.state, job.rows_done, job.rows_failed) == ("done", 5000, len(failing))

    counts = served.jobs.decisions(job.id)
    assert counts["accept"] > 100
    assert counts["accept"] + counts["review"] == 5000 - len(failing)
    cards = page.locator(".card .value")
    expect(cards).to_have_text([f"{n:,}" for n in (counts["accept"], counts["review"], len(failing))])
    with served.database.read() as connection:
        kept = list_predictions(connection, PredictionFilter(job_id=job.id), 10_000)
    assert {one.job_row for one in kept} == set(range(1, 5001)) - set(failing)
    assert len([one for one in kept if one.image]) == 4

    seen: dict[int, str] = {}
    for _ in range(2):
        for cells in page.locator("#failures tbody tr").all():
            row, line, reason = cells.locator("td").all_inner_texts()
            seen[int(row.replace(",", ""))] = f"line {line.replace(',', '')}: {reason}"
        more = page.get_by_role("link", name="More rows that failed")
        if more.count():
            more.click()
            expect(page.get_by_role("link", name="To the first")).to_be_visible()
    assert seen == failing
    with page.expect_download() as waited:
        page.get_by_role("link", name="Download as CSV").click()
    waited.value.save_as(tmp_path / "failures.csv")
    with (tmp_path / "failures.csv").open(encoding="utf-8", newline="") as file:
        assert {int(one["row"]): one["error"] for one in csv.DictReader(file)} == failing
    with page.expect_download() as waited:
        page.get_by_role("link", name="CSV", exact=True).click()
    waited.value.save_as(tmp_path / "results.csv")
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = [int(one["job_row"]) for one in csv.DictReader(file)]
    assert sorted(rows) == sorted(set(range(1, 5001)) - set(failing))
    page.locator(".card a").first.click()
    expect(page).to_have_url(re.compile(rf"/predictions\?job_id={job.id}&decision=accept$"))
    assert client.get("/api/v1/jobs").json()["items"][0]["state"] == "done"


@pytest.mark.proof
@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (
            "Titre\nCafé\n".encode("latin-1"),
            "shop.csv",
            "shop.csv is not UTF-8: byte 0xE9 on line 2. "
            "Save it again as UTF-8: spreadsheets offer it as 'CSV UTF-8'.",
        ),
        (
            b"price\n1\n",
            HOSTILE,
            f"{ENCODED} has no column 'designation', 'description' or 'image'; its columns are 'price'. "
            "Name the columns in the first line: designation, description, productid, imageid, image.",
        ),
        (b"", "shop.csv", "shop.csv is empty. Give a file with a line of column names and one of data."),
        (
            b"Titre\nLampe\n",
            "shop.xlsx",
            "A job cannot read 'shop.xlsx'. Send a file that ends with .csv, .parquet, .jsonl.",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_why_where_it_was_sent(
    visit: Callable[..., Page],
    served: Services,
    complaints: list[str],
    content: bytes,
    name: str,
    said: str,
) -> None:
    page = visit("client", "/batches")
    send(page, content, name)
    expect(page.get_by_role("alert")).to_have_text(said)
    complaints.clear()  # the browser notes that this was a 400
    assert served.jobs.list(None, None, 10) == []
    assert not served.jobs.folder.exists() or list(served.jobs.folder.iterdir()) == []
    send(page, table(lamps(3)))
    expect(page.get_by_text("All 3 rows can be classified.")).to_be_visible()


@pytest.mark.proof
def test_an_archive_that_is_none_says_so_in_french(
    visit: Callable[..., Page], served: Services, complaints: list[str]
) -> None:
    page = visit("client", "/batches", language="fr")
    page.locator("input[name=file]").set_input_files(as_file(table(lamps(3))))
    page.locator("input[name=images]").set_input_files(
        {"name": "photos.zip", "mimeType": "application/zip", "buffer": b"Rar!"}
    )
    page.get_by_role("button", name="Envoyer et regarder").click()
    expect(page.get_by_role("alert")).to_have_text(
        "L'archive de photos n'est pas un fichier ZIP. Envoyez un fichier ZIP ordinaire."
    )
    complaints.clear()
    assert served.jobs.list(None, None, 10) == []


@pytest.mark.proof
def test_it_works_without_script(visit: Callable[..., Page], served: Services, worker: Worker) -> None:
    with_script = visit("client", "/batches")
    browser = with_script.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False, base_url=with_script.url, locale="en-GB")
    context.add_cookies(with_script.context.cookies())  # type: ignore[arg-type]
    page = context.new_page()
    page.goto("/batches")
    send(page, b"")
    expect(page.get_by_role("alert")).to_contain_text("shop.csv is empty")
    send(page, b"price\n1\n")
    expect(page.get_by_role("alert")).to_contain_text("shop.csv has no column 'designation'")
    send(page, table(lamps(3)))
    page.get_by_role("button", name="Start the batch").click()
    expect(page.get_by_text("The batch waits for its turn.")).to_be_visible()
    assert worker.work()
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("heading", name="Results")).to_be_visible()
    expect(page.locator(".card .value").first).to_have_text("3")
    context.close()


@pytest.mark.proof
def test_files_can_be_dropped(visit: Callable[..., Page], picture: bytes) -> None:
    page = visit("client", "/batches")
    content = [list(b"Titre,imageid\n,7\n"), list(packed(picture))]
    dropped = page.evaluate_handle(
        """([table, zip]) => {
            const all = new DataTransfer();
            all.items.add(new File([new Uint8Array(zip)], "PICTURES.ZIP"));
            all.items.add(new File([new Uint8Array(table)], "dropped.csv"));
            return all;
        }""",
        content,
    )
    page.dispatch_event("[data-drop]", "drop", {"dataTransfer": dropped})
    page.get_by_role("button", name="Send and look").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("dropped.csv")
    expect(page.get_by_role("img", name="Picture of row 1")).to_be_visible()


def packed(picture: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("7.jpg", picture)
    return data.getvalue()


@pytest.mark.proof
def test_an_upload_shows_its_progress_and_can_be_cancelled(
    visit: Callable[..., Page], served: Services, complaints: list[str]
) -> None:
    page = visit("client", "/batches")
    devtools = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}
    devtools.send("Network.emulateNetworkConditions", slow)
    send(page, table(lamps(100_000)))
    expect(page.get_by_role("status")).to_have_text("The files are being sent.")
    expect(page.locator(".upload progress")).not_to_have_js_property("value", 0)
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Nothing was sent.")
    expect(page.get_by_role("button", name="Send and look")).to_be_enabled()
    assert served.jobs.list(None, None, 10) == []
    devtools.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    send(page, table(lamps(3)))
    expect(page.get_by_text("All 3 rows can be classified.")).to_be_visible()


@pytest.mark.proof
def test_a_draft_is_discarded_and_a_batch_cancelled(
    visit: Callable[..., Page], served: Services, worker: Worker
) -> None:
    unwanted = draft(served, table(lamps(3)))
    page = visit("client", f"/batches/{unwanted.id}")
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("status").first).to_have_text("The draft is discarded; its files are removed.")
    assert list(served.jobs.folder.iterdir()) == []
    page.goto(f"/batches/{unwanted.id}")
    expect(page.get_by_text("The batch was cancelled before anything was classified.")).to_be_visible()

    started = draft(served, table(lamps(3)))
    served.jobs.start(started.id)
    page.goto(f"/batches/{started.id}")
    page.get_by_role("link", name="Cancel…").click()
    expect(page.get_by_text("The rows that are left are not classified")).to_be_visible()
    page.get_by_role("button", name="Cancel the batch").click()
    expect(page.get_by_role("status").first).to_have_text("The batch is cancelled.")
    assert served.jobs.find(started.id).state == "cancelled"
    assert not worker.work()


@pytest.mark.proof
def test_a_draft_that_was_started_elsewhere_is_not_started_twice(
    visit: Callable[..., Page], served: Services, complaints: list[str]
) -> None:
    job = draft(served, table(lamps(3)))
    page = visit("client", f"/batches/{job.id}")
    served.jobs.start(job.id)
    page.get_by_role("button", name="Start the batch").click()
    expect(page.get_by_role("alert")).to_have_text(
        f"The job '{job.id}' is no draft. It was started or discarded before."
    )
    expect(page.get_by_text("The batch waits for its turn.")).to_be_visible()
    complaints.clear()  # the browser notes that this was a 409


@pytest.mark.proof
def test_clients_see_their_own_batches_and_reviewers_all(
    visit: Callable[..., Page], served: Services, complaints: list[str]
) -> None:
    job = draft(served, table(lamps(3)), "admin", HOSTILE)
    page = visit("client", "/batches")
    expect(page.get_by_role("heading", name="There are no batches yet")).to_be_visible()
    for path in ("", "/cancel", "/progress", "/decisions", "/failures.csv", "/pictures/1"):
        answer = page.goto(f"/batches/{job.id}{path}")
        assert answer is not None
        assert answer.status == 404, path
    complaints.clear()
    reviewer = visit("reviewer", "/batches")
    row = reviewer.get_by_role("row", name=HOSTILE)
    expect(row).to_contain_text("draft")
    expect(row).to_contain_text("admin")
    row.get_by_role("link").click()
    expect(reviewer.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert "/sign-in" in visit("", "/batches").url


@pytest.mark.proof
def test_batches_are_listed_newest_first_in_parts(visit: Callable[..., Page], served: Services) -> None:
    names = [f"shop {number}.csv" for number in range(25)]
    for name in names:
        draft(served, table(lamps(1)), name=name)
    page = visit("client", "/batches")
    links = page.locator("table.found tbody a")
    expect(links).to_have_text(names[:4:-1])
    page.get_by_role("link", name="Older ones").click()
    expect(links).to_have_text(names[4::-1])
    page.get_by_role("link", name="To the newest batches").click()
    expect(links).to_have_text(names[:4:-1])


@pytest.mark.proof
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_are_for_everybody_and_fit_a_phone(
    visit: Callable[..., Page],
    served: Services,
    worker: Worker,
    axe: Callable[[Page], list[str]],
    dark: bool,
) -> None:
    rows = [*lamps(24), ["", "", "x" * 200, "", ""]]
    rows[0][0] = "un-titre-sans-espace-" * 20
    ended, open_, looked_at = (
        draft(served, table(rows), name="un nom sans fin " * 8 + "x" * 60 + ".csv") for _ in range(3)
    )
    served.jobs.start(ended.id)
    assert worker.work()
    served.jobs.start(open_.id)
    paths = ["", *(f"/{job.id}" for job in (ended, open_, looked_at)), f"/{open_.id}/cancel"]
    for path in paths:
        page = visit("reviewer", f"/batches{path}", language="fr", dark=dark)
        page.wait_for_load_state("networkidle")
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert page.locator("html").get_attribute("lang") == "fr"
        assert axe(page) == [], path
        phone = visit("reviewer", f"/batches{path}", size=PHONE, dark=dark)
        phone.wait_for_load_state("networkidle")
        assert axe(phone) == [], path
        assert fits(phone), path


def test_programs_see_drafts_too(client: httpx.Client, served: Services) -> None:
    job = draft(served, table(lamps(3)))
    assert [one["state"] for one in client.get("/api/v1/jobs").json()["items"]] == ["draft"]
    assert client.get(f"/api/v1/jobs/{job.id}").json()["state"] == "draft"
    assert client.get(f"/api/v1/jobs/{job.id}/results").status_code == 409
    assert client.delete(f"/api/v1/jobs/{job.id}").status_code == 204
    assert list(served.jobs.folder.iterdir()) == []


def test_forms_of_other_sites_are_refused(client: httpx.Client, served: Services, address: str) -> None:
    token = served.sessions.begin(served.accounts.find("client"))
    job = draft(served, table(lamps(3)))
    with httpx.Client(base_url=address, cookies={"rayon_session": token}) as browser:
        sent = browser.post("/batches", files={"file": ("shop.csv", table(lamps(3)))})
        assert sent.status_code == 403
        for path in ("start", "cancel"):
            assert browser.post(f"/batches/{job.id}/{path}").status_code == 403
    assert [one.state for one in served.jobs.list(None, None, 10)] == ["draft"]
