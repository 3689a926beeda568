"""Classifying one listing with a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rayon.serving.services import Services
from rayon.store.predictions import PredictionFilter, StoredPrediction, list_predictions

PHONE = {"width": 390, "height": 844}
TITLE = "Piscine ronde hors sol 3 m avec pompe"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def picture_file(picture: bytes, tmp_path: Path) -> Path:
    path = tmp_path / '"><img src=x onerror=alert(1)>.jpg'
    path.write_bytes(picture)
    return path


def stored(served: Services) -> list[StoredPrediction]:
    with served.database.read() as connection:
        return list_predictions(connection, PredictionFilter(), 10)


def classify(page: Page, title: str = TITLE) -> None:
    page.get_by_label("Title").fill(title)
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_role("heading", name="Why?")).to_be_visible()


def test_a_listing_is_classified_and_explained_by_keyboard_alone(
    visit: Callable[..., Page], served: Services
) -> None:
    page = visit("client", "/classify")
    expect(page.get_by_label("Title")).to_be_focused()
    page.keyboard.type(TITLE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Words")).to_be_visible()
    (prediction,) = stored(served)
    assert page.url.endswith(f"/classify?id={prediction.id}")
    assert prediction.designation == TITLE
    expect(page.get_by_label("Answer", exact=True)).to_contain_text(prediction.code)
    expect(page.get_by_label("Title")).to_have_value(TITLE)
    expect(page.locator("mark", has_text="pompe")).to_have_class("for s1")
    assert "Piscine ronde hors sol" in page.locator(".read-title").inner_text()


@pytest.mark.proof
def test_a_picture_is_shown_explained_and_kept_for_the_next_question(
    visit: Callable[..., Page], served: Services, picture_file: Path
) -> None:
    page = visit("client", "/classify")
    page.get_by_label("Picture", exact=True).set_input_files(picture_file)
    expect(page.get_by_role("img", name="Picture of the listing")).to_be_visible()
    classify(page)
    expect(page.get_by_label("Answer", exact=True)).to_contain_text("What each part alone would say")
    grid = page.get_by_role("img", name="The picture; ")
    expect(grid).to_be_visible()
    cells = grid.locator(".cells")
    expect(cells).to_be_visible()
    page.get_by_label("Show the marks on the picture").uncheck()
    expect(cells).to_be_hidden()
    page.get_by_label("Title").fill("Another title")
    page.get_by_role("button", name="Classify again").click()
    expect(page.get_by_label("Title")).to_have_value("Another title")
    page.get_by_label("Without this picture").check()
    page.get_by_role("button", name="Classify again").click()
    expect(page.get_by_label("Without this picture")).to_have_count(0)
    without, again, first = stored(served)
    assert first.image is not None
    assert (again.designation, again.image) == ("Another title", first.image)
    assert without.image is None


@pytest.mark.proof
def test_a_picture_can_be_dropped_and_pasted(visit: Callable[..., Page]) -> None:
    page = visit("client", "/classify")
    make = """kind => {
        const data = new DataTransfer();
        data.items.add(new File(["x"], "a.png", {type: kind}));
        return data;
    }"""
    dropped = page.evaluate_handle(make, "image/png")
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": dropped})
    chosen = page.get_by_label("Picture", exact=True)
    assert chosen.evaluate("input => input.files.length") == 1
    page.get_by_role("button", name="Remove the picture").click()
    assert chosen.evaluate("input => input.files.length") == 0
    paste = "data => dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))"
    page.evaluate(paste, page.evaluate_handle(make, "image/png"))
    assert chosen.evaluate("input => input.files.length") == 1
    page.evaluate(paste, page.evaluate_handle(make, "text/plain"))
    expect(page.get_by_role("alert")).to_have_text("This file is no picture that can be used, or too large.")
    assert chosen.evaluate("input => input.files.length") == 0


@pytest.mark.proof
def test_a_picture_that_cannot_be_read_is_told(visit: Callable[..., Page], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    page = visit("client", "/classify")
    page.get_by_label("Picture", exact=True).set_input_files(broken)
    classify(page)
    answer = page.get_by_label("Answer", exact=True)
    expect(answer).to_contain_text("The picture could not be used. The answer rests on the text alone.")
    expect(answer).to_contain_text("The image of 13 bytes is not a JPEG, PNG or WebP.")


@pytest.mark.proof
def test_what_is_typed_stays_until_it_is_answered(
    visit: Callable[..., Page], served: Services, complaints: list[str]
) -> None:
    page = visit("client", "/classify")
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_role("alert").first).to_have_text(
        "The listing cannot be classified: nothing to classify: no title, no description and no picture. "
        "Send a title, a description or a picture that can be used."
    )
    page.get_by_label("Description").fill("Two lines\nof text")
    page.goto("/account")
    page.goto("/classify")
    expect(page.get_by_label("Description")).to_have_value("Two lines\nof text")
    classify(page)
    assert stored(served)[0].description == "Two lines\nof text"
    page.get_by_role("link", name="Another listing").click()
    expect(page.get_by_label("Description")).to_have_value("")
    served.predictions.close()
    page.get_by_label("Title").fill(TITLE)
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("The service is stopping.")
    expect(page.get_by_label("Title")).to_have_value(TITLE)
    complaints.clear()  # the browser notes that these were a 400 and a 503


@pytest.mark.proof
def test_reviewers_judge_on_the_spot(visit: Callable[..., Page], served: Services) -> None:
    page = visit("reviewer", "/classify")
    classify(page)
    expect(page.get_by_role("heading", name="Known listings that look alike")).to_be_visible()
    (prediction,) = stored(served)
    other = next(code for code in served.model.taxonomy_.codes if code != prediction.code)
    page.get_by_role("button", name="Right: it is ").click()
    expect(page.get_by_role("status")).to_have_text("Confirmed: it is right.")
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("status")).to_have_text("The last word is taken back.")
    page.get_by_label("Wrong: the true code is").fill(served.model.taxonomy_.label(other))
    page.get_by_role("button", name="Correct it").click()
    expect(page.get_by_role("status")).to_have_text("Corrected.")
    assert page.url.endswith(f"/classify?id={prediction.id}&done=judged-wrong")
    assert stored(served)[0].true_code == other


@pytest.mark.proof
def test_clients_neither_judge_nor_see_known_listings(visit: Callable[..., Page]) -> None:
    page = visit("client", "/classify")
    classify(page)
    expect(page.get_by_role("heading", name="Words")).to_be_visible()
    expect(page.get_by_role("heading", name="Known listings that look alike")).to_have_count(0)
    expect(page.get_by_role("button", name="Right: it is ")).to_have_count(0)


@pytest.mark.proof
@pytest.mark.parametrize(("language", "dark"), [("en", True), ("fr", False)])
def test_it_is_legible_on_a_phone_with_hostile_text(
    visit: Callable[..., Page],
    axe: Callable[[Page], list[str]],
    picture_file: Path,
    language: str,
    dark: bool,
) -> None:
    page = visit("reviewer", "/classify", language=language, size=PHONE, dark=dark)
    assert axe(page) == []
    page.locator("input[type=file]").set_input_files(picture_file)
    page.locator("input[name=designation]").fill(HOSTILE)
    page.locator("textarea").fill('"><img src=x onerror=alert(1)> ' + "pool " * 40 + "x" * 300)
    page.locator("main form button:not([type])").last.click()
    expect(page.locator(".overlaid")).to_be_visible()
    expect(page.locator("h1")).to_have_text("Classer" if language == "fr" else "Classify")
    assert HOSTILE in page.locator(".read-title").inner_text()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
