"""What monitoring finds in stored predictions, and what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from sqlalchemy import update

from rayon.data.listings import Listing
from rayon.errors import RayonError
from rayon.learning.crossfit import silent
from rayon.learning.model import ProductClassifier
from rayon.learning.model_files import CHECKSUM_FILE, writing_model
from rayon.operations.attention import Attention
from rayon.operations.brake import release_brake
from rayon.operations.monitoring import Monitor, MonitoringReport
from rayon.operations.monthly import write_monthly_report
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.promise_keeping import hold_to_promise
from rayon.operations.registry import Registry
from rayon.store.brakes import Brake
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.monitoring import list_runs
from rayon.store.predictions import StoredPrediction, add_validation
from rayon.store.tables import audit_log, predictions

AUDIT = 0.4
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


Labelled = tuple[list[Listing], list[str]]


@pytest.fixture(scope="session")
def folder(labelled: Labelled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that learned from the first 600 and promises something."""
    folder = tmp_path_factory.mktemp("promising") / "model"
    ProductClassifier(precision=0.93).fit(labelled[0][:600], labelled[1][:600]).save(folder)
    return folder


@pytest.fixture(scope="session")
def promising(folder: Path) -> ProductClassifier:
    return ProductClassifier.load(folder)


@pytest.fixture(scope="session")
def fresh(labelled: Labelled) -> Labelled:
    """Listings like those that the model learned from."""
    return labelled[0][600:], labelled[1][600:]


class Live:
    """A service that answers at chosen moments."""

    def __init__(self, model: ProductClassifier, database: Database, images: FolderImageStore) -> None:
        self.database = database
        draw = np.random.default_rng(0).random
        self.recorder = PredictionRecorder(
            model, database, images, audit_share=AUDIT, chance=lambda: float(draw())
        )

    def answer(self, listings: Sequence[Listing], at: datetime) -> list[StoredPrediction]:
        """Have listings answered."""
        made: list[StoredPrediction] = []
        for start in range(0, len(listings), 64):
            asked = [self.recorder.prepare(_read(one)) for one in listings[start : start + 64]]
            made += self.recorder.record(asked, [None] * len(asked))
        with self.database.write() as connection:
            ids = [one.id for one in made]
            connection.execute(update(predictions).where(predictions.c.id.in_(ids)).values(created_at=at))
        return made

    def validate(self, made: Sequence[StoredPrediction], true: Sequence[str]) -> None:
        """Say what is true."""
        with self.database.write() as connection:
            for one, code in zip(made, true, strict=True):
                verdict = "right" if code == one.code else "wrong"
                add_validation(connection, one.id, None, verdict, code, "", NOW)


def _read(listing: Listing) -> Listing:
    picture = listing.image.read_bytes() if isinstance(listing.image, Path) else None
    return Listing(listing.designation, listing.description, picture)


@pytest.fixture
def live(promising: ProductClassifier, database: Database, images: FolderImageStore) -> Live:
    return Live(promising, database, images)


@pytest.fixture
def look(database: Database, images: FolderImageStore, folder: Path) -> Callable[..., MonitoringReport]:
    def run(other: Path | None = None, **window: datetime) -> MonitoringReport:
        window = {"since": NOW - DAY, "until": NOW, **window}
        return Monitor(database, images, other or folder).look("ann", silent, **window)

    return run


def audited(made: Sequence[StoredPrediction], true: Sequence[str]) -> list[tuple[StoredPrediction, str]]:
    return [(one, code) for one, code in zip(made, true, strict=True) if one.queued_for == "audit"]


def test_nothing_has_happened_yet(look: Callable[..., MonitoringReport], database: Database) -> None:
    found = look()
    assert len(found.window) == 0
    assert found.attention == ()
    assert found.missing[:2] == (
        "Whether the promise is kept can be said after 555 more audited accepted listings",
        "Quality cannot be estimated: no prediction that the audit drew has been validated",
    )
    assert found.missing[2].startswith("Drift against training cannot be judged for length of text, language")
    assert found.missing[2].endswith(": 200 more listings are needed")
    assert found.to_dict()["volume"]["acceptance_rate"] is None
    json.dumps(found.to_dict(), allow_nan=False)
    with database.read() as connection:
        (run,) = list_runs(connection)
    assert (run.actor, run.model, run.attention) == ("ann", found.model, 0)
    assert run.report == json.loads(json.dumps(found.to_dict()))


