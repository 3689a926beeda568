"""The brake and recalibration over HTTP: who may, and what the running service does about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from rayon.data.listings import Listing
from rayon.data.loading import read_catalogue
from rayon.learning.model import ProductClassifier
from rayon.operations.hot_swap import ModelFollower
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.serving.services import Services

URL = "/api/v1/brake"
AGAIN = "/api/v1/models/recalibrate"


@pytest.fixture(scope="session")
def model(better_trained: Path) -> ProductClassifier:
    """One that accepts most of what it is asked."""
    return ProductClassifier.load(better_trained)


@pytest.fixture
def served(served: Services, better_trained: Path, request: pytest.FixtureRequest) -> Services:
    """A process that follows the champion, though only when it is told to look; or one that is pinned."""
    registry, recorder = served.registry, served.recorder
    name = registry.promote(registry.register(better_trained, "test").name, "test", "the first").model

    if getattr(request, "param", "") == "pinned":
        return served

    def swap(model: ProductClassifier) -> None:
        recorder.model = model

    follower = ModelFollower(registry, ProductClassifier.load, swap, name, recorder.look_at_brakes)
    return replace(served, follower=follower)


@pytest.fixture
def look(served: Services) -> Callable[[], bool]:
    assert served.follower is not None
    return served.follower.look


def ask(client: httpx.Client, title: str) -> tuple[str, str]:
    answer = client.post("/api/v1/predictions", json={"designation": title}).json()
    return answer["decision"], answer["reason"]


@pytest.fixture(scope="session")
def title(model: ProductClassifier, held_out: Path) -> str:
    """The surest listing of all, which every threshold lets through."""
    listings = [one for one in read_catalogue(held_out).listings[:300] if one.designation]
    answers = model.decide([Listing(one.designation) for one in listings])
    surest = max(
        range(len(listings)), key=lambda row: (answers[row].decision == "accept", answers[row].score)
    )
    return listings[surest].designation


def test_a_brake_is_set_seen_and_released(
    client: httpx.Client, reviewer: httpx.Client, admin: httpx.Client, look: Callable[[], bool], title: str
) -> None:
    assert ask(client, title) == ("accept", "confident")
    assert reviewer.get(URL).json() is None
    made = admin.put(URL, json={"kind": "review", "reason": "shoes are wrong"})
    assert made.status_code == 200
    assert reviewer.get(URL).json() == made.json()
    assert {name: made.json()[name] for name in ("actor", "kind", "threshold", "reason")} == {
        "actor": "admin",
        "kind": "review",
        "threshold": None,
        "reason": "shoes are wrong",
    }
    assert client.get("/api/v1/model").json()["brake"] is None  # this process has not looked yet
    look()
    assert client.get("/api/v1/model").json()["brake"] == made.json()
    assert ask(client, title) == ("review", "promise_broken")
    waiting = reviewer.get("/api/v1/review/next").json()
    assert (waiting["designation"], waiting["queued_for"]) == (title, "review")

    tighter = admin.put(URL, json={"reason": "better than nothing"}).json()
    assert tighter["kind"] == "tighten"
    assert tighter["threshold"] > 0.5
    look()
    assert ask(client, title) == ("accept", "confident")

    assert admin.delete(URL, params={"reason": "mended"}).status_code == 204
    look()
    assert client.get("/api/v1/model").json()["brake"] is None
    nothing = admin.delete(URL, params={"reason": "mended"})
    assert nothing.status_code == 404
    assert nothing.json()["detail"] == f"There is no brake on the model '{tighter['model']}'."
    log = admin.get("/api/v1/audit").json()["items"]
    assert [one["action"] for one in log[:3]] == ["brake.release", "brake.set", "brake.set"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "review"}, 422),
        ({"kind": "none", "reason": "x"}, 422),
        ({"reason": ""}, 422),
        ({"reason": " "}, 400),
        ({"reason": "\0"}, 400),
    ],
)
def test_what_is_no_brake(admin: httpx.Client, body: dict[str, str], status: int) -> None:
    assert admin.put(URL, json=body).status_code == status
    assert admin.get(URL).json() is None


def test_only_administrators_change_it(reviewer: httpx.Client, client: httpx.Client) -> None:
    assert reviewer.put(URL, json={"reason": "x"}).status_code == 403
    assert reviewer.delete(URL, params={"reason": "x"}).status_code == 403
    assert reviewer.post(AGAIN, json={"reason": "x"}).status_code == 403
    assert client.get(URL).status_code == 403


def test_recalibration_makes_a_new_champion(
    admin: httpx.Client, served: Services, held_out: Path, look: Callable[[], bool], title: str
) -> None:
    before = served.registry.champion()
    too_few = admin.post(AGAIN, json={"reason": "after the new supplier"})
    assert too_few.status_code == 400
    assert "0 validated listings of the random audit since " in too_few.json()["detail"]
    assert admin.post(AGAIN, json={"reason": "x", "since": "2026-11-01T00:00:00"}).status_code == 422
    assert admin.put(URL, json={"kind": "review", "reason": "broken"}).status_code == 200
    look()
    recorder = PredictionRecorder(served.model, served.database, served.images, audit_share=1)
    texts = [one for one in read_catalogue(held_out).listings if one.has_text][:60]
    listings = [Listing(one.designation, one.description) for one in texts]
    for one in recorder.record([recorder.prepare(listing) for listing in listings], [None] * 60):
        said = admin.post(f"/api/v1/predictions/{one.id}/validations", json={"verdict": "right"})
        assert said.status_code == 201

    made = admin.post(AGAIN, json={"reason": "after the new supplier"})
    assert made.status_code == 200, made.text
    count = made.json()["reason"].split()[2]
    assert made.json()["reason"] == f"recalibrated on {count} audited listings: after the new supplier"
    assert made.json()["previous"] == before
    assert made.json()["model"] == served.registry.champion() != before
    early = admin.post(AGAIN, json={"reason": "x"})
    assert early.status_code == 409
    assert early.json()["detail"] == "The champion does not answer here."
    assert look()
    answered = admin.get("/api/v1/model").json()
    assert answered["version"][:12] == answered["champion"] == made.json()["model"]
    assert answered["brake"] is None
    assert ask(admin, title) == ("accept", "confident")


@pytest.mark.parametrize("served", ["pinned"], indirect=True)
def test_a_pinned_process_follows_no_brake_and_says_so(admin: httpx.Client) -> None:
    for answer in (
        admin.put(URL, json={"kind": "review", "reason": "x"}),
        admin.delete(URL, params={"reason": "x"}),
    ):
        assert answer.status_code == 409
        assert answer.json()["detail"] == "This process is pinned to one model, which follows no brake."
        assert answer.json()["hint"] == "Serve the champion, without --model and RAYON_MODEL"
