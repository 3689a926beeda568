from __future__ import annotations

import httpx
import pytest

URL = "/api/v1/users"
PASSWORD = "correct horse battery"
OTHER = "another good password"


def test_the_life_of_a_user(anyone: httpx.Client, admin: httpx.Client) -> None:
    made = admin.post(URL, json={"name": "ann", "password": PASSWORD})
    assert made.status_code == 201
    assert set(made.json()) == {"id", "name", "role", "disabled", "created_at"}
    assert admin.post(URL, json={"name": "ann", "password": PASSWORD}).status_code == 409
    assert "ann" in [one["name"] for one in admin.get(URL).json()]
    changed = admin.patch(f"{URL}/ann", json={"role": "reviewer", "password": OTHER})
    assert changed.json()["role"] == "reviewer"
    assert anyone.get(f"{URL}/me", auth=("ann", PASSWORD)).status_code == 401
    assert anyone.get(f"{URL}/me", auth=("ann", OTHER)).json()["role"] == "reviewer"
    admin.patch(f"{URL}/ann", json={"disabled": True})
    assert anyone.get(f"{URL}/me", auth=("ann", OTHER)).status_code == 401
    admin.patch(f"{URL}/ann", json={"disabled": False})
    assert admin.delete(f"{URL}/ann").status_code == 204
    assert admin.get(f"{URL}/ann").status_code == 404


def test_the_last_administrator_stays(admin: httpx.Client) -> None:
    for answer in (
        admin.delete(f"{URL}/admin"),
        admin.patch(f"{URL}/admin", json={"role": "client"}),
        admin.patch(f"{URL}/admin", json={"disabled": True}),
    ):
        assert (answer.status_code, answer.json()["detail"]) == (409, "'admin' is the last administrator.")
    assert admin.get(f"{URL}/me").json()["role"] == "admin"


def test_ones_own_password(anyone: httpx.Client, client: httpx.Client) -> None:
    wrong = client.put(f"{URL}/me/password", json={"current": OTHER, "new": OTHER})
    assert (wrong.status_code, wrong.json()["detail"]) == (401, "The name or the password is wrong.")
    assert client.put(f"{URL}/me/password", json={"current": PASSWORD, "new": "short"}).status_code == 422
    assert client.put(f"{URL}/me/password", json={"current": PASSWORD, "new": OTHER}).status_code == 204
    assert anyone.get(f"{URL}/me", auth=("client", OTHER)).status_code == 200


def test_attempts_are_slowed(anyone: httpx.Client) -> None:
    statuses = [anyone.get(f"{URL}/me", auth=("client", "wrong")).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    refused = anyone.get(f"{URL}/me", auth=("client", PASSWORD))
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1


def test_keys_belong_to_somebody(client: httpx.Client, reviewer: httpx.Client, admin: httpx.Client) -> None:
    made = client.post("/api/v1/keys", json={"name": "import"}).json()
    assert made["secret"].startswith(made["prefix"])
    listed = client.get("/api/v1/keys").json()
    assert made["id"] in [one["id"] for one in listed]
    assert all("secret" not in one and "hash" not in one for one in listed)
    assert made["id"] not in [one["id"] for one in reviewer.get("/api/v1/keys").json()]
    assert made["id"] in [one["id"] for one in admin.get("/api/v1/keys").json()]
    assert reviewer.delete(f"/api/v1/keys/{made['id']}").status_code == 404
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    assert client.get(f"{URL}/me", headers=bearer).status_code == 200
    assert client.delete(f"/api/v1/keys/{made['id']}").status_code == 204
    assert client.get(f"{URL}/me", headers=bearer).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"name": "", "password": PASSWORD},
        {"name": "a b", "password": PASSWORD},
        {"name": "bob", "password": "short"},
        {"name": "bob", "password": PASSWORD, "role": "boss"},
        {"name": "bob", "password": PASSWORD, "is_admin": True},
    ],
)
def test_what_is_not_acceptable(admin: httpx.Client, body: dict[str, object]) -> None:
    assert admin.post(URL, json=body).status_code == 422
    assert [one["name"] for one in admin.get(URL).json()] == ["admin", "client", "reviewer"]


def test_a_change_is_made_as_a_whole_or_not_at_all(admin: httpx.Client, anyone: httpx.Client) -> None:
    refused = admin.patch("/api/v1/users/admin", json={"password": "battery staple", "role": "client"})
    assert (refused.status_code, refused.json()["detail"]) == (409, "'admin' is the last administrator.")
    me = "/api/v1/users/me"
    assert anyone.get(me, auth=("admin", "battery staple")).status_code == 401
    assert anyone.get(me, auth=("admin", "correct horse battery")).status_code == 200
    changed = admin.patch(
        "/api/v1/users/client", json={"password": "battery staple", "role": "reviewer", "disabled": False}
    )
    assert (changed.status_code, changed.json()["role"]) == (200, "reviewer")
    assert anyone.get(me, auth=("client", "battery staple")).json()["role"] == "reviewer"


def test_the_audit_log_says_who_did_what(admin: httpx.Client) -> None:
    admin.post("/api/v1/users", json={"name": "eve", "password": "correct horse battery"})
    admin.patch("/api/v1/users/eve", json={"role": "reviewer", "disabled": True})
    admin.delete("/api/v1/users/eve")
    page = admin.get("/api/v1/audit", params={"limit": 3}).json()
    seen = [(one["actor"], one["action"], one["subject"], one["detail"]) for one in page["items"]]
    assert seen == [
        ("admin", "user.delete", "eve", {}),
        ("admin", "user.disable", "eve", {}),
        ("admin", "user.role", "eve", {"role": "reviewer"}),
    ]
    rest = admin.get("/api/v1/audit", params={"cursor": page["next"]}).json()
    assert [one["action"] for one in rest["items"]] == ["user.create", "key.create"]
    assert rest["next"] is None
    assert "password" not in str(rest["items"])
