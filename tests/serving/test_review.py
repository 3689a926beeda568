from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

URL = "/api/v1/predictions"
NEXT = "/api/v1/review/next"


@pytest.fixture
def asked(client: httpx.Client) -> dict[str, object]:
    """A prediction that a client asked for, of each kind of listing the same."""
    answer: dict[str, object] = client.post(URL, json={"designation": "zzz"}).json()
    assert answer["decision"] == "review"
    return answer


def test_right_wrong_undone(reviewer: httpx.Client, asked: dict[str, object]) -> None:
    path = f"{URL}/{asked['id']}"
    codes = [one["code"] for one in reviewer.get("/api/v1/taxonomy").json()]
    other = next(code for code in codes if code != asked["code"])

    right = reviewer.post(f"{path}/validations", json={"verdict": "right"})
    assert right.status_code == 201
    assert right.json()["code"] == asked["code"]
    assert reviewer.get(path).json()["true_code"] == asked["code"]
    reviewer.post(f"{path}/validations", json={"verdict": "wrong", "code": other, "comment": "a toy"})
    assert reviewer.get(path).json()["true_code"] == other
    reviewer.post(f"{path}/validations", json={"verdict": "undone"})
    assert reviewer.get(path).json()["true_code"] == asked["code"]
    reviewer.post(f"{path}/validations", json={"verdict": "undone"})
    assert reviewer.get(path).json()["validated_at"] is None
    nothing = reviewer.post(f"{path}/validations", json={"verdict": "undone"})
    assert (nothing.status_code, nothing.json()["detail"]) == (409, "There is nothing to undo.")
    history = reviewer.get(f"{path}/validations").json()
    assert [one["verdict"] for one in history] == ["right", "wrong", "undone", "undone"]
    assert history[1]["comment"] == "a toy"


@pytest.mark.parametrize(
    ("word", "status", "detail"),
    [
        ({"verdict": "wrong"}, 400, "The true code is missing."),
        ({"verdict": "wrong", "code": "nope"}, 400, "There is no code 'nope'."),
        ({"verdict": "right", "code": "nope"}, 400, "A code does not go with the verdict 'right'."),
        ({"verdict": "undone", "code": "10"}, 400, "A code does not go with the verdict 'undone'."),
        ({"verdict": "maybe"}, 422, "body.verdict: Input should be 'right', 'wrong' or 'undone'."),
        ({}, 422, "body.verdict: Field required."),
    ],
)
def test_words_that_make_no_sense(
    reviewer: httpx.Client, asked: dict[str, object], word: dict[str, str], status: int, detail: str
) -> None:
    answer = reviewer.post(f"{URL}/{asked['id']}/validations", json=word)
    assert (answer.status_code, answer.json()["detail"]) == (status, detail)
    assert reviewer.get(f"{URL}/{asked['id']}").json()["validated_at"] is None


def test_wrong_with_the_predicted_code(reviewer: httpx.Client, asked: dict[str, object]) -> None:
    word = {"verdict": "wrong", "code": asked["code"]}
    answer = reviewer.post(f"{URL}/{asked['id']}/validations", json=word)
    assert answer.json()["detail"] == f"The true code '{asked['code']}' is the predicted one."


def test_the_queue_is_worked_off(
    client: httpx.Client, reviewer: httpx.Client, signed_in: Callable[[str], httpx.Client]
) -> None:
    ids = [client.post(URL, json={"designation": text}).json()["id"] for text in ("zzz", "yyy")]
    admin = signed_in("admin")
    first = reviewer.get(NEXT).json()["id"]
    assert reviewer.get(NEXT).json()["id"] == first
    assert {first, admin.get(NEXT).json()["id"]} == set(ids)
    for prediction_id in ids:
        reviewer.post(f"{URL}/{prediction_id}/validations", json={"verdict": "right"})
    assert reviewer.get(NEXT).status_code == 204
    assert reviewer.get(URL, params={"queued": True, "validated": True}).json()["items"] != []
