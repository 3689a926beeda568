"""The documentation of the API as a page."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from html import unescape

import httpx
import pytest
from playwright.sync_api import Page, expect

from rayon.serving.app import create_app
from rayon.serving.services import Services

PAGE = {"Accept": "text/html"}
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def page(anyone: httpx.Client) -> str:
    answer = anyone.get("/docs", headers=PAGE)
    assert answer.status_code == 200
    return answer.text


def part_of(page: str, method: str, path: str) -> str:
    """What the page says of an endpoint."""
    found = [one for one in page.split("<details")[1:] if f">{method}</span> <code>{path}</code>" in one]
    assert len(found) == 1, (method, path)
    return found[0].partition("</details>")[0]


def example_of(page: str, method: str, path: str) -> str:
    return unescape(re.findall(r"<pre class=\"panel\"><code>(.*?)</code>", part_of(page, method, path))[0])


def test_every_endpoint_and_schema_is_on_the_page(page: str, served: Services) -> None:
    document = create_app(served).openapi()
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            part = part_of(page, method.upper(), path)
            assert all(line in unescape(part) for line in one["description"].splitlines())
            for parameter in one.get("parameters", []):
                assert f"<code>{parameter['name']}</code>" in part, (method, path)
            for status in one["responses"]:
                assert re.search(rf"<strong>[\d, ]*{status}[\d, ]*</strong>", part), (method, path, status)
    for name in document["components"]["schemas"]:
        if not name.startswith("Body_"):  # forms are shown where they are sent
            assert f'id="{name}"' in page
    assert 'href="/openapi.json"' in page


def test_every_link_leads_to_a_place_of_the_page(page: str) -> None:
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_it_says_who_may_ask(page: str) -> None:
    def who(method: str, path: str) -> str:
        said = re.findall(r"Who may ask: (.*?)</p>", part_of(page, method, path))[0]
        return re.sub(r"<[^>]+>", "", said)

    assert who("GET", "/health/live") == "anyone."
    assert who("GET", "/metrics") == "client or above."
    assert who("POST", "/api/v1/predictions/{prediction_id}/validations") == "reviewer or above."
    assert who("DELETE", "/api/v1/users/{name}") == "admin."


def test_bodies_are_described_where_they_are_sent(page: str) -> None:
    part = part_of(page, "POST", "/api/v1/users")
    assert re.search(r"<code>password</code> <span class=\"quiet\">required</span>", part)
    assert "at least 10 characters; at most 1,024 characters" in part
    part = part_of(page, "POST", "/api/v1/jobs")
    assert "Body_" not in part
    assert re.search(r"<code>file</code> <span class=\"quiet\">required</span></td><td>file</td>", part)


def test_every_example_is_a_command_for_its_endpoint(page: str, served: Services) -> None:
    for path, methods in create_app(served).openapi()["paths"].items():
        for method in methods:
            words = shlex.split(example_of(page, method.upper(), path))
            address = re.escape(f"$RAYON{re.sub('{(.+?)}', lambda name: name[1].upper(), path)}")
            assert re.fullmatch(rf"{address}(\?.*)?", words[-1])
            if "-d" in words:
                json.loads(words[words.index("-d") + 1])


def test_examples_work(page: str, admin: httpx.Client) -> None:
    for method, path, status in (
        ("POST", "/api/v1/predictions", 200),
        ("POST", "/api/v1/predictions/batch", 200),
        ("POST", "/api/v1/keys", 201),
        ("POST", "/api/v1/review/leases", 200),
        ("GET", "/api/v1/users", 200),
    ):
        words = shlex.split(example_of(page, method, path))
        assert "Authorization: Bearer $KEY" in words
        body = words[words.index("-d") + 1].encode() if "-d" in words else None
        headers = {"Content-Type": "application/json"} if body else {}
        answer = admin.request(method, words[-1].removeprefix("$RAYON"), content=body, headers=headers)
        assert answer.status_code == status, (path, body, answer.text)


def test_it_is_made_once_and_holds_nothing_of_who_asked(anyone: httpx.Client) -> None:
    for host in ('a.example"><script>', "b.example"):
        page = anyone.get("/docs", headers={**PAGE, "Host": host}).text
        assert "<script>" not in page
        example = page.partition("<nav aria-label")[2]
        assert "a.example" not in example
    assert "RAYON=http://b.example" in page


@pytest.mark.proof
def test_it_is_for_everybody(visit: Callable[..., Page], axe: Callable[[Page], list[str]]) -> None:
    for options in ({"language": "fr"}, {"size": PHONE}, {"size": PHONE, "dark": True}):
        page = visit("", "/docs", **options)
        said = "L'API" if options.get("language") == "fr" else "The API"
        expect(page.get_by_role("heading", level=1)).to_have_text(said)
        summary = page.locator("summary", has_text="/api/v1/predictions/batch")
        summary.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text('"$RAYON/api/v1/predictions/batch"')).to_be_visible()
        assert axe(page) == []
        width, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width <= seen