def test_a_service_as_good_as_training_needs_no_attention(
    live: Live, look: Callable[..., MonitoringReport], fresh: Labelled
) -> None:
    listings, codes = fresh
    before = live.answer(listings[:210], NOW - 1.5 * DAY)
    made = live.answer(listings[210:], NOW - DAY / 2)
    drawn = audited(made, codes[210:])
    live.validate(*zip(*drawn, strict=True))
    found = look()
    assert found.attention == ()
    assert len(found.window) == len(made)
    assert found.quality.audited == len(drawn)
    right = np.mean([one.code == code for one, code in zip(made, codes[210:], strict=True)])
    assert found.quality.accuracy is not None
    assert found.quality.accuracy.low <= right <= found.quality.accuracy.high
    assert found.promise is not None
    assert found.promise.verdict == "too_few"
    assert found.promise.n == sum(one.decision == "accept" for one, _ in drawn)
    document = found.to_dict()
    assert document["volume"] == {
        "predictions": len(made),
        "of_this_model": len(made),
        "accepted": sum(one.decision == "accept" for one in made),
        "acceptance_rate": sum(one.decision == "accept" for one in made) / len(made),
        "degraded": sum(one.degraded for one in made),
        "waiting_for_review": sum(one.queued_for is not None for one in [*before, *made]) - len(drawn),
        "days": [
            {
                "day": "2026-11-20",
                "predictions": len(made),
                "accepted": sum(one.decision == "accept" for one in made),
            }
        ],
    }
    assert sum(one["n"] for one in document["reliability"]) == len(drawn)
    assert {one["against"] for one in document["drift"]["signals"]} == {"training", "the window before"}
    assert {one["verdict"] for one in document["drift"]["signals"]} <= {"stable", "too_few"}
    assert {one["code"] for one in document["quality"]["codes"]} <= set(codes)


def test_reviewers_who_look_at_what_is_doubtful_say_nothing_of_quality(
    live: Live, look: Callable[..., MonitoringReport], fresh: Labelled
) -> None:
    listings, codes = fresh
    made = live.answer(listings[:200], NOW - DAY / 2)
    live.validate(*zip(*audited(made, codes[:200]), strict=True))
    honest = look().quality
    doubtful = [one for one in made if one.queued_for == "review"][:5]
    assert doubtful
    live.validate(doubtful, ["2583" if one.code != "2583" else "10" for one in doubtful])
    after = look().quality
    assert (after.accuracy, after.weighted_f1) == (honest.accuracy, honest.weighted_f1)
    assert after.naive.accuracy is not None
    assert honest.naive.accuracy is not None
    assert after.naive.accuracy.estimate < honest.naive.accuracy.estimate  # type: ignore[operator]


def test_a_broken_promise_needs_attention(
    live: Live, look: Callable[..., MonitoringReport], fresh: Labelled
) -> None:
    made = live.answer(fresh[0][:300], NOW - DAY / 2)
    drawn = [one for one in made if one.queued_for == "audit" and one.decision == "accept"]
    unknown = ["a code that the model does not know"] * len(drawn)
    live.validate(drawn, unknown)
    found = look()
    assert [one.kind for one in found.attention] == ["promise", "quality", "confidence"]
    assert found.attention[0] == Attention(
        "promise",
        f"The promised precision of 93.0% is not kept: 0 of {len(drawn)} audited accepted listings are right "
        "(p < 0.0001)",
    )
    assert found.attention[1].message.startswith("Weighted F1 is 0.")
    assert " at the most, after 0." in found.attention[1].message


def test_new_products_are_drift_against_training_and_the_window_before(
    live: Live, look: Callable[..., MonitoringReport], fresh: Labelled
) -> None:
    live.answer(fresh[0][:300], NOW - 1.5 * DAY)
    strange = [Listing(f"Zwölfkantschlüssel verchromt Nummer{number} Größe{number}") for number in range(300)]
    live.answer(strange, NOW - DAY / 2)
    found = look()
    (drift,) = [one for one in found.attention if one.kind == "drift"]
    assert "unknown words against training" in drift.message
    assert found.drift is not None
    drifted = {(one.against, one.name) for one in found.drift.drifted}
    assert {
        ("training", "language"),
        ("the window before", "language"),
        ("the window before", "novelty"),
    } <= drifted


def test_other_models_count_as_volume_alone(
    live: Live, look: Callable[..., MonitoringReport], fresh: Labelled
) -> None:
    made = live.answer(fresh[0][:40], NOW - DAY / 2)
    live.validate(made[:20], fresh[1][:20])
    with live.database.write() as connection:
        ids = [one.id for one in made[:20]]
        connection.execute(
            update(predictions).where(predictions.c.id.in_(ids)).values(model_version="f" * 64)
        )
    found = look()
    assert (len(found.window), len(found.window.sample)) == (40, 20)
    assert found.quality.accuracy is None


