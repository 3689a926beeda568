"""People: users, roles, passwords, keys and the audit log, and what an administrator is told of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from rayon.errors import AuthenticationError, NotFoundError
from rayon.operations.accounts import COMMAND_LINE
from rayon.serving.services import Services
from rayon.store import audit

PHONE = {"width": 390, "height": 844}
PASSWORD = "correct horse battery"
HOSTILE = '"><img src=x onerror=alert(1)>'

Open = Callable[..., httpx.Client]


@pytest.fixture
def browser(served: Services, address: str) -> Iterator[Open]:
    """What a browser of somebody signed in asks, without the browser."""
    made: list[httpx.Client] = []

    def signed_in(role: str = "admin", language: str = "en") -> httpx.Client:
        token = served.sessions.begin(served.accounts.find(role))
        headers = {"Accept": "text/html", "Accept-Language": language}
        client = httpx.Client(base_url=address, cookies={"rayon_session": token}, headers=headers, timeout=30)
        made.append(client)
        return client

    yield signed_in
    for client in made:
        client.close()


def send(client: httpx.Client, path: str, **values: str) -> httpx.Response:
    """Send a form as a page of the session would."""
    (token,) = re.findall(r'<meta name="csrf" content="([^"]+)">', client.get("/account").text)
    return client.post(path, data={"csrf": token, **values})


def words(page: httpx.Response, role: str = "alert") -> str:
    """What a notice of the page says."""
    (found,) = re.findall(rf'role="{role}">(.*?)</div>', page.text, re.DOTALL)
    return unescape(re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", "", found))).strip()


def rows(page: httpx.Response) -> list[list[str]]:
    """The first table of the page, as text, without its head."""
    body = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
    return [
        [
            unescape(re.sub(r"<[^>]+>", "", cell)).strip()
            for cell in re.findall(r"<td.*?>(.*?)</td>", row, re.S)
        ]
        for row in body.split("</tr>")[:-1]
    ]


def test_the_language_can_be_changed_wherever_a_form_has_led(browser: Open) -> None:
    admin = browser()
    for path in (
        "/people/client/password",
        "/people/client/role",
        "/people/admin/access",
        "/models/brake/release",
        "/account/keys",
        "/account/password",
    ):
        page = send(admin, path, disabled="yes")
        (back,) = re.findall(r'name="next" value="([^"]+)"', page.text)
        assert admin.get(back).status_code == 200, (path, back)


@pytest.mark.parametrize("role", ["client", "reviewer"])
def test_they_are_for_administrators_alone(served: Services, browser: Open, role: str) -> None:
    client = browser(role)
    for path in ("/people", "/people/audit", "/people/client", "/people/client/delete"):
        assert client.get(path).status_code == 403, path
    forms = {
        "/people": {"name": "zoe", "role": "admin"},
        "/people/client/role": {"role": "admin"},
        "/people/client/password": {},
        "/people/client/access": {},
        "/people/client/keys/1/revoke": {},
        "/people/client/delete": {},
    }
    for path, values in forms.items():
        assert send(client, path, **values).status_code == 403, path
    assert [one.name for one in served.accounts.users()] == ["admin", "client", "reviewer"]


def test_a_form_from_elsewhere_changes_nothing(served: Services, browser: Open) -> None:
    assert browser().post("/people/client/delete", data={"csrf": "x"}).status_code == 403
    assert served.accounts.find("client").role == "client"


def test_all_users_are_listed(served: Services, browser: Open) -> None:
    served.accounts.change("client", "admin", disabled=True)
    page = browser().get("/people")
    assert [row[:3] for row in rows(page)] == [
        ["admin (you)", "admin", "active"],
        ["client", "client", "disabled"],
        ["reviewer", "reviewer", "active"],
    ]


def test_a_user_is_created_with_the_password_that_was_typed(served: Services, browser: Open) -> None:
    admin = browser()
    answer = send(admin, "/people", name=" zoé@shop ", role="reviewer", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/people/zo%C3%A9%40shop?done=user-created",
    )
    page = admin.get(answer.headers["location"])
    assert words(page, "status") == "The user is created."
    assert PASSWORD not in page.text
    assert served.accounts.sign_in("zoé@shop", PASSWORD, "test").role == "reviewer"


def test_a_password_is_made_up_where_none_is_typed_and_shown_once(served: Services, browser: Open) -> None:
    admin = browser()
    answer = send(admin, "/people", name="zoe", role="client", password="")
    (secret,) = re.findall(r'<code class="secret">([^<]+)</code>', answer.text)
    assert answer.status_code == 201
    assert served.accounts.sign_in("zoe", secret, "test").name == "zoe"
    assert secret not in admin.get("/people/zoe").text
    answer = send(admin, "/people/zoe/password", password="")
    (other,) = re.findall(r'<code class="secret">([^<]+)</code>', answer.text)
    assert other != secret
    assert served.accounts.sign_in("zoe", other, "test").name == "zoe"
    with pytest.raises(AuthenticationError):
        served.accounts.sign_in("zoe", secret, "test")


@pytest.mark.parametrize(
    ("language", "name", "password", "status", "said"),
    [
        (
            "en",
            "client",
            PASSWORD,
            409,
            "There is a user named 'client' already. Choose another name.",
        ),
        (
            "fr",
            "client",
            PASSWORD,
            409,
            "Il y a déjà un utilisateur nommé « client ». Choisissez un autre nom.",
        ),
        (
            "fr",
            "zoe",
            "short",
            400,
            "Un mot de passe compte de 10 à 1\u202f024 caractères, celui-ci en compte 5. "
            "Quelques mots sans rapport entre eux conviennent bien.",
        ),
        (
            "en",
            "zoe <b>",
            PASSWORD,
            400,
            "'zoe <b>' cannot be the name of a user. Use 1 to 100 letters, digits and . _ - + @.",
        ),
        (
            "fr",
            "zoe <b>",
            PASSWORD,
            400,
            "« zoe <b> » ne peut pas être le nom d'un utilisateur. "
            "Utilisez de 1 à 100 lettres, chiffres et . _ - + @.",
        ),
    ],
)
def test_what_was_typed_is_kept_when_it_is_refused(
    browser: Open, language: str, name: str, password: str, status: int, said: str
) -> None:
    page = send(browser(language=language), "/people", name=name, role="reviewer", password=password)
    assert page.status_code == status
    assert words(page) == said
    (kept,) = re.findall(r'<input name="name" value="([^"]*)"', page.text)
    assert unescape(kept) == name
    assert '<option value="reviewer" selected>' in page.text
    assert password not in page.text  # a password is never sent back
    again = {
        "en": "The password was not kept: type it again.",
        "fr": "Le mot de passe n'a pas été gardé : tapez-le à nouveau.",
    }
    assert again[language] in unescape(page.text)


def test_the_last_administrator_stays(served: Services, browser: Open) -> None:
    admin, french = browser(), browser(language="fr")
    said = "'admin' is the last administrator. Make somebody else an administrator first."
    page = send(admin, "/people/admin/role", role="client")
    assert (page.status_code, words(page)) == (409, said)
    assert '<option value="client" selected>' in page.text
    page = send(admin, "/people/admin/access", disabled="yes")
    assert (page.status_code, words(page)) == (409, said)
    page = send(french, "/people/admin/delete")
    assert (page.status_code, words(page)) == (
        409,
        "« admin » est le dernier administrateur. Nommez d'abord un autre administrateur.",
    )
    assert served.accounts.find("admin").role == "admin"


def test_a_role_that_does_not_exist_is_refused(browser: Open) -> None:
    page = send(browser(), "/people/client/role", role="king")
    assert (page.status_code, words(page)) == (
        400,
        "There is no role 'king'. Roles are client, reviewer, admin.",
    )


def test_who_takes_the_role_from_themselves_is_led_to_the_start_page(served: Services, browser: Open) -> None:
    served.accounts.change("reviewer", "admin", role="admin")
    admin = browser()
    answer = send(admin, "/people/admin/role", role="client")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?done=role-changed")
    assert words(admin.get(answer.headers["location"]), "status") == "The role is changed."
    assert admin.get("/people").status_code == 403


@pytest.mark.parametrize(("path", "values"), [("access", {"disabled": "yes"}), ("delete", {})])
def test_who_shuts_themselves_out_is_signed_out(
    served: Services, browser: Open, path: str, values: dict[str, str]
) -> None:
    served.accounts.change("reviewer", "admin", role="admin")
    admin = browser()
    answer = send(admin, f"/people/admin/{path}", **values)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?done=signed-out")
    assert admin.get("/people").headers["location"] == "/sign-in?next=/people"


def test_a_new_password_ends_the_sessions(served: Services, browser: Open) -> None:
    admin, client = browser(), browser("client")
    assert client.get("/account").status_code == 200
    page = send(admin, "/people/client/password", password="short")
    assert words(page).startswith("A password has 10 to 1,024 characters, this one has 5.")
    assert client.get("/account").status_code == 200
    answer = send(admin, "/people/client/password", password="another good one")
    assert answer.headers["location"] == "/people/client?done=password-set"
    assert client.get("/account").headers["location"] == "/sign-in?next=/account"
    assert served.accounts.sign_in("client", "another good one", "test").name == "client"


def test_a_user_is_disabled_and_let_in_again(served: Services, browser: Open) -> None:
    admin, client = browser(), browser("client")
    _, secret = served.accounts.create_key("client", "shop", "client")
    assert "Disabling refuses all access" in admin.get("/people/client").text
    answer = send(admin, "/people/client/access", disabled="yes")
    assert words(admin.get(answer.headers["location"]), "status") == "The user is disabled."
    assert client.get("/account").status_code == 303
    with pytest.raises(AuthenticationError):
        served.accounts.holder_of(secret)
    answer = send(admin, "/people/client/access")
    assert words(admin.get(answer.headers["location"]), "status") == "The user is enabled again."
    assert served.accounts.holder_of(secret).name == "client"


def test_a_key_is_revoked_only_with_its_holder(served: Services, browser: Open) -> None:
    admin = browser()
    key, secret = served.accounts.create_key("client", HOSTILE, "client")
    page = admin.get("/people/client")
    assert rows(page)[0][0] == HOSTILE
    assert "<img" not in page.text
    assert send(admin, f"/people/reviewer/keys/{key.id}/revoke").status_code == 404
    assert served.accounts.holder_of(secret).name == "client"
    answer = send(admin, f"/people/client/keys/{key.id}/revoke")
    assert answer.headers["location"] == "/people/client?done=key-revoked"
    with pytest.raises(AuthenticationError):
        served.accounts.holder_of(secret)
    assert rows(admin.get("/people/client"))[0][-1] == "revoked"


def test_the_keys_of_everybody_are_on_one_page(served: Services, browser: Open) -> None:
    admin = browser()
    assert "There are no API keys yet" in admin.get("/people/keys").text
    for holder, name in (("reviewer", HOSTILE), ("client", "old"), ("client", "shop")):
        key, secret = served.accounts.create_key(holder, name, holder)
        if name == "old":
            served.accounts.revoke_key(key.id, holder)
    served.accounts.change("reviewer", "admin", disabled=True)
    page = admin.get("/people/keys")
    found = [(row[0], row[1], row[-1]) for row in rows(page)]
    assert found == [
        ("client", "shop", "Revoke shop"),
        ("reviewer disabled", HOSTILE, f"Revoke {HOSTILE}"),
        ("client", "old", "revoked"),
    ]
    assert "<img" not in page.text
    assert secret not in page.text
    path = re.findall(r'action="(/people/client/keys/[^"]+/revoke)"', page.text)[0]
    assert send(admin, path).headers["location"] == "/people/client?done=key-revoked"
    with pytest.raises(AuthenticationError):
        served.accounts.holder_of(secret)
    assert "Les clés de tous." in browser(language="fr").get("/people/keys").text


def test_deleting_says_first_what_goes_and_what_stays(served: Services, browser: Open) -> None:
    admin = browser()
    for name in ("shop", "app", "old"):
        key, _ = served.accounts.create_key("client", name, "client")
    served.accounts.revoke_key(key.id, "client")
    served.sessions.begin(served.accounts.find("client"))
    text = unescape(admin.get("/people/client/delete").text)
    assert "2 API keys that are in use: programs that have one are refused from now on." in text
    assert "One session: that browser is signed out." in text
    assert "Predictions and batches that were asked for, without the name." in text
    assert served.accounts.find("client").name == "client"
    answer = send(admin, "/people/client/delete")
    assert words(admin.get(answer.headers["location"]), "status") == "The user is deleted."
    with pytest.raises(NotFoundError):
        served.accounts.find("client")
    page = browser(language="fr").get("/people/client")
    assert page.status_code == 404
    assert "Il n'y a pas d'utilisateur nommé « client »" in unescape(page.text)


def test_the_audit_log_is_in_words(served: Services, browser: Open, text_models: dict[str, Path]) -> None:
    version = served.registry.register(text_models["champion"], COMMAND_LINE).name
    served.registry.promote(version, "ann", "first")
    accounts = served.accounts
    accounts.create("admin2", PASSWORD, "client", "admin")
    accounts.change("admin2", "admin", role="reviewer")
    key, _ = accounts.create_key("admin2", "shop", "admin2")
    now = datetime.now(UTC)
    with served.database.write() as connection:
        audit.record(connection, "ann", "golden.fix", "1200 listings", now, {"share": 0.25})
        audit.record(connection, "ann", "data.prune", "before 2026-01-31 08:15", now, {"predictions": 12345})
        brake = {"kind": "tighten", "asked": "review", "threshold": 0.9, "reason": "to see"}
        audit.record(connection, "the schedule", "brake.set", version, now, brake)
        audit.record(connection, "user", "user.password", "user", now)
        audit.record(connection, "ann", "data.forget", "user", now, {"images": 2})
        audit.record(connection, "ann", "later.thing", "x", now, {"odd": [1], "share": "much"})
    assert [row[1:] for row in rows(browser().get("/people/audit"))] == [
        ["ann", "later.thing", "x", "odd: [1] · share: much"],
        ["ann", "erased all of a product or a user", "user", "pictures: 2"],
        ["user", "set a new password", "user", ""],
        [
            "the schedule",
            "put a brake on a model",
            version,
            "effect: accepts less · asked for: accepts nothing · threshold: 0.9000 · reason: to see",
        ],
        ["ann", "erased old predictions", "before 2026-01-31 08:15", "predictions: 12,345"],
        ["ann", "fixed the golden set", "1200 listings", "share: 25.0%"],
        ["admin2", "created an API key", "admin2", f"key: {key.prefix}"],
        ["admin", "changed a role", "admin2", "role: reviewer"],
        ["admin", "created a user", "admin2", "role: client"],
        ["ann", "promoted a model", version, ""],
        ["command line", "registered a model", version, "source: imported"],
    ]
    french = rows(browser(language="fr").get("/people/audit"))
    assert french[1][3] == "utilisateur"
    assert french[2][1:] == ["user", "a défini un nouveau mot de passe", "user", ""]  # it is a name
    assert french[3][1] == "le calendrier"
    assert french[4][3:] == ["avant le 31/01/2026 à 08:15", "prédictions : 12\u202f345"]
    assert french[5][3:] == ["1200 annonces", "part : 25,0\u202f%"]
    assert french[7][1:] == ["admin", "a changé un rôle", "admin2", "rôle : vérificateur"]
    assert french[-1][1] == "ligne de commande"


def test_the_audit_log_is_read_page_by_page(served: Services, browser: Open) -> None:
    admin = browser()
    assert "Nothing was done yet" in admin.get("/people/audit").text
    with served.database.write() as connection:
        for number in range(120):
            audit.record(connection, "ann", "user.enable", f"user{number}", datetime.now(UTC))
    seen, path, pages = [], "/people/audit", 0
    while path:
        page = admin.get(path)
        seen += [row[3] for row in rows(page)]
        path = next(iter(re.findall(r'href="([^"]+)" rel="next"', page.text)), "")
        pages += 1
    assert seen == [f"user{number}" for number in reversed(range(120))]
    assert pages == 3
    assert "There are no older entries" in admin.get("/people/audit?cursor=1").text
    assert admin.get("/people/audit?cursor=0").status_code == 422


def test_hostile_names_in_the_audit_log_are_text(served: Services, browser: Open) -> None:
    with served.database.write() as connection:
        audit.record(connection, HOSTILE, HOSTILE, HOSTILE, datetime.now(UTC), {HOSTILE: HOSTILE})
    page = browser().get("/people/audit")
    assert "<img" not in page.text
    assert rows(page)[0][1:] == [HOSTILE, HOSTILE, HOSTILE, f"{HOSTILE}: {HOSTILE}"]


def fits(page: Page) -> bool:
    width, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return bool(width <= seen)


@pytest.mark.proof
def test_somebody_comes_changes_and_goes_in_a_browser(
    visit: Callable[..., Page], served: Services, axe: Callable[[Page], list[str]]
) -> None:
    page = visit("admin", "/people")
    page.get_by_label("Name").fill("zoe")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("zoe")
    secret = page.locator(".secret").inner_text()
    assert served.accounts.sign_in("zoe", secret, "test").role == "reviewer"
    assert axe(page) == []
    served.accounts.create_key("zoe", HOSTILE, "zoe")
    page.get_by_label("Role").select_option("admin")
    page.get_by_role("button", name="Change role").click()
    expect(page.get_by_role("status")).to_have_text("The role is changed.")
    assert served.accounts.find("zoe").role == "admin"
    expect(page.get_by_role("cell", name=HOSTILE, exact=True)).to_be_visible()
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete zoe?")
    assert axe(page) == []
    page.get_by_role("button", name="Delete the user").click()
    expect(page.get_by_role("status")).to_have_text("The user is deleted.")
    assert [one.name for one in served.accounts.users()] == ["admin", "client", "reviewer"]
    page.get_by_role("link", name="Audit log").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("deleted a user")


@pytest.mark.proof
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_pages_of_people_are_for_everybody_and_fit_a_phone(
    visit: Callable[..., Page], served: Services, axe: Callable[[Page], list[str]], dark: bool
) -> None:
    long = "x" * 100
    served.accounts.create(long, PASSWORD, "client", "admin")
    served.accounts.create_key(long, f"<b>{'y' * 90}</b>", long)
    served.accounts.change(long, "admin", disabled=True)
    for path in (
        "/people",
        f"/people/{long}",
        f"/people/{long}/delete",
        "/people/admin",
        "/people/audit",
        "/people/keys",
    ):
        page = visit("admin", path, language="fr", dark=dark)
        assert page.locator("html").get_attribute("lang") == "fr"
        assert axe(page) == [], path
        phone = visit("admin", path, size=PHONE, dark=dark)
        assert axe(phone) == [], path
        assert fits(phone), path
