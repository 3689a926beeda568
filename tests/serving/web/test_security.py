"""Who may see which page, what keeps forms from being forged, and what ends a session."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape

import anyio
import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import select, update

from rayon.errors import StoreUnavailableError
from rayon.operations.sessions import IDLE, LONGEST, form_token
from rayon.serving.app import create_app
from rayon.serving.services import Services
from rayon.serving.web.rendering import environment
from rayon.store.tables import metadata, sessions

NOBODY, CLIENT, REVIEWER, ADMIN = "nobody", "client", "reviewer", "admin"
RANK = (NOBODY, CLIENT, REVIEWER, ADMIN)
PASSWORD = "correct horse battery"
OTHER = "another good password"
COOKIE = "rayon_session"
PAGE = {"Accept": "text/html"}
MAX_BODY = 3_000_000
"""Of the server of these tests."""

FORGED = "This form belongs to another session."

TABLE = {
    ("GET", "/docs"): NOBODY,
    ("GET", "/static/{digest}/{name}"): NOBODY,
    ("GET", "/sign-in"): NOBODY,
    ("POST", "/sign-in"): NOBODY,
    ("POST", "/language"): NOBODY,
    ("GET", "/"): CLIENT,
    ("POST", "/sign-out"): CLIENT,
    ("GET", "/account"): CLIENT,
    ("POST", "/account/password"): CLIENT,
    ("POST", "/account/keys"): CLIENT,
    ("POST", "/account/keys/{key_id}/revoke"): CLIENT,
    ("GET", "/classify"): CLIENT,
    ("POST", "/classify"): CLIENT,
    ("GET", "/predictions"): CLIENT,
    ("GET", "/predictions/{prediction_id}"): CLIENT,
    ("GET", "/predictions/{prediction_id}/explanation"): CLIENT,
    ("POST", "/predictions/{prediction_id}/validations"): REVIEWER,
    ("GET", "/batches"): CLIENT,
    ("POST", "/batches"): CLIENT,
    ("GET", "/batches/{job_id}"): CLIENT,
    ("POST", "/batches/{job_id}/start"): CLIENT,
    ("GET", "/batches/{job_id}/cancel"): CLIENT,
    ("POST", "/batches/{job_id}/cancel"): CLIENT,
    ("GET", "/batches/{job_id}/progress"): CLIENT,
    ("GET", "/batches/{job_id}/decisions"): CLIENT,
    ("GET", "/batches/{job_id}/failures.csv"): CLIENT,
    ("GET", "/batches/{job_id}/pictures/{row}"): CLIENT,
    ("GET", "/review"): REVIEWER,
    ("GET", "/review/bulk"): REVIEWER,
    ("GET", "/review/{prediction_id}/details"): REVIEWER,
    ("GET", "/monitoring"): REVIEWER,
    ("POST", "/monitoring"): REVIEWER,
    ("GET", "/monitoring/journal"): REVIEWER,
    ("GET", "/monitoring/looking"): REVIEWER,
    ("GET", "/monitoring/looking/state"): REVIEWER,
    ("GET", "/monitoring/reports/{name}"): REVIEWER,
    ("GET", "/monitoring/{run_id:int}"): REVIEWER,
    ("GET", "/monitoring/{run_id:int}/history"): REVIEWER,
    ("GET", "/monitoring/{run_id:int}/plots/{name}.svg"): REVIEWER,
    ("GET", "/models"): REVIEWER,
    ("GET", "/models/{name}"): REVIEWER,
    ("GET", "/models/verdicts/{verdict_id}"): REVIEWER,
    ("GET", "/models/compare"): REVIEWER,
    ("POST", "/models/compare"): ADMIN,
    ("GET", "/models/judging"): ADMIN,
    ("GET", "/models/judging/state"): ADMIN,
    ("GET", "/models/{name}/promote"): ADMIN,
    ("POST", "/models/{name}/promote"): ADMIN,
    ("GET", "/models/rollback"): ADMIN,
    ("POST", "/models/rollback"): ADMIN,
    ("GET", "/models/brake"): ADMIN,
    ("POST", "/models/brake"): ADMIN,
    ("POST", "/models/brake/release"): ADMIN,
    ("GET", "/models/recalibrate"): ADMIN,
    ("POST", "/models/recalibrate"): ADMIN,
    ("GET", "/models/import"): ADMIN,
    ("POST", "/models/import"): ADMIN,
    ("GET", "/models/retrainings"): REVIEWER,
    ("POST", "/models/retrainings"): ADMIN,
    ("GET", "/models/retrainings/{retraining_id}"): REVIEWER,
    ("GET", "/models/retrainings/{retraining_id}/progress"): REVIEWER,
    ("GET", "/people"): ADMIN,
    ("POST", "/people"): ADMIN,
    ("GET", "/people/audit"): ADMIN,
    ("GET", "/people/keys"): ADMIN,
    ("GET", "/people/{name}"): ADMIN,
    ("POST", "/people/{name}/role"): ADMIN,
    ("POST", "/people/{name}/password"): ADMIN,
    ("POST", "/people/{name}/access"): ADMIN,
    ("GET", "/people/{name}/delete"): ADMIN,
    ("POST", "/people/{name}/delete"): ADMIN,
    ("POST", "/people/{name}/keys/{key_id}/revoke"): ADMIN,
}
"""Methods and paths of all pages, with the least role that may ask for each."""

EVERYTHING = {
    "name": "client",
    "role": "admin",
    "password": OTHER,
    "current": PASSWORD,
    "new": OTHER,
    "again": OTHER,
    "everywhere": "yes",
    "disabled": "yes",
    "designation": "Piscine ronde 3 m",
    "verdict": "right",
    "reason": "because",
    "force": "yes",
    "language": "fr",
}
"""Fields that would make any of the forms do something."""

Browser = Callable[..., httpx.Client]


@pytest.fixture
def browser(served: Services, address: str) -> Iterator[Browser]:
    """Clients with the session of a user, as browsers have them; ``headers`` are added to theirs."""
    made: list[httpx.Client] = []

    def open_one(name: str = NOBODY, **headers: str) -> httpx.Client:
        made.append(httpx.Client(base_url=address, headers={**PAGE, **headers}, timeout=30))
        if name != NOBODY:
            made[-1].cookies.set(COOKIE, served.sessions.begin(served.accounts.find(name)))
        return made[-1]

    yield open_one
    for client in made:
        client.close()


def token_of(client: httpx.Client) -> str:
    """What the forms of a browser's session carry."""
    return form_token(client.cookies.get(COOKIE, ""))


