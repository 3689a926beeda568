"""The brake: set, followed by what serves, and released."""

from __future__ import annotations

import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rayon.data.listings import Listing
from rayon.data.loading import read_catalogue
from rayon.errors import ModelError, NotFoundError, RayonError
from rayon.learning.model import ProductClassifier
from rayon.operations.brake import all_brakes, brake_at_least, brake_of, release_brake, set_brake
from rayon.operations.hot_swap import ModelFollower
from rayon.operations.jobs import Jobs, Worker
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.registry import Registry
from rayon.store.audit import entries
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.predictions import PredictionFilter, StoredPrediction, list_predictions


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Registry:
    return Registry(database, tmp_path / "models")


@pytest.fixture
def name(registry: Registry, better_trained: Path) -> str:
    """The champion, which accepts most of what it is asked."""
    made = registry.register(better_trained, "test")
    return registry.promote(made.name, "test", "the first").model


@pytest.fixture(scope="session")
def answering(better_trained: Path) -> ProductClassifier:
    return ProductClassifier.load(better_trained)


@pytest.fixture(scope="session")
def listings(held_out: Path) -> list[Listing]:
    texts = [Listing(one.designation, one.description) for one in read_catalogue(held_out).listings[:200]]
    return [one for one in texts if one.has_text]


class Process:
    """A process that answers by the champion, as `rayon serve` does."""

    def __init__(self, database: Database, registry: Registry, tmp_path: Path, name: str) -> None:
        model = ProductClassifier.load(registry.folder_of(name))
        self.recorder = PredictionRecorder(
            model, database, FolderImageStore(tmp_path / "images"), audit_share=0
        )
        self.follower = ModelFollower(
            registry, ProductClassifier.load, self._swap, name, self.recorder.look_at_brakes
        )

    def ask(self, listings: list[Listing]) -> list[StoredPrediction]:
        return self.recorder.record([self.recorder.prepare(one) for one in listings], [None] * len(listings))

    def _swap(self, model: ProductClassifier) -> None:
        self.recorder.model = model


@pytest.fixture
def process(database: Database, registry: Registry, tmp_path: Path, name: str) -> Process:
    return Process(database, registry, tmp_path, name)


def test_review_stops_all_acceptance_until_it_is_released(
    database: Database, registry: Registry, name: str, process: Process, listings: list[Listing]
) -> None:
    before = process.ask(listings)
    accepted = [one.decision == "accept" for one in before]
    assert sum(accepted) > 100
    brake = set_brake(database, registry, name[:6], "review", "ann", " shoes are wrong ")
    assert (brake.model, brake.kind, brake.threshold) == (name, "review", None)
    assert (brake.actor, brake.reason) == ("ann", "shoes are wrong")
    assert brake_of(database, name) == brake
    assert process.ask(listings[:1])[0].reason == before[0].reason  # until the process looks

    assert not process.follower.look()
    assert process.recorder.brake == brake
    during = process.ask(listings)
    assert {one.decision for one in during} == {"review"}
    assert {one.queued_for for one in during} == {"review"}
    assert {one.threshold for one in during} == {None}
    reasons = [one.reason for one in during]
    assert [reason == "promise_broken" for reason in reasons] == accepted
    assert [one.code for one in during] == [one.code for one in before]
    assert [reason for reason, was in zip(reasons, accepted, strict=True) if not was] == [
        one.reason for one in before if one.decision == "review"
    ]

    release_brake(database, name, "bob", "mended")
    process.follower.look()
    assert process.recorder.brake is None
    after = process.ask(listings)
    assert [one.decision for one in after] == [one.decision for one in before]
    assert [one.threshold for one in after] == [one.threshold for one in before]
    with database.read() as connection:
        logged = entries(connection, limit=2)
    assert [(one.actor, one.action, one.subject) for one in logged] == [
        ("bob", "brake.release", name),
        ("ann", "brake.set", name),
    ]
    assert logged[0].detail == {"reason": "mended"}
    assert logged[1].detail == {
        "kind": "review",
        "asked": "review",
        "threshold": None,
        "reason": "shoes are wrong",
    }


def test_a_tighter_threshold_lets_only_the_surest_through(
    database: Database,
    registry: Registry,
    name: str,
    process: Process,
    listings: list[Listing],
    answering: ProductClassifier,
) -> None:
    brake = set_brake(database, registry, name, "tighten", "ann", "x")
    threshold = answering.policy_.threshold_
    assert brake.kind == "tighten"
    assert threshold is not None
    assert brake.threshold is not None
    assert brake.threshold > threshold
    process.follower.look()
    own = answering.decide(listings)
    for one, stored in zip(own, process.ask(listings), strict=True):
        assert stored.threshold == brake.threshold
        if one.decision == "review":
            expected = ("review", one.reason)
        elif one.score >= brake.threshold:
            expected = ("accept", "confident")
        else:
            expected = ("review", "promise_broken")
        assert (stored.decision, stored.reason) == expected
        assert (stored.queued_for == "review") == (stored.decision == "review")
    assert {one.decision for one in process.ask(listings)} == {"accept", "review"}


