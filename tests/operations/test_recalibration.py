"""Recalibration from stored predictions: what counts, what it gives, and what stays."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert, update

from rayon.data.listings import Listing
from rayon.data.loading import read_catalogue
from rayon.errors import ConflictError, RayonError
from rayon.learning.model import ProductClassifier
from rayon.operations.brake import brake_of, set_brake
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.recalibration import (
    WINDOW,
    keep_recalibrated,
    promote_recalibrated,
    recalibrate,
)
from rayon.operations.registry import Registry
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.tables import predictions, validations

Audit = Callable[..., list[str]]
DRIFT = 0.1


@pytest.fixture(scope="session")
def model(better_trained: Path) -> ProductClassifier:
    return ProductClassifier.load(better_trained)


@pytest.fixture(scope="session")
def traffic(held_out: Path, model: ProductClassifier) -> tuple[list[Listing], list[str]]:
    """Listings that nobody has learned from, of which a share has become something else."""
    loaded = read_catalogue(held_out)
    rows = [
        (Listing(one.designation, one.description), code)
        for one, code in zip(loaded.listings, loaded.codes or [], strict=True)
        if one.has_text and not model.neighbours_.was_seen(Listing(one.designation, one.description))
    ]
    known = model.taxonomy_.codes
    drifted = np.random.default_rng(0).random(len(rows)) < DRIFT
    codes = [
        known[(known.index(code) + 1) % len(known)] if has else code
        for (_, code), has in zip(rows, drifted, strict=True)
    ]
    return [listing for listing, _ in rows], codes


@pytest.fixture
def images(tmp_path: Path) -> FolderImageStore:
    return FolderImageStore(tmp_path / "images")


@pytest.fixture
def registry(database: Database, tmp_path: Path, better_trained: Path) -> Registry:
    registry = Registry(database, tmp_path / "models")
    registry.promote(registry.register(better_trained, "test").name, "test", "the first")
    return registry


@pytest.fixture
def audited(database: Database, images: FolderImageStore, model: ProductClassifier) -> Audit:
    """Have listings answered and drawn by the audit, and those validated whose true code is given."""

    def answer(
        listings: list[Listing], codes: list[str | None], share: float = 1.0, drawn: bool = True
    ) -> list[str]:
        chance = (lambda: 0.0) if drawn else (lambda: 1.0)
        recorder = PredictionRecorder(model, database, images, audit_share=share, chance=chance)
        made = recorder.record([recorder.prepare(one) for one in listings], [None] * len(listings))
        now = datetime.now(UTC)
        said = [
            {"prediction_id": one.id, "at": now, "verdict": "wrong", "code": code, "comment": ""}
            for one, code in zip(made, codes, strict=True)
            if code is not None
        ]
        if said:
            with database.write() as connection:
                connection.execute(insert(validations), said)
                for word in said:
                    connection.execute(
                        update(predictions)
                        .where(predictions.c.id == word["prediction_id"])
                        .values(validated_at=now, true_code=word["code"])
                    )
        return [one.id for one in made]

    return answer


def test_after_a_drift_the_new_threshold_keeps_the_promise(
    database: Database,
    images: FolderImageStore,
    registry: Registry,
    model: ProductClassifier,
    traffic: tuple[list[Listing], list[str]],
    audited: Audit,
) -> None:
    listings, codes = traffic
    name = model.version_[:12]
    audited(listings[::2], codes[::2])
    set_brake(database, registry, name, "review", "monitoring", "broken")
    found = recalibrate(database, images, model)
    n = len(listings[::2])
    assert (found.listings, found.unknown, found.waiting, found.thinned, found.seen) == (n, 0, 0, 0, 0)
    assert (found.supported, found.champion) == (True, name)
    assert found.before.threshold == model.policy_.threshold_
    assert found.after.threshold is not None
    assert found.after.threshold > model.policy_.threshold_
    assert found.before.right / found.before.accepted < 0.8 < found.after.right / found.after.accepted
    assert registry.champion() == name  # nothing has changed so far
    assert len(registry.versions()) == 1

    promotion = promote_recalibrated(registry, found, "ann", "after the new supplier")
    assert promotion.reason == f"recalibrated on {n} audited listings: after the new supplier"
    assert promotion.previous == name
    assert promotion.verdict == {"recalibration": found.to_dict()}
    assert promotion.verdict["recalibration"]["after"]["threshold"] == found.after.threshold
    made = registry.find(promotion.model)
    assert (made.source, made.parent) == ("recalibrate", name)
    assert made.figures["promise"]["recalibration"]["listings"] == n
    assert made.figures["promise"]["recalibration"]["parent"] == model.version_
    assert brake_of(database, made.name) is None
    assert sorted(path.name for path in registry.folder_of(name).parent.iterdir()) == sorted(
        [name, made.name]
    )

    recalibrated = ProductClassifier.load(registry.folder_of(made.name))
    rest, truth = listings[1::2], codes[1::2]
    for one, expected in ((model, False), (recalibrated, True)):
        right = [
            answer.code == true
            for answer, true in zip(one.decide(rest), truth, strict=True)
            if answer.decision == "accept"
        ]
        assert len(right) > 200
        assert (np.mean(right) >= 0.8) == expected

    registry.rollback("ann", "complaints")
    assert registry.champion() == name
    assert brake_of(database, name) is not None


def test_predictions_of_the_parent_count_again_and_the_next_one_names_its_own(
    database: Database,
    images: FolderImageStore,
    registry: Registry,
    model: ProductClassifier,
    traffic: tuple[list[Listing], list[str]],
    audited: Audit,
) -> None:
    audited(traffic[0][::2], traffic[1][::2])
    first = promote_recalibrated(registry, recalibrate(database, images, model), "ann")
    second = recalibrate(database, images, ProductClassifier.load(registry.folder_of(first.model)))
    assert second.listings == len(traffic[0][::2])
    assert second.champion == first.model
    assert second.before == second.after  # the same listings, the same thresholds
    made = keep_recalibrated(registry, second, "ann")
    assert registry.champion() == first.model
    for file in ("head_text.npz", "head_image.npz", "fusion.npz"):
        weights = {(registry.folder_of(one) / file).read_bytes() for one in (first.model, made.name)}
        assert len(weights) == 1


def test_what_does_not_count(
    database: Database,
    images: FolderImageStore,
    model: ProductClassifier,
    traffic: tuple[list[Listing], list[str]],
    audited: Audit,
    shop: Path,
    picture: bytes,
) -> None:
    listings, codes = traffic
    pairs = iter(zip(listings, codes, strict=True))

    def some(n: int) -> tuple[list[Listing], list[str]]:
        part = list(itertools.islice(pairs, n))
        return [listing for listing, _ in part], [code for _, code in part]

    counted, true = some(100)
    audited(counted, ["none of them", *true[1:]])
    audited(*some(20), drawn=False)  # what reviewers chose to look at
    audited(some(5)[0], [None] * 5)
    audited([Listing("Lampe de chevet", image=picture)], [codes[0]])
    for digest in list(images.digests()):
        images.remove(digest, datetime.now(UTC) + timedelta(hours=1))
    old = audited(*some(7))
    with database.write() as connection:
        connection.execute(
            update(predictions)
            .where(predictions.c.id.in_(old))
            .values(created_at=datetime.now(UTC) - WINDOW - timedelta(days=1))
        )
    found = recalibrate(database, images, model)
    assert (found.listings, found.unknown, found.waiting, found.unanswerable) == (100, 1, 5, 1)
    assert (found.thinned, found.seen) == (0, 0)
    longer = recalibrate(database, images, model, since=datetime.now(UTC) - 2 * WINDOW)
    assert longer.listings == 107


def test_listings_that_the_model_has_learned_from_do_not_count(
    database: Database,
    images: FolderImageStore,
    audited: Audit,
    model: ProductClassifier,
    traffic: tuple[list[Listing], list[str]],
    tmp_path: Path,
) -> None:
    listings, codes = traffic
    audited(listings[:300], codes[:300])
    student = ProductClassifier(image="none", precision=0.8, folds=2)
    student.fit(listings[:200], codes[:200])
    student.save(tmp_path / "student")
    assert recalibrate(database, images, model).seen == 0
    found = recalibrate(database, images, student)
    assert (found.listings, found.seen) == (100, 200)


def test_all_are_thinned_to_the_smallest_chance(
    database: Database,
    images: FolderImageStore,
    model: ProductClassifier,
    traffic: tuple[list[Listing], list[str]],
    audited: Audit,
) -> None:
    listings, codes = traffic
    audited(listings[:300], codes[:300], share=0.25)
    audited(listings[300:800], codes[300:800], share=1.0)
    found = recalibrate(database, images, model)
    assert found.listings + found.thinned == 800
    assert abs(found.listings - 300 - 125) < 40  # a quarter of the others, within four standard deviations
    again = recalibrate(database, images, model, since=found.since)
    assert again.to_dict() == found.to_dict()  # the same ones, whenever one asks


def test_listings_that_do_not_support_the_promise_change_nothing(
    database: Database,
    images: FolderImageStore,
    registry: Registry,
    model: ProductClassifier,
    traffic: tuple[list[Listing], list[str]],
    audited: Audit,
) -> None:
    listings, codes = traffic
    audited(listings[:200], [*codes[60:200], *codes[:60]])
    found = recalibrate(database, images, model)
    assert not found.supported
    assert found.after.threshold is None
    assert found.after.accepted == 0
    assert found.message == (
        "Nothing is accepted: 200 calibration listings cannot support a precision of 80.0%; not even the "
        "surest predictions are right often enough, so more would not do"
    )
    with pytest.raises(RayonError) as error:
        promote_recalibrated(registry, found, "ann")
    assert error.value.message == found.message
    assert [one.name for one in registry.versions()] == [model.version_[:12]]


def test_too_few_listings_are_refused(
    database: Database,
    images: FolderImageStore,
    model: ProductClassifier,
    traffic: tuple[list[Listing], list[str]],
    audited: Audit,
) -> None:
    listings, codes = traffic
    since = datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(RayonError, match=r"^0 validated listings of the random audit since 2026-11-01"):
        recalibrate(database, images, model, since=since)
    audited(listings[:16], [*codes[:13], None, None, None])
    with pytest.raises(RayonError) as error:
        recalibrate(database, images, model, since=since)
    assert str(error.value) == (
        "13 validated listings of the random audit since 2026-11-01 are too few: a precision of 80.0% takes "
        "at least 14. Validate those that wait (3), go further back, or draw more with RAYON_AUDIT_SHARE"
    )


def test_a_champion_that_was_replaced_meanwhile_stays_replaced(
    database: Database,
    images: FolderImageStore,
    registry: Registry,
    model: ProductClassifier,
    traffic: tuple[list[Listing], list[str]],
    audited: Audit,
    trained: Path,
) -> None:
    audited(traffic[0][::2], traffic[1][::2])
    found = recalibrate(database, images, model)
    other = registry.promote(registry.register(trained, "bob").name, "bob", "in between").model
    with pytest.raises(ConflictError, match=r"^Another model was promoted at the same moment"):
        promote_recalibrated(registry, found, "ann")
    assert registry.champion() == other