def filled(path: str, user: str = CLIENT) -> str:
    """A path with something for each of its parameters."""
    named = path.replace("/people/{name}", f"/people/{user}")
    return re.sub(r"{\w+}", "none", re.sub(r"{\w+:int}", "1", named))


def is_in(client: httpx.Client) -> bool:
    answer = client.get("/account")
    assert answer.status_code in (200, 303)
    return answer.status_code == 200


def test_every_page_is_in_the_table(served: Services) -> None:
    pages = {
        (method, str(context.path))
        for context in iter_route_contexts(create_app(served).routes)
        if not context.include_in_schema and context.path != "/openapi.json"
        for method in context.methods or ()
    }
    assert pages - set(TABLE) == set(), "pages that are missing from the table, with no role to check"
    assert set(TABLE) - pages == set(), "pages of the table that do not exist any more"


def test_every_row_of_the_table(served: Services, browser: Browser) -> None:
    for (method, path), needed in TABLE.items():
        for role in RANK:
            client = browser(role)
            headers = {"X-CSRF-Token": token_of(client)} if role != NOBODY else {}
            with served.looking, served.judging:  # whoever is let in begins nothing that takes long
                answer = client.request(method, filled(path, "none"), headers=headers)
            case = (method, path, role, answer.status_code)
            if RANK.index(role) >= RANK.index(needed):
                if needed != NOBODY:
                    assert answer.status_code not in (401, 403), case
                    assert "/sign-in?next" not in answer.headers.get("location", ""), case
            elif role != NOBODY:
                assert answer.status_code == 403, case
                assert f"This takes the role '{needed}'" in unescape(answer.text), case
            elif method == "GET":
                assert answer.status_code == 303, case
                wanted = "" if path == "/" else f"?next={filled(path, 'none')}"
                assert answer.headers["location"] == f"/sign-in{wanted}", case
            else:
                assert answer.status_code == 401, case
            client.close()


