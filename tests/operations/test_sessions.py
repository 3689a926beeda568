"""Sessions in either kind of database: who may begin one, and what ends them."""

from __future__ import annotations

import pytest

from rayon.errors import AuthenticationError
from rayon.operations.accounts import Accounts
from rayon.operations.sessions import Sessions, form_token, is_form_token, new_token
from rayon.store.accounts import User
from rayon.store.database import Database

PASSWORD = "correct horse battery"


@pytest.fixture
def accounts(database: Database) -> Accounts:
    accounts = Accounts(database)
    accounts.create("ann", PASSWORD, "admin", "test")
    accounts.create("bob", PASSWORD, "client", "test")
    return accounts


@pytest.fixture
def bob(accounts: Accounts) -> User:
    return accounts.find("bob")


def test_a_session_is_that_of_its_user_until_it_is_ended(database: Database, bob: User) -> None:
    sessions = Sessions(database)
    one, other = sessions.begin(bob), sessions.begin(bob)
    assert sessions.holder_of(one) == sessions.holder_of(other) == bob
    assert sessions.count(bob) == 2
    sessions.end(one)
    assert sessions.holder_of(one) is None
    assert sessions.holder_of(other) == bob
    sessions.end_all(bob)
    assert sessions.holder_of(other) is None
    assert sessions.holder_of("") is sessions.holder_of(new_token()) is None


@pytest.mark.parametrize("change", ["password", "disabled", "deleted"])
def test_whoever_signed_in_before_a_change_begins_no_session_after_it(
    database: Database, accounts: Accounts, bob: User, change: str
) -> None:
    sessions = Sessions(database)
    token = sessions.begin(bob)
    if change == "password":
        accounts.change("bob", "ann", password="another good password")
    elif change == "disabled":
        accounts.change("bob", "ann", disabled=True)
    else:
        accounts.delete("bob", "ann")
    assert sessions.holder_of(token) is None
    with pytest.raises(AuthenticationError) as caught:
        sessions.begin(bob)  # as they were when their password was checked
    assert str(caught.value) == "The name or the password is wrong. Check both, and try again"
    assert sessions.count(bob) == 0


def test_another_role_ends_no_session(database: Database, accounts: Accounts, bob: User) -> None:
    sessions = Sessions(database)
    token = sessions.begin(bob)
    accounts.change("bob", "ann", role="reviewer")
    found = sessions.holder_of(token)
    assert found is not None
    assert found.role == "reviewer"
    assert sessions.begin(bob)


def test_forms_carry_what_only_their_session_knows() -> None:
    one, other = new_token(), new_token()
    assert is_form_token(form_token(one), one)
    assert not is_form_token(form_token(one), other)
    assert not is_form_token("", one)
    assert not is_form_token("\ud800", one)
    assert not is_form_token(form_token(""), "")  # which everybody knows