def test_a_window_ends_after_it_begins(look: Callable[..., MonitoringReport]) -> None:
    with pytest.raises(RayonError, match=r"A window from 2026-11-20 12:00 to 2026-11-20 12:00 is empty"):
        look(since=NOW)


def test_few_labels_brake_nothing(
    live: Live,
    look: Callable[..., MonitoringReport],
    fresh: Labelled,
    folder: Path,
    database: Database,
    tmp_path: Path,
) -> None:
    registry = Registry(database, tmp_path / "models")
    registry.register(folder, "ann")
    made = live.answer(fresh[0][:60], NOW - DAY / 2)
    drawn = [one for one in made if one.queued_for == "audit" and one.decision == "accept"][:19]
    live.validate(drawn, ["unknown"] * len(drawn))
    report = look(since=NOW - 30 * DAY)
    assert "promise" in [one.kind for one in report.attention]
    assert hold_to_promise(report, database, registry, "review", "the schedule") is None


def test_a_window_has_an_end(look: Callable[..., MonitoringReport]) -> None:
    with pytest.raises(RayonError, match=r"A window from 0*1-01-01 is too long"):
        look(since=datetime(1, 1, 1, tzinfo=UTC))


def test_a_model_of_an_older_rayon_has_no_drift(
    look: Callable[..., MonitoringReport], folder: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    with writing_model(old) as writer:
        for path in folder.iterdir():
            if path.name not in ("reference.npz", CHECKSUM_FILE):
                writer.copy(path.name, path)
    found = look(old)
    assert found.drift is None
    assert found.missing[-1] == (
        "Drift cannot be judged: the model does not know its training listings; train it again"
    )
    assert found.to_dict()["drift"] is None


def test_a_broken_promise_brakes_the_model_until_a_person_releases_it(
    live: Live,
    look: Callable[..., MonitoringReport],
    fresh: Labelled,
    folder: Path,
    database: Database,
    tmp_path: Path,
) -> None:
    registry = Registry(database, tmp_path / "models")
    name = registry.register(folder, "ann").name
    registry.promote(name, "ann", "the first")

    def hold(kind: Literal["nothing", "tighten", "review"], days: int = 30) -> Brake | None:
        report = look(since=NOW - days * DAY)
        return hold_to_promise(report, database, registry, kind, "the schedule")

    assert hold("review") is None  # nothing is known yet
    made = live.answer(fresh[0][:300], NOW - DAY / 2)
    drawn = [one for one in made if one.queued_for == "audit" and one.decision == "accept"]
    live.validate(drawn, ["unknown"] * len(drawn))
    assert hold("nothing") is None
    assert hold("review", days=29) is None  # whoever chooses a window could choose any single error
    brake = hold("review")
    assert brake is not None
    assert (brake.model, brake.kind, brake.actor) == (name, "review", "the schedule")
    assert brake.reason == (
        f"The promised precision of 93.0% is not kept: 0 of {len(drawn)} audited accepted listings are right "
        "(p < 0.0001)"
    )
    assert hold("review") is None  # it is on already
    (said,) = [one.message for one in look().attention if one.kind == "brake"]
    assert said.startswith("The model accepts nothing since 20")
    assert said.endswith(": recalibrate it, or release the brake")

    release_brake(database, name, "ann", "the catalogue was wrong")
    with database.write() as connection:
        connection.execute(update(audit_log).values(at=NOW - DAY / 4))
    assert hold("review") is None  # all of it is from before
    again = live.answer(fresh[0][300:450], NOW - DAY / 8)
    wrong = [one for one in again if one.queued_for == "audit" and one.decision == "accept"]
    live.validate(wrong, ["unknown"] * len(wrong))
    assert hold("tighten") is not None


def test_the_report_of_the_month_before_is_written_once(
    live: Live, fresh: Labelled, folder: Path, database: Database, images: FolderImageStore, tmp_path: Path
) -> None:
    monitor = Monitor(database, images, folder)

    def write(now: datetime) -> Path | None:
        return write_monthly_report(monitor, database, tmp_path / "reports", "Europe/Paris", now, silent)

    november = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)  # December in Paris
    assert write(november) is None  # nothing was answered
    live.answer(fresh[0][:30], NOW)
    assert write(november - timedelta(hours=1)) is None  # November is not over
    path = write(november)
    assert path == tmp_path / "reports" / "monitoring-2026-11.html"
    assert "Monitoring, November 2026" in path.read_text(encoding="utf-8")
    assert write(november) is None
    with database.read() as connection:
        assert list_runs(connection) == []