def everything_stored(served: Services) -> dict[str, list[tuple[object, ...]]]:
    with served.database.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


def test_no_form_without_the_token_of_its_session_does_anything(served: Services, browser: Browser) -> None:
    admin, other = browser(ADMIN), browser(ADMIN)
    before = everything_stored(served)
    posts = [path for method, path in TABLE if method == "POST"]
    assert len(posts) > 20
    for path in posts:
        for token in (None, "", "nonsense", form_token(""), token_of(other)):
            carried = {} if token is None else {"csrf": token}
            answer = admin.post(filled(path), data={**EVERYTHING, **carried})
            assert (answer.status_code, FORGED in answer.text) == (403, True), (path, token)
            headers = {} if token is None else {"X-CSRF-Token": token}
            assert admin.post(filled(path), data=EVERYTHING, headers=headers).status_code == 403, path
            assert "set-cookie" not in answer.headers
    assert everything_stored(served) == before


def test_strangers_send_no_forms(served: Services, browser: Browser) -> None:
    before = everything_stored(served)
    for method, path in TABLE:
        if method == "POST":
            # What a form of no session would carry is known to everybody.
            answer = browser().post(filled(path), data={**EVERYTHING, "csrf": form_token("")})
            assert answer.status_code == (403 if TABLE[method, path] == NOBODY else 401), path
    assert everything_stored(served) == before


def test_strangers_sign_in_and_choose_a_language_with_the_forms_of_their_pages(browser: Browser) -> None:
    for path in ("/sign-in", "/docs", "/none"):
        stranger = browser()
        page = stranger.get(path)
        (token,) = set(re.findall(r'name="csrf" value="(\w+)"', page.text))
        chosen = stranger.post("/language", data={"csrf": token, "language": "fr", "next": path})
        assert (chosen.status_code, chosen.headers["location"]) == (303, path)
        assert '<html lang="fr">' in stranger.get(path).text
        made = stranger.post("/sign-in", data={"csrf": token, "name": CLIENT, "password": PASSWORD})
        assert made.status_code == 303
        assert is_in(stranger)


# ---------------------------------------------------------------- sessions


def sign_in(client: httpx.Client, name: str = CLIENT, password: str = PASSWORD) -> httpx.Response:
    client.get("/sign-in")
    data = {"csrf": token_of(client), "name": name, "password": password}
    return client.post("/sign-in", data=data)


def test_nobody_can_fix_the_session_of_somebody_else(browser: Browser) -> None:
    victim, attacker = browser(), browser()
    planted = "x" * 43
    for client in (victim, attacker):
        client.cookies.set(COOKIE, planted)
    assert (
        victim.post("/sign-in", data={"csrf": form_token(planted), "name": CLIENT, "password": PASSWORD})
        .headers["set-cookie"]
        .startswith(f"{COOKIE}=")
    )
    assert not is_in(attacker)


def test_signing_in_again_ends_the_session_before(browser: Browser) -> None:
    client, copy = browser(REVIEWER), browser()
    copy.cookies.set(COOKIE, client.cookies[COOKIE])
    assert is_in(copy)
    answer = client.post("/sign-in", data={"csrf": token_of(client), "name": CLIENT, "password": PASSWORD})
    assert answer.status_code == 303
    assert not is_in(copy)


def test_a_wrong_password_signs_nobody_in(served: Services, browser: Browser) -> None:
    client = browser()
    before = everything_stored(served)["sessions"]
    answer = sign_in(client, password="wrong")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "www-authenticate" not in answer.headers
    assert everything_stored(served)["sessions"] == before == []


def test_signing_out_ends_the_session_on_the_server(browser: Browser) -> None:
    client, copy, elsewhere = browser(CLIENT), browser(), browser(CLIENT)
    copy.cookies.set(COOKIE, client.cookies[COOKIE])
    answer = client.post("/sign-out", data={"csrf": token_of(client)})
    assert answer.headers["location"] == "/sign-in?done=signed-out"
    assert re.match(rf'{COOKIE}=""; .*Max-Age=0', answer.headers["set-cookie"])
    assert not is_in(copy)
    assert is_in(elsewhere)


