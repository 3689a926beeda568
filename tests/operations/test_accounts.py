from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from rayon.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    OverloadedError,
    RayonError,
    TooManyAttemptsError,
)
from rayon.operations.accounts import FREE_ATTEMPTS, Accounts, Role
from rayon.operations.passwords import check_password, hash_password, new_key, new_password
from rayon.store.audit import entries
from rayon.store.database import Database
from rayon.store.tables import api_keys, sign_ins, users

PASSWORD = "correct horse battery"
HOME = "10.0.0.1"


@pytest.fixture
def accounts(database: Database) -> Accounts:
    found = Accounts(database)
    found.create("root", PASSWORD, "admin", "test")
    return found


def test_who_signs_in_is_found(accounts: Accounts) -> None:
    assert accounts.sign_in("root", PASSWORD, HOME).role == Role.ADMIN


@pytest.mark.parametrize(
    ("name", "password"), [("root", "wrong"), ("nobody", PASSWORD), ("", ""), ("root", "x" * 10**6)]
)
def test_a_wrong_name_and_a_wrong_password_look_alike(accounts: Accounts, name: str, password: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        accounts.sign_in(name, password, HOME)
    assert str(caught.value) == "The name or the password is wrong. Check both, and try again"


def test_attempts_are_slowed_by_account_and_by_address(accounts: Accounts, database: Database) -> None:
    for number in range(FREE_ATTEMPTS):
        with pytest.raises(AuthenticationError):
            accounts.sign_in("root", "wrong", f"10.0.1.{number}")
    with pytest.raises(TooManyAttemptsError) as caught:
        accounts.sign_in("root", PASSWORD, HOME)
    assert caught.value.status == 429
    assert caught.value.retry_after >= 1
    accounts.create("ann", PASSWORD, "client", "test")
    assert accounts.sign_in("ann", PASSWORD, HOME).name == "ann"
    for number in range(FREE_ATTEMPTS):
        with pytest.raises(AuthenticationError):
            accounts.sign_in(f"guess{number}", "wrong", "10.9.9.9")
    with pytest.raises(TooManyAttemptsError):
        accounts.sign_in("ann", PASSWORD, "10.9.9.9")
    _let_time_pass(database, timedelta(seconds=3))
    assert accounts.sign_in("root", PASSWORD, HOME).name == "root"
    with database.read() as connection:  # the account's failures are forgotten, those of others are not
        names = connection.execute(select(sign_ins.c.name)).scalars().all()
    assert sorted(names) == [f"guess{number}" for number in range(FREE_ATTEMPTS)]


def test_the_wait_grows_and_has_an_end(accounts: Accounts, database: Database) -> None:
    waits = []
    for _ in range(16):
        with pytest.raises(AuthenticationError):
            accounts.sign_in("root", "wrong", HOME)
        try:
            accounts.sign_in("root", PASSWORD, HOME)
        except TooManyAttemptsError as error:
            waits.append(error.retry_after)
            _let_time_pass(database, timedelta(seconds=error.retry_after))
        else:  # fewer than the free attempts: the right password has cleared them
            for _ in range(FREE_ATTEMPTS - 1):
                with pytest.raises(AuthenticationError):
                    accounts.sign_in("root", "wrong", HOME)
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) <= 15 * 60


def _let_time_pass(database: Database, by: timedelta) -> None:
    with database.write() as connection:
        for row in connection.execute(select(sign_ins)).all():
            connection.execute(update(sign_ins).where(sign_ins.c.id == row.id).values(at=row.at - by))


@pytest.mark.parametrize("change", ["role", "disable", "delete"])
def test_the_last_administrator_stays(accounts: Accounts, change: str) -> None:
    def remove(name: str) -> None:
        if change == "role":
            accounts.change(name, "test", role="client")
        elif change == "disable":
            accounts.change(name, "test", disabled=True)
        else:
            accounts.delete(name, "test")

    accounts.create("off", PASSWORD, "admin", "test")
    accounts.change("off", "test", disabled=True)
    with pytest.raises(ConflictError, match="'root' is the last administrator"):
        remove("root")
    accounts.create("ann", PASSWORD, "admin", "test")
    remove("root")
    with pytest.raises(ConflictError, match="'ann' is the last administrator"):
        remove("ann")