def test_where_no_stricter_threshold_is_supported_everything_goes_to_review(
    database: Database, registry: Registry, trained: Path
) -> None:
    made = registry.register(trained, "test")  # it accepts nothing as it is
    brake = set_brake(database, registry, made.name, "tighten", "ann", "x")
    assert (brake.kind, brake.threshold) == ("review", None)
    with database.read() as connection:
        (entry,) = entries(connection, limit=1)
    assert (entry.detail["kind"], entry.detail["asked"]) == ("review", "tighten")


def test_another_champion_is_not_braked_and_the_way_back_leads_to_the_brake(
    database: Database,
    registry: Registry,
    name: str,
    process: Process,
    listings: list[Listing],
    tmp_path: Path,
) -> None:
    set_brake(database, registry, name, "review", "ann", "x")
    other = ProductClassifier.load(registry.folder_of(name))
    other.precision = 0.7  # which makes another version, and changes no decision
    other.save(tmp_path / "other")
    promoted = registry.promote(registry.register(tmp_path / "other", "test").name, "ann", "x").model
    assert process.follower.look()
    assert process.recorder.brake is None
    assert "accept" in {one.decision for one in process.ask(listings)}
    registry.rollback("ann", "x")
    assert process.follower.look()  # the brake comes with the model
    assert {one.decision for one in process.ask(listings)} == {"review"}
    assert set(all_brakes(database)) == {name} != {promoted}


def test_rows_of_jobs_are_braked_too(
    database: Database,
    registry: Registry,
    name: str,
    process: Process,
    listings: list[Listing],
    tmp_path: Path,
) -> None:
    set_brake(database, registry, name, "review", "ann", "x")
    process.follower.look()
    lines = ["designation", *(one.designation.replace('"', " ") for one in listings if one.designation)]
    table = "\n".join(f'"{line}"' for line in lines).encode()
    job = Jobs(database, tmp_path / "jobs").submit("shop.csv", io.BytesIO(table), None, None)
    assert Worker(process.recorder, database, tmp_path / "jobs").work()
    with database.read() as connection:
        rows = list_predictions(connection, PredictionFilter(job_id=job.id), 1000)
    assert len(rows) == len(lines) - 1
    assert {(one.decision, one.queued_for) for one in rows} == {("review", "review")}
    assert Counter(one.reason for one in rows)["promise_broken"] > len(rows) / 2


def test_what_acts_by_itself_never_loosens(database: Database, registry: Registry, name: str) -> None:
    first = brake_at_least(database, registry, name, "tighten", "monitoring", "broken")
    assert first is not None
    assert first.kind == "tighten"
    assert brake_at_least(database, registry, name, "tighten", "monitoring", "broken again") is None
    second = brake_at_least(database, registry, name, "review", "monitoring", "broken still")
    assert second is not None
    assert second.kind == "review"
    for kind in ("tighten", "review"):
        assert brake_at_least(database, registry, name, kind, "monitoring", "broken") is None
    assert brake_of(database, name) == second
    person = set_brake(database, registry, name, "tighten", "ann", "I know better")
    assert brake_of(database, name) == person


def test_of_two_first_brakes_one_comes_after_the_other(
    database: Database, registry: Registry, name: str
) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda who: set_brake(database, registry, name, "review", who, "x"), "abcd"))
    assert brake_of(database, name) in made
    with database.read() as connection:
        logged = [one.actor for one in entries(connection) if one.action == "brake.set"]
    assert sorted(logged) == ["a", "b", "c", "d"]


def test_what_cannot_be_done(database: Database, registry: Registry, name: str) -> None:
    with pytest.raises(RayonError, match=r"^The reason is missing"):
        set_brake(database, registry, name, "review", "ann", " ")
    with pytest.raises(RayonError, match=r"^The reason is missing"):
        release_brake(database, name, "ann", "")
    with pytest.raises(NotFoundError, match=r"^There is no model 'none'"):
        set_brake(database, registry, "none", "review", "ann", "x")
    with pytest.raises(NotFoundError) as error:
        release_brake(database, name, "ann", "x")
    assert error.value.message == f"There is no brake on the model '{name}'"
    assert brake_of(database, name) is None
    file = registry.folder_of(name) / "cross_fitted.npz"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ModelError, match=r"cross_fitted\.npz has changed"):
        set_brake(database, registry, name, "tighten", "ann", "x")
    assert brake_of(database, name) is None
    assert set_brake(database, registry, name, "review", "ann", "x").kind == "review"  # it needs no file
