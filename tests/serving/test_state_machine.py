"""The service beside a model of it in plain Python, through all that people do with accounts and reviews.

Hypothesis makes up what is done, in any order; what the service answers and what it then shows has to be
what the model says. Every request goes over HTTP to a real server.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete

from rayon.learning.model import ProductClassifier
from rayon.operations.accounts import Accounts, Role
from rayon.operations.passwords import hash_password
from rayon.serving.services import Services
from rayon.store.accounts import add_user, change_user
from rayon.store.tables import predictions, users

API = "/api/v1"
PASSWORDS = ("correct horse battery", "another good password", "ein drittes, gutes")
FIRST = {
    "root": ("admin", False),
    "ann": ("reviewer", False),
    "bob": ("client", False),
    "cem": ("admin", True),
}
"""Who is there when an example begins, and who of them is disabled: enough to come far in few steps."""

NAMES = (*FIRST, "dot")
MOST_KEYS, MOST_PREDICTIONS = 6, 2
"""All of them are looked at after every step."""

# Passwords are slow to check on purpose: a step takes a tenth of a second where others take milliseconds.
QUICK = settings(
    max_examples=8,
    stateful_step_count=25,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
LONG = settings(QUICK, max_examples=60)

names = st.sampled_from(NAMES)
roles = st.sampled_from([role.value for role in Role])
passwords = st.sampled_from(PASSWORDS)
verdicts = st.sampled_from(["right", "wrong", "undone"])
numbers = st.integers(0, 1000)
"""Which of the keys or predictions that there are, counted round and round."""


@dataclass(eq=False)
class Person:
    """A user: who is deleted and made again is another one."""

    name: str
    role: str
    password: str
    disabled: bool = False


@dataclass(eq=False)
class Key:
    id: str
    secret: str
    holder: Person
    revoked: bool = False


@dataclass
class Word:
    verdict: str
    code: str | None
    at: str


@dataclass(eq=False)
class Asked:
    """A prediction: all that was said of it, and the words that nobody has taken back."""

    id: str
    code: str
    owner: Person
    history: list[Word] = field(default_factory=list)
    standing: list[Word] = field(default_factory=list)

    def hear(self, word: Word) -> None:
        self.history.append(word)
        if word.verdict == "undone":
            self.standing.pop()
        else:
            self.standing.append(word)


class ServiceMachine(RuleBasedStateMachine):
    """What may happen, and what has to come of it."""

    web: ClassVar[httpx.Client]
    served: ClassVar[Services]
    first_hash: ClassVar[str]
    codes: ClassVar[list[str]]

    def __init__(self) -> None:
        super().__init__()
        self.people = {name: Person(name, role, PASSWORDS[0], off) for name, (role, off) in FIRST.items()}
        # The service never lets the last administrator go, so that the reset is done behind its back.
        with self.served.database.write() as connection:
            connection.execute(delete(predictions))
            connection.execute(delete(users))
            for one in self.people.values():
                made = add_user(connection, one.name, one.role, self.first_hash, datetime.now(UTC))
                change_user(connection, made.id, disabled=one.disabled)
        self.keys: list[Key] = []
        for one in self.people.values():
            made_key, secret = self.served.accounts.create_key(one.name, "first", "test")
            self.keys.append(Key(made_key.id, secret, one))
        self.asked: list[Asked] = []
        self.predict("bob")

    # ---------------------------------------------------------------- the model

    def exists(self, person: Person) -> bool:
        return self.people.get(person.name) is person

    def works(self, key: Key) -> bool:
        return not key.revoked and self.exists(key.holder) and not key.holder.disabled

    def active(self, *roles: str) -> list[Person]:
        """Who is not disabled; with roles, who of them has one of these."""
        return [
            one for one in self.people.values() if not one.disabled and one.role in (roles or tuple(Role))
        ]

    def change_of(self, name: str, *, loses_an_admin: bool) -> int:
        """The status that an administrator gets who changes or deletes somebody; 0 where it is done."""
        if name not in self.people:
            return 404
        return 409 if loses_an_admin and self.active("admin") == [self.people[name]] else 0

    # ---------------------------------------------------------------- the service

    def ask(self, person: Person, method: str, path: str, **sent: Any) -> httpx.Response:
        """Ask as somebody: with a key that works, if they have one, else with their password."""
        key = next((key for key in self.keys if key.holder is person and self.works(key)), None)
        if key is None:
            return self.web.request(method, API + path, auth=(person.name, person.password), **sent)
        return self.web.request(method, API + path, headers={"Authorization": f"Bearer {key.secret}"}, **sent)

    def administer(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """Ask as an administrator. There is always one; once a key of theirs is there, it is quick."""
        admins = self.active("admin")
        quick = [key.holder for key in self.keys if key.holder in admins and self.works(key)]
        if not quick:
            self.make_key(admins[0])
        return self.ask(quick[0] if quick else admins[0], method, path, **sent)

    def make_key(self, person: Person) -> httpx.Response:
        answer = self.ask(person, "POST", "/keys", json={"name": "made"})
        if answer.status_code == 201:
            self.keys.append(Key(answer.json()["id"], answer.json()["secret"], person))
        return answer

    def check_sign_in(self, name: str, password: str) -> None:
        person = self.people.get(name)
        answer = self.web.get(f"{API}/users/me", auth=(name, password))
        if person is not None and not person.disabled and person.password == password:
            assert (answer.status_code, answer.json()["name"]) == (200, name)
            assert answer.json()["role"] == person.role
        else:
            assert answer.status_code == 401

    # ---------------------------------------------------------------- accounts

    @rule(name=names, role=roles, password=passwords)
    def create_a_user(self, name: str, role: str, password: str) -> None:
        sent = {"name": name, "role": role, "password": password}
        answer = self.administer("POST", "/users", json=sent)
        if name in self.people:
            assert answer.status_code == 409
        else:
            assert (answer.status_code, answer.json()["role"]) == (201, role)
            self.people[name] = Person(name, role, password)

    @rule(name=names)
    def delete_a_user(self, name: str) -> None:
        expected = self.change_of(name, loses_an_admin=True)
        answer = self.administer("DELETE", f"/users/{name}")
        assert answer.status_code == (expected or 204)
        if not expected:
            del self.people[name]

    @rule(name=names, role=roles)
    def change_a_role(self, name: str, role: str) -> None:
        expected = self.change_of(name, loses_an_admin=role != "admin")
        answer = self.administer("PATCH", f"/users/{name}", json={"role": role})
        assert answer.status_code == (expected or 200)
        if not expected:
            self.people[name].role = role

    @rule(name=names, disabled=st.booleans())
    def disable_or_enable(self, name: str, disabled: bool) -> None:
        expected = self.change_of(name, loses_an_admin=disabled)
        answer = self.administer("PATCH", f"/users/{name}", json={"disabled": disabled})
        assert answer.status_code == (expected or 200)
        if not expected:
            self.people[name].disabled = disabled
            self.check_sign_in(name, self.people[name].password)

    @precondition(lambda self: len(self.active("admin")) == 1)
    @rule()
    def try_to_lose_the_last_administrator(self) -> None:
        (last,) = self.active("admin")
        for method, sent in (
            ("DELETE", {}),
            ("PATCH", {"json": {"role": "reviewer"}}),
            ("PATCH", {"json": {"role": "client"}}),
            ("PATCH", {"json": {"disabled": True}}),
        ):
            answer = self.administer(method, f"/users/{last.name}", **sent)
            assert answer.status_code == 409
            assert answer.json()["detail"] == f"{last.name!r} is the last administrator."

    @rule(name=names, password=passwords)
    def reset_a_password(self, name: str, password: str) -> None:
        expected = self.change_of(name, loses_an_admin=False)
        answer = self.administer("PATCH", f"/users/{name}", json={"password": password})
        assert answer.status_code == (expected or 200)
        if not expected:
            old, self.people[name].password = self.people[name].password, password
            self.check_sign_in(name, old)

    @rule(name=names, current=passwords, new=passwords)
    def change_ones_own_password(self, name: str, current: str, new: str) -> None:
        person = self.people.get(name)
        if person is None:
            return
        right = current == person.password and not person.disabled
        answer = self.ask(person, "PUT", "/users/me/password", json={"current": current, "new": new})
        assert answer.status_code == (204 if right else 401)
        if right:
            person.password = new
            self.check_sign_in(name, current)

    @rule(name=names, password=passwords)
    def sign_in(self, name: str, password: str) -> None:
        self.check_sign_in(name, password)

    # ---------------------------------------------------------------- keys

    @precondition(lambda self: len(self.keys) < MOST_KEYS)
    @rule(name=names)
    def create_a_key(self, name: str) -> None:
        person = self.people.get(name)
        if person is not None:
            assert self.make_key(person).status_code == (401 if person.disabled else 201)

    @rule(number=numbers, name=names)
    def revoke_a_key(self, number: int, name: str) -> None:
        key, person = self.keys[number % len(self.keys)], self.people.get(name)
        if person is None:
            return
        for other in self.active("client", "reviewer"):
            if other is not key.holder:
                assert self.ask(other, "DELETE", f"/keys/{key.id}").status_code == 404
        answer = self.ask(person, "DELETE", f"/keys/{key.id}")
        if person.disabled:
            assert answer.status_code == 401
        elif self.exists(key.holder) and (person.role == "admin" or person is key.holder):
            assert answer.status_code == 204
            key.revoked = True
        else:
            assert answer.status_code == 404

    @rule(name=names)
    def list_the_keys(self, name: str) -> None:
        person = self.people.get(name)
        if person is None or person.disabled:
            return
        listed = self.ask(person, "GET", "/keys").json()
        seen = [key for key in self.keys if self.exists(key.holder)]
        if person.role != "admin":
            seen = [key for key in seen if key.holder is person]
        assert {one["id"]: one["revoked_at"] is not None for one in listed} == {
            key.id: key.revoked for key in seen
        }

    # ---------------------------------------------------------------- predictions and words on them

    @precondition(lambda self: len(self.asked) < MOST_PREDICTIONS)
    @rule(name=names)
    def predict(self, name: str) -> None:
        person = self.people.get(name)
        if person is None:
            return
        answer = self.ask(person, "POST", "/predictions", json={"designation": "Piscine ronde"})
        if person.disabled:
            assert answer.status_code == 401
        else:
            assert answer.status_code == 200
            self.asked.append(Asked(answer.json()["id"], answer.json()["code"], person))

    @rule(number=numbers)
    def look_at_a_prediction(self, number: int) -> None:
        asked = self.asked[number % len(self.asked)]
        for person in self.active():
            visible = person.role != "client" or person is asked.owner
            for path in ("", "/validations"):
                answer = self.ask(person, "GET", f"/predictions/{asked.id}{path}")
                assert answer.status_code == (200 if visible else 404)

    @rule(number=numbers, name=names, said=st.lists(st.tuples(verdicts, numbers), min_size=1, max_size=5))
    def validate(self, number: int, name: str, said: list[tuple[str, int]]) -> None:
        asked, person = self.asked[number % len(self.asked)], self.people.get(name)
        if person is None:
            return
        for client in self.active("client"):
            refused = self.ask(
                client, "POST", f"/predictions/{asked.id}/validations", json={"verdict": "right"}
            )
            assert refused.status_code == 403
        codes = [code for code in self.codes if code != asked.code]
        for verdict, other in said:
            sent = {"verdict": verdict} | ({"code": codes[other % len(codes)]} if verdict == "wrong" else {})
            answer = self.ask(person, "POST", f"/predictions/{asked.id}/validations", json=sent)
            if person.disabled:
                assert answer.status_code == 401
            elif person.role == "client":
                assert answer.status_code == 403
            elif verdict == "undone" and not asked.standing:
                assert (answer.status_code, answer.json()["detail"]) == (409, "There is nothing to undo.")
            else:
                assert answer.status_code == 201
                true_code = {"right": asked.code, "wrong": sent.get("code"), "undone": None}[verdict]
                asked.hear(Word(verdict, true_code, answer.json()["at"]))
            self.predictions_show_the_word_that_stands()

    # ---------------------------------------------------------------- after every step

    @invariant()
    def there_is_an_administrator(self) -> None:
        assert self.active("admin")

    @invariant()
    def users_are_those_of_the_model(self) -> None:
        shown = self.administer("GET", "/users").json()
        assert [(one["name"], one["role"], one["disabled"]) for one in shown] == [
            (one.name, one.role, one.disabled)
            for one in sorted(self.people.values(), key=lambda person: person.name)
        ]

    @invariant()
    def keys_open_for_their_holders_alone(self) -> None:
        for key in self.keys:
            answer = self.web.get(f"{API}/users/me", headers={"Authorization": f"Bearer {key.secret}"})
            if self.works(key):
                assert (answer.status_code, answer.json()["name"]) == (200, key.holder.name)
                assert answer.json()["role"] == key.holder.role
            else:
                assert answer.status_code == 401

    @invariant()
    def predictions_show_the_word_that_stands(self) -> None:
        shown = {one["id"]: one for one in self.administer("GET", "/predictions").json()["items"]}
        assert set(shown) == {asked.id for asked in self.asked}
        for asked in self.asked:
            one, standing = shown[asked.id], asked.standing[-1] if asked.standing else None
            assert one["code"] == asked.code
            assert one["true_code"] == (standing.code if standing else None)
            assert one["validated_at"] == (standing.at if standing else None)

    @invariant()
    def history_only_grows(self) -> None:
        for asked in self.asked:
            shown = self.administer("GET", f"/predictions/{asked.id}/validations").json()
            assert [Word(one["verdict"], one["code"], one["at"]) for one in shown] == asked.history


@pytest.fixture
def served(served: Services) -> Services:
    """A service that never slows sign-ins: wrong passwords are tried all the time."""
    return replace(served, accounts=Accounts(served.database, free_attempts=10**9))


@pytest.fixture
def machine(served: Services, anyone: httpx.Client, model: ProductClassifier) -> type[ServiceMachine]:
    """The machine, bound to a service of this test; its examples come after one another."""

    class Machine(ServiceMachine):
        pass

    Machine.web, Machine.served = anyone, served
    Machine.first_hash = hash_password(PASSWORDS[0])
    Machine.codes = list(model.taxonomy_.codes)
    return Machine


def test_the_service_does_what_the_model_does(machine: type[ServiceMachine]) -> None:
    run_state_machine_as_test(machine, settings=QUICK)


@pytest.mark.proof
def test_the_service_does_what_the_model_does_for_long(machine: type[ServiceMachine]) -> None:
    run_state_machine_as_test(machine, settings=LONG)
