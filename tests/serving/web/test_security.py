"""Who may see which page, and what keeps sessions and forms from being misused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import update

from rayon.operations.sessions import IDLE, LONGEST, form_token
from rayon.serving.services import Services
from rayon.serving.web.router import SUBJECTS
from rayon.store.tables import sessions

NOBODY, CLIENT, REVIEWER, ADMIN = "nobody", "client", "reviewer", "admin"
RANK = (NOBODY, CLIENT, REVIEWER, ADMIN)
PAGE = {"Accept": "text/html"}
PASSWORD = "correct horse battery"

ROLES = {
    NOBODY: ["/sign-in", "/language", "/docs", "/static/{digest}/{name}"],
    CLIENT: [
        *("/", "/sign-out", "/account", "/account/password", "/account/keys"),
        *("/account/keys/{key_id}/revoke", "/classify", "/predictions", "/predictions/{prediction_id}"),
        *("/predictions/{prediction_id}/explanation", "/batches", "/batches/{job_id}"),
    ],
    REVIEWER: [
        "/review",
        "/monitoring",
        "/models",
        "/retrainings",
        "/predictions/{prediction_id}/validations",
    ],
    ADMIN: ["/people", "/models/rollback", "/models/{name}/promote"],
}
"""The least role that sees a page, by its address or the beginning of it; the longest that fits counts."""


def pages() -> Iterator[tuple[str, str]]:
    """Methods and paths of all pages."""
    for subject in SUBJECTS:
        for route in subject.router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods:
                yield method, route.path


def least_role(method: str, path: str) -> str:
    found = [
        (len(start), role)
        for role, starts in ROLES.items()
        for start in starts
        if path == start or (start != "/" and path.startswith(f"{start}/"))
    ]
    assert found, f"{method} {path} is missing from the table of roles"
    if (method, path) == ("POST", "/retrainings"):
        return ADMIN
    return max(found)[1]


def filled(path: str) -> str:
    return re.sub(r"{[^}]+}", "1", path)


@pytest.fixture
def browser(served: Services, address: str) -> Iterator[Callable[[str], httpx.Client]]:
    """Clients that hold the session of a user, as browsers do."""
    made: list[httpx.Client] = []

    def sign_in(name: str) -> httpx.Client:
        cookies = {}
        if name != NOBODY:
            cookies["rayon_session"] = served.sessions.begin(served.accounts.find(name))
        made.append(httpx.Client(base_url=address, cookies=cookies, headers=PAGE, timeout=30))
        return made[-1]

    yield sign_in
    for client in made:
        client.close()


def token_of(client: httpx.Client) -> str:
    return form_token(client.cookies["rayon_session"])


def test_every_page_is_for_its_role(browser: Callable[[str], httpx.Client]) -> None:
    clients = {role: browser(role) for role in RANK}
    for method, path in pages():
        if path == "/sign-out":
            continue  # it would end the sessions of the others' requests
        needed = least_role(method, path)
        for role in RANK:
            allowed = RANK.index(role) >= RANK.index(needed)
            if allowed and (method, path) == ("POST", "/monitoring"):
                continue  # it would begin a look
            headers = {"X-CSRF-Token": token_of(clients[role])} if role != NOBODY else {}
            answer = clients[role].request(method, filled(path), headers=headers)
            refused = answer.status_code in (401, 403) or "/sign-in" in answer.headers.get("location", "")
            if path in ("/sign-in", "/language"):
                continue
            assert refused != allowed, (method, path, role, answer.status_code)


def test_every_form_needs_the_token_of_its_session(browser: Callable[[str], httpx.Client]) -> None:
    admin, other = browser(ADMIN), browser(REVIEWER)
    posts = [path for method, path in pages() if method == "POST"]
    assert len(posts) > 15
    for path in posts:
        for data in ({}, {"csrf": "nonsense"}, {"csrf": token_of(other)}):
            answer = admin.post(filled(path), data=data)
            assert answer.status_code == 403, path
            assert "This form belongs to another session." in answer.text
    assert admin.get("/account").status_code == 200  # nobody was signed out meanwhile


def test_strangers_send_no_forms(browser: Callable[[str], httpx.Client]) -> None:
    stranger = browser(NOBODY)
    for method, path in pages():
        if method == "POST" and path not in ("/sign-in", "/language"):
            assert stranger.post(filled(path)).status_code == 401, path
    known = form_token("")  # what a form of no session would carry
    for data in ({}, {"csrf": known}):
        asked = {**data, "name": "client", "password": PASSWORD}
        assert stranger.post("/sign-in", data=asked).status_code == 403
        assert stranger.post("/language", data={**data, "language": "fr"}).status_code == 403


def test_strangers_pages_carry_a_token_of_their_own(anyone: httpx.Client) -> None:
    page = anyone.get("/docs", headers=PAGE)
    token = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
    assert token is not None
    assert token[1] == form_token(anyone.cookies["rayon_session"])
    chosen = anyone.post("/language", data={"csrf": token[1], "language": "fr", "next": "/docs"})
    assert chosen.headers["location"] == "/docs"


def test_signing_in_again_ends_the_session_before(browser: Callable[[str], httpx.Client]) -> None:
    client = browser(CLIENT)
    before = client.cookies["rayon_session"]
    data = {"csrf": token_of(client), "name": "client", "password": PASSWORD}
    assert client.post("/sign-in", data=data).status_code == 303
    client.cookies.clear()
    client.cookies["rayon_session"] = before
    assert not is_in(client)


def test_a_form_of_an_ended_session_opens_no_window_for_passwords(
    served: Services, browser: Callable[[str], httpx.Client]
) -> None:
    client = browser(CLIENT)
    served.sessions.end_all(served.accounts.find("client"))
    answer = client.post("/account/keys", data={"csrf": token_of(client), "name": "x"})
    assert answer.status_code == 401
    assert "www-authenticate" not in answer.headers


def test_other_sites_cannot_use_a_password_that_the_browser_keeps(anyone: httpx.Client) -> None:
    listing, auth = {"designation": "Piscine"}, ("client", PASSWORD)
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        headers = {"Sec-Fetch-Site": site}
        answer = anyone.post("/api/v1/predictions", json=listing, headers=headers, auth=auth)
        assert answer.status_code == status, site


def test_an_error_of_the_server_has_its_headers(address: str, served: Services, monkeypatch: Any) -> None:
    monkeypatch.setattr(type(served.registry), "promotions", None)  # nothing that anybody foresaw
    _, key = served.accounts.create_key("admin", "test", "test")
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.get(f"{address}/api/v1/models/promotions", headers=headers)
    assert answer.status_code == 500
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_a_wrong_method_names_the_right_ones(anyone: httpx.Client, browser: Any) -> None:
    assert anyone.post("/health/live").headers["allow"] == "GET"
    wrong = browser(CLIENT).put("/account/password", headers={"Accept": "application/json"})
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_every_answer_has_its_headers(browser: Callable[[str], httpx.Client], anyone: httpx.Client) -> None:
    page = browser(CLIENT).get("/account")
    assert page.headers["cache-control"] == "no-store"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    script = re.search(r'src="(/static/[^"]+\.js)"', page.text)
    assert script is not None
    for answer in (
        page,
        anyone.get(script[1]),
        anyone.get("/health/live"),
        anyone.get("/none", headers=PAGE),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert anyone.get(script[1].replace("rayon.js", "../languages.py")).status_code == 404


def test_cookies_are_for_this_server_alone(anyone: httpx.Client) -> None:
    plain = anyone.get("/sign-in", headers=PAGE).headers["set-cookie"]
    assert re.fullmatch(r"rayon_session=[\w-]{43}; HttpOnly; Path=/; SameSite=lax", plain)
    secure = anyone.get("/sign-in", headers={**PAGE, "X-Forwarded-Proto": "https"}).headers["set-cookie"]
    assert re.fullmatch(r"__Host-rayon_session=[\w-]{43}; HttpOnly; Path=/; SameSite=lax; Secure", secure)


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "/a\tb"]
)
def test_nobody_is_led_elsewhere(browser: Callable[[str], httpx.Client], wanted: str) -> None:
    client = browser(CLIENT)
    assert client.get("/sign-in", params={"next": wanted}).headers["location"] == "/"
    data = {"csrf": token_of(client), "next": wanted, "language": "fr"}
    assert client.post("/language", data=data).headers["location"] == "/"


def test_the_api_takes_a_session_only_from_its_pages(browser: Callable[[str], httpx.Client]) -> None:
    client = browser(CLIENT)
    listing = {"designation": "Piscine ronde"}
    assert client.get("/api/v1/users/me").json()["name"] == "client"
    for headers in ({}, {"X-CSRF-Token": "nonsense"}):
        answer = client.post("/api/v1/predictions", json=listing, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["detail"] == "This request does not come from a page of the session."
    headers = {"X-CSRF-Token": token_of(client)}
    assert client.post("/api/v1/predictions", json=listing, headers=headers).status_code == 200


def test_a_script_gets_no_window_for_passwords(anyone: httpx.Client) -> None:
    assert "www-authenticate" in anyone.get("/api/v1/users/me").headers
    asked = anyone.get("/api/v1/users/me", headers={"Sec-Fetch-Mode": "cors"})
    assert asked.status_code == 401
    assert "www-authenticate" not in asked.headers


def is_in(client: httpx.Client) -> bool:
    return client.get("/account").status_code == 200


def test_what_ends_sessions(served: Services, browser: Callable[[str], httpx.Client]) -> None:
    one, other = browser(CLIENT), browser(CLIENT)
    one.post("/sign-out", data={"csrf": token_of(one)})
    one.cookies["rayon_session"] = "gone"
    assert not is_in(one)
    assert is_in(other)
    served.accounts.change("client", "test", password="another long password")
    assert not is_in(other)
    third = browser(CLIENT)
    served.accounts.change("client", "test", role="reviewer")
    assert third.get("/review").status_code == 200  # a new role counts at once
    served.accounts.change("client", "test", disabled=True)
    assert not is_in(third)
    served.accounts.change("client", "test", disabled=False)
    assert not is_in(third)  # being let in again brings no old session back
    fourth, fifth = browser(CLIENT), browser(CLIENT)
    fourth.post("/sign-out", data={"csrf": token_of(fourth), "everywhere": "yes"})
    assert not is_in(fifth)
    sixth = browser(CLIENT)
    served.accounts.delete("client", "test")
    assert not is_in(sixth)


@pytest.mark.parametrize(("column", "longest"), [("seen_at", IDLE), ("created_at", LONGEST)])
def test_sessions_run_out(
    served: Services, browser: Callable[[str], httpx.Client], column: str, longest: timedelta
) -> None:
    client = browser(CLIENT)
    for share, expected in ((0.9, True), (1.01, False)):
        with served.database.write() as connection:
            moment = sessions.c["created_at"] if column == "created_at" else sessions.c["seen_at"]
            begun = connection.execute(sessions.select()).one()
            fresh = max(begun.created_at, begun.seen_at)
            connection.execute(update(sessions).values({moment.name: fresh - share * longest}))
        assert is_in(client) is expected


def test_errors_are_pages_for_people_and_problems_for_programs(
    browser: Callable[[str], httpx.Client], anyone: httpx.Client
) -> None:
    client = browser(CLIENT)
    page = client.get("/predictions/none", headers={**PAGE, "Accept-Language": "fr"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Page introuvable" in page.text
    assert page.headers["x-request-id"] in page.text
    asked = client.get("/predictions/none", headers={"Accept": "application/json"})
    assert asked.headers["content-type"] == "application/problem+json"
    assert anyone.get("/account", headers=PAGE).headers["location"] == "/sign-in?next=/account"
