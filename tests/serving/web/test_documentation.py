"""The documentation of the API as a page."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from rayon.serving.app import create_app
from rayon.serving.services import Services


def test_every_endpoint_and_schema_is_on_the_page(anyone: httpx.Client, served: Services) -> None:
    document = create_app(served).openapi()
    page = anyone.get("/docs", headers={"Accept": "text/html"}).text
    for path, methods in document["paths"].items():
        assert f"<code>{path}</code>" in page, path
        assert all(methods[method]["description"] for method in methods)
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page
    assert 'href="#PredictionOut"' in page


@pytest.mark.proof
def test_it_is_for_everybody(visit: Callable[..., Page], axe: Callable[[Page], list[str]]) -> None:
    page = visit("", "/docs", language="fr")
    expect(page.get_by_role("heading", level=1)).to_have_text("L'API")
    page.locator("summary").first.click()
    assert axe(page) == []
