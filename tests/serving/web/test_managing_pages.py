"""Start, models, retrainings and monitoring with a browser, for every role that sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rayon.data.listings import Listing
from rayon.operations.monitoring import Monitor
from rayon.operations.prediction_recorder import Question
from rayon.serving.services import Services

PHONE = {"width": 390, "height": 844}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def lived_in(served: Services, text_models: dict[str, Path]) -> dict[str, str]:
    """Two models, a look at the live service, and a few predictions; the names of the models."""
    names = {name: served.registry.register(text_models[name], "ann").name for name in ("champion", "better")}
    served.registry.promote(names["champion"], "ann", f"first {HOSTILE}")
    listings = [Listing("Piscine ronde 3 m"), Listing("zzz"), Listing(f"Console de jeux {HOSTILE}")]
    served.recorder.record([Question(one) for one in listings], [served.accounts.find("client").id] * 3)
    monitor = Monitor(served.database, served.images, text_models["champion"])
    monitor.look("ann", lambda stage, done, total: None)
    return names


def fits(page: Page) -> bool:
    width, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return bool(width <= seen)


@pytest.mark.proof
@pytest.mark.parametrize("path", ["/", "/models", "/retrainings", "/monitoring", "/account"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_are_for_everybody_and_fit_a_phone(
    visit: Callable[..., Page],
    lived_in: dict[str, str],
    axe: Callable[[Page], list[str]],
    path: str,
    dark: bool,
) -> None:
    page = visit("admin", path, language="fr", dark=dark)
    page.wait_for_load_state("networkidle")
    assert page.locator("html").get_attribute("lang") == "fr"
    assert axe(page) == []
    phone = visit("admin", path, size=PHONE, dark=dark)
    phone.wait_for_load_state("networkidle")
    assert axe(phone) == []
    assert fits(phone)


@pytest.mark.proof
def test_promoting_says_what_will_change_and_rolling_back_undoes_it(
    visit: Callable[..., Page], served: Services, lived_in: dict[str, str]
) -> None:
    page = visit("admin", "/models")
    assert HOSTILE in page.locator("main").inner_text()
    page.get_by_role("link", name="Promote…").click()
    expect(page.get_by_role("heading", name=f"Promote {lived_in['better']}")).to_be_visible()
    expect(page.get_by_text(f"{lived_in['better']} answers in the place of")).to_be_visible()
    page.get_by_label("Why?").fill("it is better")
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_role("status")).to_have_text("The model is promoted; processes follow within seconds.")
    assert served.registry.champion() == lived_in["better"]
    page.get_by_role("link", name="Roll back…").click()
    page.get_by_label("Why?").fill("it was not")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("status")).to_have_text(
        "The former champion is back; processes follow within seconds."
    )
    assert served.registry.champion() == lived_in["champion"]
    page.get_by_role("link", name=lived_in["better"]).first.click()
    expect(page.get_by_role("heading", name=lived_in["better"])).to_be_visible()


@pytest.mark.proof
def test_a_retraining_without_a_first_one_says_what_to_do(
    visit: Callable[..., Page], complaints: list[str]
) -> None:
    page = visit("admin", "/retrainings")
    page.get_by_label("Why?").fill("to see")
    page.get_by_role("button", name="Start a retraining").click()
    expect(page.get_by_role("alert")).to_have_text(
        "There was no retraining before, whose training data could be taken. "
        "Name it once: rayon retrain CATALOGUE."
    )
    complaints.clear()  # the browser noted that it was refused


@pytest.mark.proof
@pytest.mark.parametrize("path", ["/review", "/monitoring", "/models", "/retrainings"])
def test_clients_are_kept_out(visit: Callable[..., Page], complaints: list[str], path: str) -> None:
    page = visit("client", path)
    expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")
    complaints.clear()


def test_the_start_page_says_what_needs_doing(visit: Callable[..., Page], served: Services) -> None:
    served.recorder.record([Question(Listing("zzz"))], [None])
    page = visit("reviewer", "/")
    expect(page.get_by_text("One listing waits for a person.")).to_be_visible()
    page = visit("client", "/", language="fr")
    expect(page.get_by_text("Que faut-il classer ?")).to_be_visible()
    expect(page.get_by_role("link", name="Classer une annonce")).to_be_visible()
