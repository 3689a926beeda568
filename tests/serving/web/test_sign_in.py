"""Signing in and out with a browser, and one's own account."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

PASSWORD = "correct horse battery"


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_who_is_not_signed_in_is_led_to_sign_in_and_back(
    visit: Callable[..., Page], complaints: list[str]
) -> None:
    page = visit("", "/account")
    assert page.url.endswith("/sign-in?next=/account")
    sign_in(page, "client", "wrong")
    expect(page.get_by_role("alert")).to_have_text(
        "The name or the password is wrong. Check both, and try again."
    )
    complaints.clear()  # the browser notes that this was a 401
    sign_in(page, "client")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")


def test_every_sign_in_makes_a_new_session(visit: Callable[..., Page]) -> None:
    page = visit("", "/sign-in")
    (before,) = [one["value"] for one in page.context.cookies() if one["name"] == "rayon_session"]
    sign_in(page, "client")
    (after,) = [one["value"] for one in page.context.cookies() if one["name"] == "rayon_session"]
    assert before != after
    page.context.clear_cookies()
    page.context.add_cookies([{"name": "rayon_session", "value": before, "url": page.url}])
    page.goto("/account")
    assert "/sign-in" in page.url
