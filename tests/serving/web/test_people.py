"""People, for administrators: users, keys and the audit log."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from rayon.errors import NotFoundError
from rayon.serving.services import Services

PHONE = {"width": 390, "height": 844}


@pytest.mark.proof
def test_a_user_comes_changes_and_goes(
    visit: Callable[..., Page], served: Services, axe: Callable[[Page], list[str]], complaints: list[str]
) -> None:
    page = visit("admin", "/people")
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Role").select_option("client")
    page.get_by_role("button", name="Create").click()
    secret = page.locator(".secret").inner_text()
    assert served.accounts.sign_in("ann", secret, "").role == "client"
    assert axe(page) == []
    served.accounts.create_key("ann", "<script>alert(1)</script>", "test")
    page.get_by_role("link", name="ann").click()
    expect(page.get_by_role("cell", name="<script>alert(1)</script>")).to_be_visible()
    page.get_by_label("Role").select_option("reviewer")
    page.get_by_role("button", name="Change role").click()
    expect(page.get_by_role("status")).to_have_text("The user is changed.")
    assert served.accounts.find("ann").role == "reviewer"
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Disable").click()
    assert served.accounts.find("ann").disabled
    assert axe(page) == []
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_have_text("The user is deleted.")
    with pytest.raises(NotFoundError):
        served.accounts.find("ann")
    page.get_by_role("link", name="Audit log").click()
    expect(page.get_by_role("cell", name="user.delete")).to_be_visible()
    assert axe(page) == []


@pytest.mark.proof
def test_the_last_administrator_stays(
    visit: Callable[..., Page], served: Services, complaints: list[str]
) -> None:
    page = visit("admin", "/people/admin", language="fr", size=PHONE)
    page.get_by_role("button", name="Désactiver").click()
    expect(page.get_by_role("alert")).to_contain_text("« admin » est le dernier administrateur.")
    complaints.clear()  # the browser noted that it was refused
    assert not served.accounts.find("admin").disabled
    width, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= seen


@pytest.mark.proof
def test_reviewers_are_kept_out(visit: Callable[..., Page], complaints: list[str]) -> None:
    for path in ("/people", "/people/admin", "/people/audit", "/people/admin/delete"):
        page = visit("reviewer", path)
        expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")
    complaints.clear()
