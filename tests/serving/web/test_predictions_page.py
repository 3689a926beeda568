"""The list of predictions, and the page of each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from rayon.data.catalogue import open_catalogue
from rayon.data.listings import Listing
from rayon.serving.services import Services
from rayon.store.predictions import StoredPrediction, add_predictions, add_validation

PHONE = {"width": 390, "height": 844}
HOSTILE = "<script>alert(1)</script>"


def record(served: Services, listings: list[Listing], user: str = "client") -> list[StoredPrediction]:
    questions = [served.recorder.prepare(listing) for listing in listings]
    return served.recorder.record(questions, [served.accounts.find(user).id] * len(listings))


def judge(served: Services, prediction: StoredPrediction, code: str, comment: str = "") -> None:
    verdict = "right" if code == prediction.code else "wrong"
    reviewer = served.accounts.find("reviewer").id
    with served.database.write() as connection:
        add_validation(connection, prediction.id, reviewer, verdict, code, comment, datetime.now(UTC))


def other_code(served: Services, prediction: StoredPrediction) -> str:
    return next(code for code in served.model.taxonomy_.codes if code != prediction.code)


@pytest.fixture
def listings(shop: Path) -> list[Listing]:
    """Sixty listings of the sample catalogue, the first with its picture."""
    rows = [row.listing for row in open_catalogue(shop).rows() if row.listing.has_text][:60]
    with_picture = next(at for at, listing in enumerate(rows) if listing.image is not None)
    rows.insert(0, rows.pop(with_picture))
    image = rows[0].image
    assert isinstance(image, Path)
    return [replace(rows[0], image=image.read_bytes()), *(replace(row, image=None) for row in rows[1:])]


@pytest.fixture
def browse(served: Services, address: str) -> Iterator[Callable[[str], httpx.Client]]:
    """Ask for pages as the user of a role, without a browser."""
    clients = []

    def make(role: str) -> httpx.Client:
        token = served.sessions.begin(served.accounts.find(role))
        headers = {"Accept": "text/html"}
        made = httpx.Client(base_url=address, cookies={"rayon_session": token}, headers=headers, timeout=30)
        clients.append(made)
        return made

    yield make
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("least=abc", "The least confidence is a percentage from 0 to 100."),
        ("least=101", "The least confidence is a percentage from 0 to 100."),
        ("most=-1", "The greatest confidence is a percentage from 0 to 100."),
        ("since=2026-02-30", "The first day is written as 2026-01-31."),
        ("until=9999-12-31", "The last day is written as 2026-01-31."),
        ("until=soon", "The last day is written as 2026-01-31."),
        ("decision=maybe", "One of the fields has a value that does not exist."),
    ],
)
def test_what_cannot_be_understood_is_told(
    browse: Callable[[str], httpx.Client], query: str, message: str
) -> None:
    answer = browse("client").get(f"/predictions?{query}")
    assert answer.status_code == 400
    assert message in answer.text


def test_the_list_holds_what_was_asked_for_and_so_does_the_download(
    served: Services, browse: Callable[[str], httpx.Client]
) -> None:
    first, second, third = record(
        served, [Listing(title, productid=title) for title in ("zzz", "yyy & co", "<b>xxx")], "reviewer"
    )
    judge(served, first, first.code)
    judge(served, second, other_code(served, second))
    everybody = {one.id for one in (first, second, third)}
    today = f"{first.created_at:%Y-%m-%d}"
    reviewer = browse("reviewer")

    def check(query: str, wanted: set[str]) -> None:
        page = reviewer.get(f"/predictions?{query}").text
        assert {one for one in everybody if f'href="/predictions/{one}"' in page} == wanted, query
        if not wanted:
            assert "Nothing is like that" in page
            return
        start = page.index("/api/v1/predictions/export?")
        link = page[start : page.index('"', start)].replace("&amp;", "&")
        rows = csv.DictReader(io.StringIO(reviewer.get(link).text.lstrip("\ufeff")))
        assert {row["id"] for row in rows} == wanted, query

    check("", everybody)
    check("decision=&code=&state=&since=&least=&productid=", everybody)
    check("state=right", {first.id})
    check("state=wrong", {second.id})
    check("state=judged", {first.id, second.id})
    check("state=open", {third.id})
    check("state=waiting", {third.id})
    check("queued=true&validated=true", {first.id, second.id})
    check("productid=yyy+%26+co", {second.id})
    check(f"since={today}&until={today}", everybody)
    check("since=2100-01-01", set())
    check("least=99,5&most=100%25", set())
    check(f"model_version={first.model_version}&decision=review&most=99", everybody)
    check(f"user_id={served.accounts.find('client').id}", set())
    check("job_id=none", set())


def test_clients_see_their_own(served: Services, browse: Callable[[str], httpx.Client]) -> None:
    (theirs,), (mine,) = record(served, [Listing("zzz")], "admin"), record(served, [Listing("yyy")], "client")
    client = browse("client")
    page = client.get(f"/predictions?user_id={theirs.user_id}").text
    assert mine.id in page
    assert theirs.id not in page
    assert client.get(f"/predictions/{mine.id}").status_code == 200
    for path in ("", "/explanation"):
        assert client.get(f"/predictions/{theirs.id}{path}").status_code == 404
    assert client.get(f"/classify?id={theirs.id}").status_code == 404


def test_clients_do_not_learn_who_judged(served: Services, browse: Callable[[str], httpx.Client]) -> None:
    (prediction,) = record(served, [Listing("zzz")])
    judge(served, prediction, prediction.code, "as it is")
    path = f"/predictions/{prediction.id}"
    assert "reviewer, <time" in browse("reviewer").get(path).text
    page = browse("client").get(path).text
    assert "reviewer" not in page
    assert "as it is" in page
    assert "Take it back" not in page


def test_clients_may_not_judge(visit: Callable[..., Page], served: Services, complaints: list[str]) -> None:
    (prediction,) = record(served, [Listing("zzz")])
    page = visit("client", f"/predictions/{prediction.id}")
    form = """id => {
        const form = document.createElement("form");
        form.method = "post";
        form.action = `/predictions/${id}/validations`;
        const csrf = document.querySelector("meta[name=csrf]").content;
        for (const [name, value] of Object.entries({csrf, verdict: "right", token: "12345678"})) {
            const field = document.createElement("input");
            Object.assign(field, {name, value});
            form.append(field);
        }
        document.body.append(form);
        form.submit();
    }"""
    with page.expect_navigation():
        page.evaluate(form, prediction.id)
    expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")
    complaints.clear()  # the browser notes that this was a 403


def test_pictures_that_are_gone_break_no_page(
    served: Services, browse: Callable[[str], httpx.Client], picture: bytes
) -> None:
    texts, alone = record(served, [Listing("zzz", image=picture), Listing(image=picture)])
    assert texts.image is not None
    served.images.remove(texts.image, datetime.max.replace(tzinfo=UTC))
    client = browse("client")
    assert client.get("/predictions").status_code == 200
    for one in (texts, alone):
        assert "The picture is not kept any more." in client.get(f"/predictions/{one.id}").text
        assert client.get(f"/classify?id={one.id}").status_code == 200
    assert "data-done" in client.get(f"/predictions/{texts.id}/explanation").text
    gone = client.get(f"/predictions/{alone.id}/explanation?whole=yes").text
    assert "Nothing of this listing is kept that could be explained." in gone


def test_an_explanation_is_as_sure_as_the_answer_was(
    served: Services, browse: Callable[[str], httpx.Client]
) -> None:
    (prediction,) = record(served, [Listing("piscine hors sol avec pompe")])
    alternatives = [{**prediction.alternatives[0], "confidence": 0.31}]
    kept = replace(prediction, id="by-another-encoding", confidence=0.43, alternatives=alternatives)
    other = replace(kept, id="by-another-model", model_version="before")
    with served.database.write() as connection:
        add_predictions(connection, [kept, other])
    client = browse("client")
    assert "43% sure" in client.get(f"/predictions/{kept.id}/explanation").text
    asked = {"code": alternatives[0]["code"]}
    assert "31% sure" in client.get(f"/predictions/{kept.id}/explanation", params=asked).text
    assert "43% sure" not in client.get(f"/predictions/{other.id}/explanation").text


def test_a_code_that_the_model_does_not_know_any_more_is_shown_as_it_was(
    served: Services, browse: Callable[[str], httpx.Client]
) -> None:
    (prediction,) = record(served, [Listing("zzz pool")])
    old = replace(prediction, id="an-old-one", code="9999", label="Lamps <old>", model_version="before")
    with served.database.write() as connection:
        add_predictions(connection, [old])
    client = browse("client")
    assert "Lamps &lt;old&gt;" in client.get("/predictions?code=9999").text
    assert "Lamps &lt;old&gt;" in client.get("/predictions/an-old-one").text
    explanation = client.get("/predictions/an-old-one/explanation").text
    assert "Another model gave the answer" in explanation


@pytest.mark.proof
def test_many_are_turned_over_page_by_page(
    visit: Callable[..., Page], served: Services, listings: list[Listing]
) -> None:
    (first,) = record(served, listings[:1])  # many at once are made within the same millisecond
    record(served, listings[1:])
    page = visit("client", "/predictions?decision=")
    rows = page.locator("table.found tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Older ones").click()
    expect(rows).to_have_count(10)
    last = page.locator("table.found tbody tr").last
    expect(last.get_by_role("link")).to_have_attribute("href", f"/predictions/{first.id}")
    expect(last.locator("img")).to_have_js_property("complete", True)
    expect(page.get_by_role("link", name="Older ones")).to_have_count(0)
    page.get_by_role("link", name="Newest").click()
    expect(rows).to_have_count(50)
    assert "cursor" not in parse_qs(urlsplit(page.url).query)


@pytest.mark.proof
def test_a_prediction_is_corrected_and_taken_back_on_its_page(
    visit: Callable[..., Page], served: Services, complaints: list[str]
) -> None:
    (prediction,) = record(served, [Listing("zzz")])
    other = other_code(served, prediction)
    page = visit("reviewer", f"/predictions/{prediction.id}")
    code = page.get_by_label("Wrong: the true code is")
    code.fill("no such thing")
    page.get_by_text("Add a note").click()
    page.get_by_label("Note for others").fill("a toy")
    page.get_by_role("button", name="Correct it").click()
    expect(page.get_by_role("alert")).to_have_text(
        "There is no code 'no such thing'. Choose one from the list."
    )
    complaints.clear()  # the browser notes that this was a 400
    expect(page.get_by_label("Note for others")).to_have_value("a toy")
    code.fill(page.locator(f"datalist option[value$='· {other}']").get_attribute("value") or "")
    page.get_by_role("button", name="Correct it").click()
    expect(page.get_by_role("status")).to_have_text("Corrected.")
    history = page.locator(".history")
    expect(history).to_contain_text("a toy")
    expect(history).to_contain_text("reviewer")
    page.get_by_role("button", name="Take it back").click()
    expect(history).to_contain_text("taken back")
    page.get_by_role("button", name="It is ").first.click()
    expect(page.get_by_role("status")).to_have_text("Corrected.")


@pytest.mark.proof
def test_another_code_is_explained(visit: Callable[..., Page], served: Services) -> None:
    (prediction,) = record(served, [Listing("piscine hors sol avec pompe")])
    page = visit("client", f"/predictions/{prediction.id}")
    other = prediction.alternatives[0]["code"]
    page.get_by_role("link", name="Why not ").first.click()
    expect(page.locator(".explained")).to_contain_text(other)
    page.get_by_role("link", name="Back to the answer itself").click()
    expect(page.locator(".explained")).to_contain_text(prediction.code)


@pytest.mark.proof
@pytest.mark.parametrize(("language", "dark"), [("en", True), ("fr", False)])
def test_they_are_legible_on_a_phone_with_hostile_text(
    visit: Callable[..., Page],
    axe: Callable[[Page], list[str]],
    served: Services,
    picture: bytes,
    language: str,
    dark: bool,
) -> None:
    hostile = Listing(HOSTILE, '"><img src=x onerror=alert(1)>' + "x" * 300, picture, HOSTILE, HOSTILE)
    (prediction,) = record(served, [hostile])
    judge(served, prediction, other_code(served, prediction), HOSTILE)
    page = visit("reviewer", "/predictions?least=0", language=language, size=PHONE, dark=dark)
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Prédictions" if language == "fr" else "Predictions"
    )
    for path in ("/predictions?least=0", f"/predictions/{prediction.id}"):
        page.goto(path)
        expect(page.get_by_text(HOSTILE).first).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