def test_signing_out_everywhere_ends_all_sessions_of_oneself_alone(browser: Browser) -> None:
    client, elsewhere, other = browser(CLIENT), browser(CLIENT), browser(REVIEWER)
    client.post("/sign-out", data={"csrf": token_of(client), "everywhere": "yes"})
    assert not is_in(elsewhere)
    assert is_in(other)


def test_changing_ones_password_leaves_one_new_session(browser: Browser) -> None:
    client, copy, elsewhere = browser(CLIENT), browser(), browser(CLIENT)
    copy.cookies.set(COOKIE, client.cookies[COOKIE])
    data = {"csrf": token_of(client), "current": "wrong", "new": OTHER, "again": OTHER}
    refused = client.post("/account/password", data=data)
    assert (refused.status_code, "www-authenticate" in refused.headers) == (401, False)
    assert is_in(elsewhere)
    changed = client.post("/account/password", data={**data, "current": PASSWORD})
    assert changed.headers["location"] == "/account?done=password-changed"
    assert is_in(client)
    assert not is_in(copy)
    assert not is_in(elsewhere)


@pytest.mark.parametrize(
    ("method", "path", "json"),
    [
        ("PATCH", "/api/v1/users/client", {"password": OTHER}),
        ("PATCH", "/api/v1/users/client", {"disabled": True}),
        ("DELETE", "/api/v1/users/client", None),
    ],
)
def test_what_an_administrator_does_ends_the_sessions(
    browser: Browser, admin: httpx.Client, method: str, path: str, json: dict[str, object] | None
) -> None:
    client, other = browser(CLIENT), browser(REVIEWER)
    assert admin.request(method, path, json=json).is_success
    assert not is_in(client)
    assert client.get("/api/v1/users/me", headers={"Accept": "*/*"}).status_code == 401
    assert is_in(other)
    if json == {"disabled": True}:
        admin.patch(path, json={"disabled": False})
        assert not is_in(client)  # being let in again brings no session back


def test_another_role_counts_at_once(served: Services, browser: Browser) -> None:
    client = browser(CLIENT)
    assert client.get("/review").status_code == 403
    served.accounts.change(CLIENT, "test", role=ADMIN)
    assert client.get("/people").status_code == 200
    served.accounts.change(CLIENT, "test", role=CLIENT)
    assert client.get("/people").status_code == 403
    assert client.get("/api/v1/users").status_code == 403


@pytest.mark.parametrize(("column", "longest"), [("seen_at", IDLE), ("created_at", LONGEST)])
def test_sessions_run_out(served: Services, browser: Browser, column: str, longest: timedelta) -> None:
    client = browser(CLIENT)
    begun = client.cookies[COOKIE]
    with served.database.read() as connection:
        (moment,) = connection.execute(select(sessions.c[column])).scalars()
    for share, expected in ((0.99, True), (1.01, False)):
        with served.database.write() as connection:
            connection.execute(update(sessions).values({column: moment - share * longest}))
        assert is_in(client) is expected
        answer = client.get("/api/v1/users/me", headers={"Accept": "*/*"})
        assert answer.status_code == (200 if expected else 401)
    assert client.cookies[COOKIE] == begun


def test_a_session_that_is_used_goes_on(served: Services, browser: Browser) -> None:
    client = browser(CLIENT)
    with served.database.write() as connection:
        (moment,) = connection.execute(select(sessions.c.seen_at)).scalars()
        connection.execute(update(sessions).values(seen_at=moment - 0.9 * IDLE))
    assert is_in(client)
    with served.database.read() as connection:
        assert connection.execute(select(sessions.c.seen_at)).scalar_one() >= moment


def test_a_form_of_a_session_that_has_ended_says_so(served: Services, browser: Browser) -> None:
    client = browser(CLIENT)
    served.sessions.end(client.cookies[COOKIE])
    answer = client.post("/account/keys", data={"csrf": token_of(client), "name": "import"})
    assert answer.status_code == 401
    assert "Nobody is signed in." in answer.text
    assert "www-authenticate" not in answer.headers  # the browser would ask in a window of its own
    assert served.accounts.keys(served.accounts.find(CLIENT)) == []
    assert sign_in(client).status_code == 303  # under the same cookie, which is worth nothing by itself


