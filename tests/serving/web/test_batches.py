"""Batches with a browser: what a file holds is shown before it is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rayon.operations.jobs import Worker
from rayon.serving.services import Services

PHONE = {"width": 390, "height": 844}
HOSTILE = "<img src=x onerror=alert(1)>.csv"  # a browser replaces quotation marks in names


def catalogue(folder: Path, n: int, name: str = "shop.csv") -> Path:
    """A CSV in which every tenth row has nothing to classify."""
    rows = [
        f"{'' if number % 10 == 0 else f'Piscine ronde {number} m'},{number}" for number in range(1, n + 1)
    ]
    path = folder / name
    path.write_text("\n".join(["designation,productid", *rows]) + "\n", encoding="utf-8")
    return path


def work(served: Services) -> None:
    Worker(served.recorder, served.database, served.jobs.folder).work()


@pytest.mark.proof
@pytest.mark.parametrize("n", [20, 5000])
def test_a_file_is_previewed_started_and_answered(
    visit: Callable[..., Page], served: Services, axe: Callable[[Page], list[str]], tmp_path: Path, n: int
) -> None:
    page = visit("client", "/batches")
    assert axe(page) == []
    page.locator("input[name=file]").set_input_files(catalogue(tmp_path, n))
    page.locator("form[data-upload] button:not([type])").click()
    page.wait_for_url("**/batches/*")
    (job,) = served.jobs.list(None, None, 10)
    assert job.state == "draft"
    expect(page.get_by_text("Piscine ronde 1 m", exact=True)).to_be_visible()
    assert axe(page) == []
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("status").first).to_have_text("The batch is started.")
    work(served)
    page.reload()
    done = served.jobs.find(job.id)
    assert (done.state, done.rows_done, done.rows_failed) == ("done", n, n // 10)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").first.click()
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + n - n // 10
    assert axe(page) == []


@pytest.mark.proof
def test_texts_of_strangers_stay_texts_on_a_phone(visit: Callable[..., Page], tmp_path: Path) -> None:
    page = visit("client", "/batches", language="fr", size=PHONE)
    page.locator("input[name=file]").set_input_files(catalogue(tmp_path, 3, HOSTILE))
    page.locator("form[data-upload] button:not([type])").click()
    page.wait_for_url("**/batches/*")
    assert HOSTILE in page.locator("main").inner_text()
    width, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= seen