def test_two_administrators_cannot_remove_each_other_at_once(accounts: Accounts) -> None:
    accounts.create("ann", PASSWORD, "admin", "test")
    ready = threading.Barrier(2)

    def demote(name: str) -> None:
        ready.wait()
        with suppress(RayonError):
            accounts.change(name, "test", role="client")

    threads = [threading.Thread(target=demote, args=(name,)) for name in ("root", "ann")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(user.role == "admin" for user in accounts.users()) == 1


def test_a_disabled_user_is_locked_out_by_password_and_key(accounts: Accounts) -> None:
    accounts.create("ann", PASSWORD, "client", "test")
    _, secret = accounts.create_key("ann", "import", "test")
    accounts.change("ann", "test", disabled=True)
    with pytest.raises(AuthenticationError):
        accounts.sign_in("ann", PASSWORD, HOME)
    with pytest.raises(AuthenticationError, match="This API key is not valid"):
        accounts.holder_of(secret)
    accounts.change("ann", "test", disabled=False)
    assert accounts.holder_of(secret).name == "ann"


def test_keys_are_hashed_shown_once_used_and_revoked(accounts: Accounts, database: Database) -> None:
    accounts.create("ann", PASSWORD, "client", "test")
    key, secret = accounts.create_key("ann", " import ", "test")
    assert secret.startswith(key.prefix)
    assert key.name == "import"
    assert accounts.holder_of(secret).name == "ann"
    (used,) = accounts.keys(accounts.find("ann"))
    assert used.last_used_at is not None
    with database.read() as connection:
        assert secret not in repr(connection.execute(select(api_keys)).all())
    with pytest.raises(NotFoundError):
        accounts.revoke_key(key.id, "test", owner=accounts.find("root"))
    accounts.revoke_key(key.id, "test", owner=accounts.find("ann"))
    with pytest.raises(AuthenticationError):
        accounts.holder_of(secret)
    accounts.delete("ann", "test")
    assert accounts.keys() == []


def test_a_new_password_holds_at_once(accounts: Accounts) -> None:
    accounts.change("root", "test", password="another good password")
    with pytest.raises(AuthenticationError):
        accounts.sign_in("root", PASSWORD, HOME)
    assert accounts.sign_in("root", "another good password", HOME).name == "root"


@pytest.mark.parametrize(
    ("name", "password", "role", "message"),
    [
        ("", PASSWORD, "client", "'' cannot be the name of a user"),
        ("me", PASSWORD, "client", "'me' cannot be the name of a user"),
        ("two words", PASSWORD, "client", "'two words' cannot be the name of a user"),
        ("audit", PASSWORD, "client", "'audit' cannot be the name of a user"),
        ("keys", PASSWORD, "client", "'keys' cannot be the name of a user"),
        ("..", PASSWORD, "client", "'..' cannot be the name of a user"),
        ("ann", "short", "client", "A password has 10 to 1,024 characters, this one has 5"),
        ("ann", PASSWORD, "boss", "There is no role 'boss'"),
        ("root", PASSWORD, "client", "There is a user named 'root' already"),
    ],
)
def test_what_is_not_acceptable_is_refused(
    accounts: Accounts, name: str, password: str, role: str, message: str
) -> None:
    with pytest.raises(RayonError) as caught:
        accounts.create(name, password, role, "test")
    assert caught.value.message == message
    assert [user.name for user in accounts.users()] == ["root"]


def test_who_did_what_is_written_down_and_no_secret_with_it(accounts: Accounts, database: Database) -> None:
    accounts.create("ann", PASSWORD, "client", "root")
    accounts.change("ann", "root", role="reviewer")
    _, secret = accounts.create_key("ann", "import", "ann")
    accounts.change("ann", "ann", password=PASSWORD + "!")
    accounts.delete("ann", "root")
    with pytest.raises(NotFoundError, match="There is no user named 'ann'"):
        accounts.change("ann", "root", role="client")
    with database.read() as connection:
        log = entries(connection)
        stored = connection.execute(select(users.c.password_hash)).scalars().all()
    assert [(one.actor, one.action, one.subject) for one in log] == [
        ("root", "user.delete", "ann"),
        ("ann", "user.password", "ann"),
        ("ann", "key.create", "ann"),
        ("root", "user.role", "ann"),
        ("root", "user.create", "ann"),
        ("test", "user.create", "root"),
    ]
    assert PASSWORD not in repr(log)
    assert secret not in repr(log)
    assert all(one.startswith("$argon2id$") for one in stored)
    assert all(abs(one.at - datetime.now(UTC)) < timedelta(minutes=5) for one in log)


def test_passwords() -> None:
    digest = hash_password(PASSWORD)
    assert digest != hash_password(PASSWORD)
    assert check_password(PASSWORD, digest)
    assert not check_password(PASSWORD + " ", digest)
    assert not check_password(PASSWORD, None)
    assert not check_password(PASSWORD, "not a hash")
    assert len({new_password() for _ in range(100)}) == 100
    assert len({new_key()[0] for _ in range(100)}) == 100


def test_guesses_at_the_same_moment_are_counted_too(database: Database) -> None:
    accounts = Accounts(database)
    accounts.create("ann", PASSWORD, "client", "test")

    def guess(_number: int) -> type[Exception]:
        try:
            accounts.sign_in("ann", "a wrong guess", "here")
        except RayonError as error:
            return type(error)
        raise AssertionError("a wrong guess was right")

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(guess, range(20)))
    assert 5 <= found.count(AuthenticationError) <= 7  # two are checked at a time
    assert set(found) <= {AuthenticationError, TooManyAttemptsError, OverloadedError}