@pytest.mark.parametrize("token", ["", "x", "\xe9", "x" * 5000, 'a"b', "rk_nonsense"])
def test_odd_tokens_are_nobodys(address: str, token: str) -> None:
    headers = [(b"cookie", f"{COOKIE}={token}".encode("latin-1")), (b"accept", b"text/html")]
    answer = httpx.get(f"{address}/account", headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/account")


def test_only_hashes_of_tokens_are_stored(served: Services, browser: Browser) -> None:
    client = browser(CLIENT)
    assert client.cookies[COOKIE] not in repr(everything_stored(served))
    page = client.get("/account")
    assert client.cookies[COOKIE] not in page.text
    assert token_of(client) in page.text


# ---------------------------------------------------------------- cookies and headers


def test_cookies_are_for_this_server_alone(browser: Browser) -> None:
    plain = browser().get("/sign-in").headers["set-cookie"]
    assert re.fullmatch(rf"{COOKIE}=[\w-]{{43}}; HttpOnly; Path=/; SameSite=lax", plain)
    secure = browser(**{"X-Forwarded-Proto": "https"}).get("/sign-in").headers["set-cookie"]
    assert re.fullmatch(rf"__Host-{COOKIE}=[\w-]{{43}}; HttpOnly; Path=/; SameSite=lax; Secure", secure)


def test_over_tls_a_session_is_known_by_the_guarded_cookie_alone(served: Services, browser: Browser) -> None:
    token = served.sessions.begin(served.accounts.find(CLIENT))
    tls = {"X-Forwarded-Proto": "https"}
    assert is_in(browser(**tls, Cookie=f"__Host-{COOKIE}={token}"))
    assert not is_in(browser(**tls, Cookie=f"{COOKIE}={token}"))  # a plain page of the host may set this one
    assert not is_in(browser(Cookie=f"__Host-{COOKIE}={token}"))


def test_the_language_is_kept_in_a_cookie_like_the_session(browser: Browser) -> None:
    client = browser(CLIENT)
    answer = client.post("/language", data={"csrf": token_of(client), "language": "fr"})
    assert answer.headers["set-cookie"] == (
        "rayon_language=fr; HttpOnly; Max-Age=31536000; Path=/; SameSite=lax"
    )
    refused = client.post("/language", data={"csrf": token_of(client), "language": "../fr"})
    assert (refused.status_code, "set-cookie" in refused.headers) == (303, False)


@pytest.mark.parametrize("value", ["", "de", "FR", "../fr", "fr;x", '"<script>"', "\xe9", "f" * 5000])
def test_odd_languages_are_english(address: str, value: str) -> None:
    headers = [(b"cookie", f"rayon_language={value}".encode("latin-1")), (b"accept", b"text/html")]
    answer = httpx.get(f"{address}/sign-in", headers=headers)
    assert answer.status_code == 200
    assert ('<html lang="fr">' if value == "fr;x" else '<html lang="en">') in answer.text
    assert "<script>" not in answer.text


def guarded(answer: httpx.Response) -> None:
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert policy["base-uri"] == "'none'"
        assert "unsafe" not in answer.headers["content-security-policy"]
    else:
        assert set(policy) == {"default-src", "frame-ancestors"}


def test_every_answer_is_guarded(browser: Browser, anyone: httpx.Client) -> None:
    client = browser(CLIENT)
    page = client.get("/account")
    script = re.findall(r'src="(/static/[^"]+\.js)"', page.text)[0]
    for answer in (
        page,
        client.get("/none"),
        client.get("/people"),
        client.post("/account/keys"),
        client.get("/api/v1/users/me"),
        client.get("/api/v1/none"),
        anyone.get("/account", headers=PAGE),
        anyone.get("/api/v1/users/me"),
        anyone.get("/health/live"),
        anyone.get("/openapi.json"),
        anyone.get("/docs", headers=PAGE),
        anyone.request("TRACE", "/"),
        anyone.post("/api/v1/predictions", content=b"x" * (MAX_BODY + 1)),
    ):
        guarded(answer)
        assert answer.headers["cache-control"] == "no-store", answer.url
    static = anyone.get(script)
    guarded(static)
    assert static.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert static.headers["content-type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize("name", ["../languages.py", "..%2flanguages.py", "rayon.py", "", "%00", "RAYON.JS"])
def test_static_files_are_those_alone(browser: Browser, anyone: httpx.Client, name: str) -> None:
    script = re.findall(r'src="(/static/[^"]+)rayon\.js"', browser().get("/sign-in").text)[0]
    assert anyone.get(f"{script}rayon.js").status_code == 200
    assert anyone.get(f"{script}{name}").status_code == 404


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_even_what_fails_unforeseen_is_guarded_and_says_nothing(served: Services, accept: str) -> None:
    app = create_app(served)

    @app.get("/broken")
    def broken() -> None:
        raise ValueError("a secret of the server")

    with pytest.raises(ValueError, match="a secret of the server"):
        call(app, "/broken", accept, passes_on=True)
    answer = call(app, "/broken", accept)
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith(
        "text/html" if "html" in accept else "application/problem"
    )
    assert answer.headers["x-request-id"] in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "secret" not in answer.text
    guarded(answer)


def call(app: object, path: str, accept: str, *, passes_on: bool = False) -> httpx.Response:
    """Ask an application without a server; ``passes_on`` says whether its errors are raised."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=passes_on)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path, headers={"Accept": accept})

    with ThreadPoolExecutor(1) as pool:  # a browser of another test may have a loop in this thread
        return pool.submit(anyio.run, ask).result()


# ---------------------------------------------------------------- the API


def test_the_api_takes_a_session_only_from_its_pages(served: Services, browser: Browser) -> None:
    client, other = browser(CLIENT), browser(REVIEWER)
    assert client.get("/api/v1/users/me").json()["name"] == "client"
    for headers in (
        {},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "nonsense"},
        {"X-CSRF-Token": token_of(other)},
    ):
        for method, path in (
            ("POST", "/api/v1/keys"),
            ("DELETE", "/api/v1/keys/x"),
            ("PUT", "/api/v1/brake"),
        ):
            answer = client.request(method, path, json={"name": "import"}, headers=headers)
            assert answer.status_code == 403
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"] == "This request does not come from a page of the session."
    assert served.accounts.keys() == []
    own = {"X-CSRF-Token": token_of(client)}
    assert client.post("/api/v1/keys", json={"name": "import"}, headers=own).status_code == 201


def test_a_session_is_nothing_where_somebody_says_otherwise_who_they_are(browser: Browser) -> None:
    client = browser(ADMIN)
    answer = client.get("/api/v1/users", headers={"Authorization": "Bearer rk_nonsense"})
    assert answer.status_code == 401


def test_browsers_open_no_window_for_passwords(anyone: httpx.Client) -> None:
    path = "/api/v1/users/me"
    asked = anyone.get(path)
    assert asked.headers["www-authenticate"] == 'Basic realm="Rayon", charset="UTF-8"'
    for mode in ("cors", "no-cors", "same-origin"):
        asked = anyone.get(path, headers={"Sec-Fetch-Mode": mode})
        assert (asked.status_code, "www-authenticate" in asked.headers) == (401, False)
        assert asked.headers["content-type"] == "application/problem+json"
    sent = anyone.post("/api/v1/keys", headers={"Sec-Fetch-Mode": "navigate"})
    assert (sent.status_code, "www-authenticate" in sent.headers) == (401, False)


def test_who_follows_a_link_to_a_file_of_the_api_is_led_to_sign_in_and_back(browser: Browser) -> None:
    stranger = browser(**{"Sec-Fetch-Mode": "navigate"})
    answer = stranger.get("/api/v1/predictions/export?format=csv")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/sign-in?next=/api/v1/predictions/export%3Fformat%3Dcsv",
    )


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_password_that_a_browser_keeps_is_of_no_use_to_other_sites(anyone: httpx.Client, site: str) -> None:
    basic = b64encode(f"{CLIENT}:{PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Sec-Fetch-Site": site}
    answer = anyone.post("/api/v1/keys", json={"name": "import"}, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (403, "This request comes from another site.")
    for site in ("none", "same-origin"):
        answer = anyone.post(
            "/api/v1/keys", json={"name": "import"}, headers={**headers, "Sec-Fetch-Site": site}
        )
        assert answer.status_code == 201


# ---------------------------------------------------------------- where one is led, and errors


@pytest.mark.parametrize(
    "wanted",
    [
        *("//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example"),
        *(
            "https://evil.example",
            "javascript:alert(1)",
            "evil.example",
            "/a\tb",
            "/\n/evil.example",
            "",
            " /a",
        ),
    ],
)
def test_nobody_is_led_elsewhere(browser: Browser, wanted: str) -> None:
    client, stranger = browser(CLIENT), browser()
    assert client.get("/sign-in", params={"next": wanted}).headers["location"] == "/"
    data = {"csrf": token_of(client), "next": wanted, "language": "fr"}
    assert client.post("/language", data=data).headers["location"] == "/"
    page = stranger.get("/sign-in", params={"next": wanted})
    assert '<input type="hidden" name="next" value="/">' in page.text
    data = {"csrf": token_of(stranger), "next": wanted, "name": CLIENT, "password": PASSWORD}
    assert stranger.post("/sign-in", data=data).headers["location"] == "/"


def test_an_address_with_two_slashes_leads_nowhere_else(browser: Browser) -> None:
    client = browser(CLIENT)
    page = client.get(f"{client.base_url}//evil.example/x")
    assert page.status_code == 404
    data = {"csrf": token_of(client), "next": "//evil.example/x", "language": "fr"}
    assert client.post("/language", data=data).headers["location"] == "/"


def test_who_signs_in_comes_back(browser: Browser) -> None:
    stranger = browser()
    answer = stranger.get("/predictions?least=50&state=waiting")
    assert answer.headers["location"] == "/sign-in?next=/predictions%3Fleast%3D50%26state%3Dwaiting"
    page = stranger.get(answer.headers["location"])
    (wanted,) = re.findall(r'name="next" value="(/predictions[^"]*)"', page.text)
    data = {"csrf": token_of(stranger), "next": unescape(wanted), "name": CLIENT, "password": PASSWORD}
    assert stranger.post("/sign-in", data=data).headers["location"] == "/predictions?least=50&state=waiting"


def test_errors_are_pages_for_people_and_problems_for_programs(browser: Browser) -> None:
    client = browser(CLIENT, **{"Accept-Language": "fr"})
    for path, status, title in (
        ("/predictions/none", 404, "Page introuvable"),
        ("/none", 404, "Page introuvable"),
        ("/people", 403, "Accès refusé"),
    ):
        page = client.get(path)
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert f"<h1>{title}</h1>" in page.text
        assert page.headers["x-request-id"] in page.text
        problem = client.get(path, headers={"Accept": "application/json"})
        assert problem.status_code == status
        assert problem.headers["content-type"] == "application/problem+json"
        assert problem.json()["request_id"] == problem.headers["x-request-id"]
    for path in ("/api/v1/none", "/health/none"):  # never pages, whatever is asked for
        assert client.get(path).headers["content-type"] == "application/problem+json"


def test_what_an_address_says_is_never_read_as_html(browser: Browser) -> None:
    client = browser(ADMIN)
    hostile = "%3Cscript%3Ealert(1)%3C/script%3E"
    for path in (f"/{hostile}", f"/predictions/{hostile}", f"/people/{hostile}", f"/models/{hostile}"):
        page = client.get(path)
        assert page.status_code in (404, 422), path
        assert "<script>alert" not in page.text, path
    page = browser().get(
        "/sign-in", params={"next": '/"><script>alert(1)</script>', "done": "<script>alert(2)"}
    )
    assert "<script>alert" not in page.text


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
def test_methods_that_a_page_does_not_have_are_refused(browser: Browser, method: str) -> None:
    client = browser(CLIENT)
    headers = {"X-CSRF-Token": token_of(client), "Origin": "https://evil.example"}
    answer = client.request(method, "/account", headers=headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    guarded(answer)


def test_no_page_says_where_the_database_is() -> None:
    error = StoreUnavailableError("The database /srv/rayon.db is locked", "Wait", public="It cannot be used")
    template = environment("en").from_string('{% import "macros.html.j2" as m %}{{ m.problem(error) }}')
    assert "It cannot be used." in template.render(error=error)
    assert "/srv" not in template.render(error=error)
