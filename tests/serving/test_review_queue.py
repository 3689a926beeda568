"""The review queue over HTTP: its order, its leases, several words at once, each stored once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from rayon.serving.services import Services
from rayon.store.identifiers import new_id
from rayon.store.predictions import StoredPrediction, add_predictions, find_prediction

LEASES = "/api/v1/review/leases"
WORDS = "/api/v1/review/validations"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def waiting(**values: object) -> StoredPrediction:
    plain = StoredPrediction(
        id=new_id(),
        created_at=NOW,
        user_id=None,
        designation="Piscine ronde",
        description="",
        productid="",
        imageid="",
        image=None,
        code="2583",
        label="Pools",
        confidence=0.5,
        decision="review",
        reason="below_threshold",
        threshold=0.9,
        modalities=["text"],
        degraded=False,
        alternatives=[],
        scores={},
        error="",
        model_version="v",
        queued_for="review",
        audit_probability=0.01,
        priority=0.5,
    )
    return replace(plain, **values)  # type: ignore[arg-type]


@pytest.fixture
def put(served: Services) -> Callable[..., list[str]]:
    def store(*rows: StoredPrediction) -> list[str]:
        with served.database.write() as connection:
            add_predictions(connection, rows)
        return [row.id for row in rows]

    return store


def take(client: httpx.Client, **wanted: object) -> list[str]:
    answer = client.post(LEASES, json=wanted)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_the_audit_comes_first_then_what_is_most_useful(
    reviewer: httpx.Client, put: Callable[..., list[str]]
) -> None:
    dull, useful, late, early = put(
        waiting(priority=0.1, confidence=0.3),
        waiting(priority=0.9, confidence=0.6),
        waiting(queued_for="audit", priority=0.2, id="f-late"),
        waiting(queued_for="audit", priority=0.1, id="0-early", code="10", confidence=0.9),
    )
    put(waiting(queued_for=None, priority=None), waiting(validated_at=NOW, true_code="2583"))
    assert take(reviewer) == [early, late, useful, dull]
    assert take(reviewer, order="age") == sorted([dull, useful, late, early])
    assert take(reviewer, order="confidence")[0] == dull
    assert take(reviewer, order="confidence")[-1] == early
    assert take(reviewer, code="10") == [early]
    assert take(reviewer, exclude=[early, useful]) == [late, dull]
    assert take(reviewer, count=1) == [early]


def test_near_duplicates_do_not_flood_the_queue(client: httpx.Client, reviewer: httpx.Client) -> None:
    twins = [f"lot numéro {n} objet mystère zzz" for n in range(12)]
    others = [f"chose inconnue {word}" for word in ("qwx", "vbn", "plk", "jhg", "fds", "ret", "uio", "mlp")]
    listings = [{"designation": text} for text in twins + others]
    answer = client.post("/api/v1/predictions/batch", json={"listings": listings}).json()["predictions"]
    queued = {one["id"]: one["designation"] for one in answer if one["queued_for"] == "review"}
    served_first = [queued[id] for id in take(reviewer, count=10)]
    n_twins = sum(text in twins for text in queued.values())
    assert n_twins >= 8  # else nothing is shown
    assert sum(text in twins for text in served_first) <= 6


def test_two_reviewers_never_get_the_same_listing(
    signed_in: Callable[[str], httpx.Client], put: Callable[..., list[str]]
) -> None:
    ids = put(*(waiting(priority=n / 100) for n in range(60)))
    clients = [signed_in("reviewer"), signed_in("admin")]
    start = threading.Barrier(2)

    def work(client: httpx.Client) -> list[str]:
        start.wait()
        got: list[str] = []
        for _ in range(6):
            got += take(client, count=5, exclude=got)
        return got

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(work, clients)
    assert len(one) == len(other) == 30
    assert set(one) | set(other) == set(ids)


def test_leases_are_renewed_released_and_run_out(
    served: Services, signed_in: Callable[[str], httpx.Client], put: Callable[..., list[str]]
) -> None:
    (only,) = put(waiting())
    reviewer, admin = signed_in("reviewer"), signed_in("admin")
    assert take(reviewer) == [only]
    assert take(admin) == []
    assert admin.post(f"{LEASES}/renew", json={"ids": [only]}).json()["ids"] == []
    assert admin.post(f"{LEASES}/release", json={"ids": [only]}).status_code == 204
    assert take(admin) == []  # nobody releases what others hold
    assert reviewer.post(f"{LEASES}/renew", json={"ids": [only, "none"]}).json()["ids"] == [only]
    with served.database.read() as connection:
        held = find_prediction(connection, only)
    assert held is not None
    assert held.leased_until is not None
    assert timedelta(seconds=590) < held.leased_until - datetime.now(UTC) <= timedelta(seconds=600)
    assert reviewer.post(f"{LEASES}/release", json={"ids": [only]}).status_code == 204
    assert reviewer.post(f"{LEASES}/renew", json={"ids": [only]}).json()["ids"] == [only]  # nobody took it
    assert reviewer.post(f"{LEASES}/release", json={"ids": [only]}).status_code == 204
    assert take(admin) == [only]
    assert reviewer.post(f"{LEASES}/renew", json={"ids": [only]}).json()["ids"] == []


def test_a_word_that_is_sent_twice_is_stored_once(
    reviewer: httpx.Client, put: Callable[..., list[str]]
) -> None:
    (id,) = put(waiting())
    word = {"prediction_id": id, "verdict": "wrong", "code": "10", "token": new_id()}
    for status in ("stored", "repeated"):
        (outcome,) = reviewer.post(WORDS, json={"words": [word]}).json()["outcomes"]
        assert outcome["status"] == status
        assert outcome["validation"]["code"] == "10"
    assert len(reviewer.get(f"/api/v1/predictions/{id}/validations").json()) == 1
    other = {"verdict": "right", "token": word["token"]}
    (another,) = put(waiting())
    for one in (another, id):  # of another listing, and another word on the same
        answer = reviewer.post(f"/api/v1/predictions/{one}/validations", json=other)
        assert answer.status_code == 409
        assert answer.json()["detail"] == "This token belongs to another word."


def test_of_two_who_answer_at_once_one_is_told_so(
    signed_in: Callable[[str], httpx.Client], put: Callable[..., list[str]]
) -> None:
    ids = put(*(waiting() for _ in range(12)))
    clients = [signed_in("reviewer"), signed_in("admin")]
    start = threading.Barrier(2)

    def say(client: httpx.Client, order: list[str]) -> dict[str, str]:
        start.wait()
        words = [{"prediction_id": id, "verdict": "right"} for id in order]
        outcomes = client.post(WORDS, json={"words": words}).json()["outcomes"]
        return {one["prediction_id"]: one["status"] for one in outcomes}

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(say, clients, (ids, ids[::-1]))
    assert all({one[id], other[id]} == {"stored", "conflict"} for id in ids)


def test_a_word_that_comes_several_times_at_once_is_stored_once(
    reviewer: httpx.Client, put: Callable[..., list[str]]
) -> None:
    (id,) = put(waiting())
    word = {"prediction_id": id, "verdict": "right", "token": new_id()}
    start = threading.Barrier(4)

    def say(_: int) -> str:
        start.wait()
        answer = reviewer.post(WORDS, json={"words": [word]})
        return str(answer.json()["outcomes"][0]["status"])

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(say, range(4)))
    assert sorted(statuses) == ["repeated", "repeated", "repeated", "stored"]
    assert len(reviewer.get(f"/api/v1/predictions/{id}/validations").json()) == 1


def test_a_token_that_comes_with_two_words_at_once_is_kept_by_one_of_them(
    reviewer: httpx.Client, put: Callable[..., list[str]]
) -> None:
    ids = put(*(waiting() for _ in range(6)))
    token = new_id()
    start = threading.Barrier(len(ids))

    def say(id: str) -> int:
        start.wait()
        word = {"verdict": "right", "token": token}
        return reviewer.post(f"/api/v1/predictions/{id}/validations", json=word).status_code

    with ThreadPoolExecutor(len(ids)) as pool:
        statuses = list(pool.map(say, ids))
    assert sorted(statuses) == [201, 409, 409, 409, 409, 409]


def test_leases_say_which_listings_are_near_duplicates(
    reviewer: httpx.Client, put: Callable[..., list[str]]
) -> None:
    put(waiting(near_key="0011"), waiting())
    items = reviewer.post(LEASES, json={}).json()["items"]
    assert sorted(str(item["near_key"]) for item in items) == ["0011", "None"]


def test_what_cannot_be_stored_does_not_hold_up_the_rest(
    signed_in: Callable[[str], httpx.Client], put: Callable[..., list[str]]
) -> None:
    reviewer, admin = signed_in("reviewer"), signed_in("admin")
    fine, taken = put(waiting(), waiting())
    admin.post(f"/api/v1/predictions/{taken}/validations", json={"verdict": "right"})
    words = [
        {"prediction_id": "none", "verdict": "right"},
        {"prediction_id": fine, "verdict": "wrong", "code": "nonsense"},
        {"prediction_id": taken, "verdict": "wrong", "code": "10"},
        {"prediction_id": fine, "verdict": "right"},
    ]
    outcomes = reviewer.post(WORDS, json={"words": words}).json()["outcomes"]
    assert [(one["status"], one["detail"]) for one in outcomes] == [
        ("refused", "There is no such prediction"),
        ("refused", "There is no code 'nonsense'"),
        ("conflict", "admin has answered this listing meanwhile"),
        ("stored", ""),
    ]
    overruled = {**words[2], "overrule": True}
    assert reviewer.post(WORDS, json={"words": [overruled]}).json()["outcomes"][0]["status"] == "stored"


def test_progress_counts_what_waits_and_what_was_said(
    signed_in: Callable[[str], httpx.Client], put: Callable[..., list[str]]
) -> None:
    reviewer, admin = signed_in("reviewer"), signed_in("admin")
    one, two, _ = put(waiting(), waiting(queued_for="audit"), waiting(queued_for="audit"))
    for client, id in ((reviewer, one), (admin, two)):
        client.post(WORDS, json={"words": [{"prediction_id": id, "verdict": "right"}]})
    found = reviewer.get("/api/v1/review/progress").json()
    assert {name: found[name] for name in ("waiting", "waiting_audit", "mine_today", "team_today")} == {
        "waiting": 1,
        "waiting_audit": 1,
        "mine_today": 1,
        "team_today": 2,
    }
    reviewer.post(WORDS, json={"words": [{"prediction_id": one, "verdict": "undone"}]})
    found = reviewer.get("/api/v1/review/progress").json()
    assert (found["waiting"], found["mine_today"]) == (2, 0)


def test_similar_listings_come_together(reviewer: httpx.Client, put: Callable[..., list[str]]) -> None:
    pool, like, unlike, other = put(
        waiting(designation="Piscine ronde bleue 3 m", priority=0.9),
        waiting(designation="Piscine ronde verte 3 m", priority=0.1),
        waiting(designation="Bâche à bulles", priority=0.8),
        waiting(designation="Piscine ronde bleue 3 m", code="10"),
    )
    answer = reviewer.post("/api/v1/review/similar", json={"id": pool}).json()
    assert [item["id"] for item in answer["items"]] == [pool, like, unlike]
    assert take(reviewer, exclude=[pool, like, unlike]) == [other]
    assert reviewer.post("/api/v1/review/similar", json={"code": "60"}).json()["items"] == []
