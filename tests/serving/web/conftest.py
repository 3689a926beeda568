"""A real browser before a real server: Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib import resources

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

from rayon.serving.services import Services

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 800}
_WORDS = {"en": "en-GB", "fr": "fr-FR"}


@pytest.fixture
def database_url(empty_database: Callable[[str], str]) -> str:
    """Browsers see no difference between databases: one kind is enough."""
    return empty_database("sqlite")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a process."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        # The sandbox takes rights that containers lack; only our own pages are opened.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What browsers complained about: errors of scripts, refusals of the policy, answers that failed.

    A test that brings some about on purpose clears them.
    """
    return []


@pytest.fixture
def visit(
    chromium: Browser, served: Services, address: str, complaints: list[str]
) -> Iterator[Callable[..., Page]]:
    """Open a page as the user of a role (``""`` for nobody); nothing may be complained about in the end."""
    contexts = []

    def open_page(
        role: str,
        path: str = "/",
        *,
        language: str = "en",
        size: dict[str, int] | None = None,
        dark: bool = False,
    ) -> Page:
        context = chromium.new_context(
            base_url=address,
            locale=_WORDS[language],
            viewport=size or LAPTOP,
            color_scheme="dark" if dark else "light",
            timezone_id="Europe/Paris",
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        if role:
            token = served.sessions.begin(served.accounts.find(role))
            context.add_cookies([{"name": "rayon_session", "value": token, "url": address}])
        page = context.new_page()
        _listen(page, complaints)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def axe() -> Callable[[Page], list[str]]:
    """Look at a page with axe-core, and give what is seriously wrong with it."""
    source = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

    def look(page: Page) -> list[str]:
        page.evaluate(source)  # not as a script of the page, which its policy would refuse
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {one['help']} {[node['html'][:120] for node in one['nodes'][:3]]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]

    return look


def _listen(page: Page, complaints: list[str]) -> None:
    def console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{message.type}: {message.text}")

    def failed(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left meanwhile
            complaints.append(f"{request.url} failed: {request.failure}")

    def answered(response: Response) -> None:
        if response.status >= 500:
            complaints.append(f"{response.url} answered {response.status}")

    page.on("console", console)
    page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
    page.on("requestfailed", failed)
    page.on("response", answered)
