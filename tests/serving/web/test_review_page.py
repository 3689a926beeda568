"""Reviewing with a browser: by keyboard alone, two at once, and across a lost connection."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from rayon.data.listings import Listing
from rayon.operations.prediction_recorder import Question
from rayon.serving.services import Services
from rayon.store.predictions import (
    PredictionFilter,
    StoredPrediction,
    find_prediction,
    list_predictions,
    list_validations,
)

PHONE = {"width": 390, "height": 844}
SCRIPT = "<script>document.title='caught'</script>"
TITLES = [f"objet {word} {SCRIPT if n == 2 else 'zzz'}" for n, word in enumerate("abcdefghijkl")]


@pytest.fixture
def queued(served: Services, picture: bytes) -> list[StoredPrediction]:
    """Predictions that wait for a person, most of them unsure, one with a picture."""
    listings = [Listing(title, f"description de {title}") for title in TITLES]
    listings[0] = Listing(TITLES[0], "avec image", picture)
    questions = [served.recorder.prepare(listing) for listing in listings]
    found = served.recorder.record(questions, [None] * len(questions))
    waiting = [one for one in found if one.queued_for is not None]
    assert len(waiting) >= 8
    return waiting


def standing(served: Services, id: str) -> StoredPrediction:
    with served.database.read() as connection:
        found = find_prediction(connection, id)
    assert found is not None
    return found


def validated(served: Services) -> list[StoredPrediction]:
    with served.database.read() as connection:
        return list_predictions(connection, PredictionFilter(validated=True), 100)


def current(page: Page) -> str:
    """The id of the listing that is shown."""
    link = page.locator("[data-part=link]").get_attribute("href")
    assert link is not None
    return link.rpartition("/")[2]


def ready(page: Page) -> None:
    """Wait until a listing is there with all its choices."""
    expect(page.locator("[data-part=listing]")).to_be_visible()
    expect(page.locator(".choice")).to_have_count(5)


def stored(page: Page) -> None:
    """Wait until everything that was said is stored."""
    expect(page.locator("#review, #bulk")).to_have_attribute("data-unsent", "0")


def test_one_key_accepts_and_shows_the_next(
    visit: Callable[..., Page], served: Services, queued: list[StoredPrediction]
) -> None:
    page = visit("reviewer", "/review")
    ready(page)
    first = current(page)
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=told]")).to_have_text("Confirmed.")
    assert current(page) != first
    stored(page)
    assert standing(served, first).true_code == standing(served, first).code


@pytest.mark.proof
def test_the_whole_flow_by_keyboard(
    visit: Callable[..., Page], served: Services, queued: list[StoredPrediction]
) -> None:
    page = visit("reviewer", "/review")
    ready(page)
    first = current(page)
    second_choice = page.locator(".choice").nth(1).get_attribute("data-code")
    page.keyboard.press("2")
    ready(page)
    second = current(page)
    page.keyboard.press("/")  # fuzzy, without accents, with a letter that is missing
    page.keyboard.type("pisine")
    expect(page.locator("[role=option]").first).to_contain_text("Pools")
    page.keyboard.press("Enter")
    ready(page)
    third = current(page)
    page.keyboard.press("n")
    page.keyboard.type("une note u s 1")  # keys that mean something elsewhere
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    ready(page)
    fourth = current(page)
    page.keyboard.press("s")
    ready(page)
    assert len({first, second, third, fourth, current(page)}) == 5
    page.keyboard.press("u")
    assert current(page) == fourth
    page.keyboard.press("u")
    assert current(page) == third
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    stored(page)
    assert standing(served, first).true_code == second_choice
    assert standing(served, second).true_code == "2583"
    assert standing(served, third).validated_at is None
    with served.database.read() as connection:
        said = list_validations(connection, third)
    assert [one.verdict for one in said if one.verdict != "undone"] in ([], ["right"])
    expect(page.locator("[data-count=mine_today]")).to_have_text("2")


@pytest.mark.proof
def test_two_reviewers_never_see_the_same_listing_and_a_closed_tab_locks_none(
    visit: Callable[..., Page],
    served: Services,
    queued: list[StoredPrediction],
    until: Callable[[Callable[[], bool]], None],
) -> None:
    pages = [visit("reviewer", "/review"), visit("admin", "/review")]
    expect(pages[0].locator("[data-part=listing]")).to_be_visible()
    reviewer = served.accounts.find("reviewer").id

    def held() -> list[str]:
        return [one.id for one in queued if standing(served, one.id).leased_by == reviewer]

    assert len(held()) == 8  # the first has taken its part
    pages[0].close(run_before_unload=True)
    until(lambda: not held())
    expect(pages[1].locator("[data-part=listing]")).to_be_visible(timeout=30_000)
    seen = []
    for _ in queued:
        expect(pages[1].locator("[data-part=listing]")).to_be_visible(timeout=30_000)
        seen.append(current(pages[1]))
        pages[1].keyboard.press("Enter")
    stored(pages[1])
    assert set(seen) == {one.id for one in queued}


def _cut(context: BrowserContext) -> None:
    def fail(route: Route) -> None:
        route.abort("connectionfailed")

    context.route("**/api/**", fail)


@pytest.mark.proof
def test_a_lost_connection_loses_nothing(
    visit: Callable[..., Page], served: Services, queued: list[StoredPrediction], complaints: list[str]
) -> None:
    page = visit("reviewer", "/review")
    ready(page)
    _cut(page.context)
    answered = []
    for _ in range(3):
        answered.append(current(page))
        page.keyboard.press("Enter")
    expect(page.locator("[data-part=connection]")).to_contain_text("3 answers are kept here")
    assert validated(served) == []
    page.context.unroute("**/api/**")
    page.reload()  # what was not sent outlives the page
    stored(page)
    complaints.clear()  # the browser noted the failures that were made
    assert {one.id for one in validated(served)} == set(answered)
    with served.database.read() as connection:
        assert all(len(list_validations(connection, id)) == 1 for id in answered)


@pytest.mark.proof
def test_what_is_taken_back_is_taken_back_even_where_the_answer_of_the_server_was_lost(
    visit: Callable[..., Page], served: Services, queued: list[StoredPrediction], complaints: list[str]
) -> None:
    page = visit("reviewer", "/review")
    ready(page)

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionfailed")

    page.context.route("**/review/validations", lose, times=1)
    answered = current(page)
    page.keyboard.press("n")
    page.keyboard.type("doubtful")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=connection]")).to_contain_text("The connection is lost")
    assert [one.id for one in validated(served)] == [answered]
    page.keyboard.press("u")
    assert current(page) == answered
    expect(page.locator("[data-part=note]")).to_have_value("doubtful")  # nothing that was typed is lost
    stored(page)
    complaints.clear()  # the browser noted the failure that was made
    assert validated(served) == []


@pytest.mark.proof
def test_what_is_shown_again_is_held_again(
    visit: Callable[..., Page],
    served: Services,
    queued: list[StoredPrediction],
    until: Callable[[Callable[[], bool]], None],
) -> None:
    page = visit("reviewer", "/review")
    ready(page)
    reviewer = served.accounts.find("reviewer").id
    for key in ("Enter", "s"):
        shown = current(page)
        page.keyboard.press(key)
        stored(page)
        until(lambda shown=shown: standing(served, shown).leased_by is None)  # type: ignore[misc]
        page.keyboard.press("u")
        assert current(page) == shown
        until(lambda shown=shown: standing(served, shown).leased_by == reviewer)  # type: ignore[misc]


@pytest.mark.proof
def test_a_key_that_is_held_down_accepts_once(
    visit: Callable[..., Page], served: Services, queued: list[StoredPrediction]
) -> None:
    page = visit("reviewer", "/review")
    ready(page)
    page.locator("[data-do=accept]").click()  # where the focus stays
    stored(page)
    for _ in range(4):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    stored(page)
    assert len(validated(served)) == 2


@pytest.mark.proof
def test_no_code_is_given_to_a_group_that_nobody_has_seen(
    visit: Callable[..., Page], queued: list[StoredPrediction]
) -> None:
    page = visit("reviewer", "/review/bulk")
    expect(page.locator(".tile").first).to_be_visible()
    waiting: list[Route] = []
    page.context.route("**/review/similar", lambda route: waiting.append(route))
    page.locator(".tile input").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=told]")).to_contain_text("confirmed")
    page.keyboard.press("/")
    assert page.locator("dialog[open]").count() == 0
    for route in waiting:
        route.continue_()


@pytest.mark.proof
def test_who_was_signed_out_meanwhile_loses_nothing(
    visit: Callable[..., Page], served: Services, queued: list[StoredPrediction], complaints: list[str]
) -> None:
    page = visit("reviewer", "/review")
    ready(page)
    served.sessions.end_all(served.accounts.find("reviewer"))
    answered = current(page)
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=connection]")).to_contain_text("You are signed out. One answer is kept")
    page.get_by_role("link", name="Sign in again, and they are sent").click()
    page.get_by_label("Name").fill("reviewer")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/review")
    stored(page)
    complaints.clear()  # the browser noted that it was refused
    assert [one.id for one in validated(served)] == [answered]


@pytest.mark.proof
def test_many_at_once(
    visit: Callable[..., Page],
    served: Services,
    queued: list[StoredPrediction],
    axe: Callable[[Page], list[str]],
) -> None:
    page = visit("reviewer", "/review/bulk")
    tiles = page.locator(".tile")
    expect(tiles.first).to_be_visible()
    shown = tiles.count()
    assert axe(page) == []
    page.keyboard.press("Space")  # takes the first out
    expect(page.get_by_role("button", name=f"Confirm {shown - 1}")).to_be_visible()
    assert shown > 1
    page.locator(".tile input").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    said = "One confirmed." if shown == 2 else f"{shown - 1} confirmed."
    expect(page.locator("[data-part=told]")).to_have_text(said)
    stored(page)
    assert len(validated(served)) == shown - 1


@pytest.mark.proof
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_for_everybody_and_fits_a_phone(
    visit: Callable[..., Page], queued: list[StoredPrediction], axe: Callable[[Page], list[str]], dark: bool
) -> None:
    page = visit("reviewer", "/review", language="fr", dark=dark)
    ready(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Vérifier")
    assert axe(page) == []
    laptop = page.evaluate("[document.documentElement.scrollHeight, innerHeight]")
    assert laptop[0] <= laptop[1]  # everything on one screen
    page.keyboard.press("/")
    assert axe(page) == []
    phone = visit("reviewer", "/review", language="fr", dark=dark, size=PHONE)
    expect(phone.locator("[data-part=listing]")).to_be_visible()
    width, seen = phone.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= seen


@pytest.mark.proof
def test_texts_of_strangers_stay_texts(visit: Callable[..., Page], served: Services) -> None:
    served.recorder.record([Question(Listing(f"zzz {SCRIPT}", '"><img src=x onerror=alert(1)>'))], [None])
    page = visit("reviewer", "/review")
    expect(page.locator("[data-part=title]")).to_have_text(f"zzz {SCRIPT}")
    expect(page.locator("[data-part=description]")).to_have_text('"><img src=x onerror=alert(1)>')
    assert page.title() == "Review · Rayon"


@pytest.mark.proof
def test_texts_are_shown_as_people_read_them(visit: Callable[..., Page], served: Services) -> None:
    listing = Listing("Piscine compl&egrave;te zzz", "Pompe &amp;agrave; eau<br />et &lt;b&gt;zzz&lt;/b&gt;")
    served.recorder.record([Question(listing)], [None])
    page = visit("reviewer", "/review")
    expect(page.locator("mark").first).to_be_visible()
    expect(page.locator("[data-part=title]")).to_have_text("Piscine complète zzz")
    expect(page.locator("[data-part=description]")).to_have_text("Pompe à eau et zzz")


@pytest.mark.proof
def test_an_empty_queue_says_so(visit: Callable[..., Page]) -> None:
    page = visit("reviewer", "/account")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/review")
    expect(page.get_by_role("heading", name="Nothing waits for a person")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert sum(url.endswith("/leases") for url in asked) == 1
    page = visit("client", "/account")
    assert page.get_by_role("link", name="Review").count() == 0
