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
@pytest.mark.parametrize("path", ["/", "/models", "/models/retrainings", "/monitoring", "/account"])
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
@pytest.mark.parametrize("path", ["/review", "/monitoring", "/models", "/models/retrainings"])
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
