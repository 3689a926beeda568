from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from rayon.data.catalogue import open_catalogue
from rayon.data.listings import Listing
from rayon.errors import NotFoundError, RayonError
from rayon.learning.model import ProductClassifier
from rayon.operations.accounts import Accounts
from rayon.operations.jobs import Jobs
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.recipe import RetrainingRecipe
from rayon.operations.retention import Forgotten, Pruned, forget, prune
from rayon.operations.retrainings import Retrainings
from rayon.store.audit import entries
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.predictions import (
    PredictionFilter,
    add_validation,
    list_predictions,
    list_validations,
)
from rayon.store.review import lease_next
from rayon.store.schema import upgrade_schema
from rayon.store.tables import jobs, predictions, validations

DAY = timedelta(days=1)


def test_what_is_old_goes_with_all_that_hangs_on_it(
    model: ProductClassifier, database: Database, tmp_path: Path, picture: bytes
) -> None:
    images = FolderImageStore(tmp_path / "images")
    recorder = PredictionRecorder(model, database, images)
    other = picture + b"\0"  # the same pixels: the same picture once it is kept
    listings = [Listing("old", image=picture), Listing("old"), Listing("new", image=other), Listing("new")]
    made = recorder.record([recorder.prepare(listing) for listing in listings], [None] * 4)
    alone = images.put(b"only an old prediction has it")
    now = datetime.now(UTC)
    with database.write() as connection:
        for one in made[:2]:
            connection.execute(
                update(predictions).where(predictions.c.id == one.id).values(created_at=now - 10 * DAY)
            )
            add_validation(connection, one.id, None, "right", one.code, "", now)
        connection.execute(update(predictions).where(predictions.c.id == made[1].id).values(image=alone))
        plain = {
            "user_id": None,
            "file": "f",
            "rows_done": 0,
            "rows_failed": 0,
            "rows_expected": 0,
            "error": "",
        }
        for name, ended in (("old", now - 10 * DAY), ("new", now), ("running", None)):
            connection.execute(
                insert(jobs).values(
                    id=name, created_at=now - 20 * DAY, finished_at=ended, state="done", **plain
                )
            )
    for path in images.folder.rglob("*.jpg"):
        os.utime(path, ((now - 9 * DAY).timestamp(),) * 2)

    assert prune(database, images, now - 5 * DAY, "ann") == Pruned(predictions=2, images=1, jobs=1)
    with database.read() as connection:
        left = connection.execute(select(predictions.c.id)).scalars().all()
        assert sorted(left) == sorted(one.id for one in made[2:])
        assert connection.execute(select(validations)).all() == []
        assert sorted(connection.execute(select(jobs.c.id)).scalars()) == ["new", "running"]
    assert made[2].image is not None
    assert images.get(made[2].image)
    with pytest.raises(NotFoundError):
        images.get(alone)
    assert prune(database, images, now - 5 * DAY, "ann") == Pruned(0, 0, 0)


def test_a_picture_that_just_came_again_stays(tmp_path: Path) -> None:
    images = FolderImageStore(tmp_path)
    digest = images.put(b"picture")
    moment = datetime.now(UTC) - DAY
    os.utime(next(tmp_path.rglob("*.jpg")), ((moment - DAY).timestamp(),) * 2)
    images.put(b"picture")
    assert not images.remove(digest, moment)
    assert images.remove(digest, datetime.now(UTC) + DAY)
    assert not images.remove(digest, datetime.now(UTC) + DAY)


SECRET = "Zinzolin Quetzalcoatl"
SEARCHED = ("zinzolin", "quetzalcoatl")
"""The words of the secret, as searching knows them."""

NOW = timedelta(0)


def files_with(folder: Path, secret: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_a_product_is_forgotten_to_the_last_byte(
    model: ProductClassifier, trained: Path, database: Database, tmp_path: Path, picture: bytes
) -> None:
    images = FolderImageStore(tmp_path / "images")
    recorder = PredictionRecorder(model, database, images)
    listings = [
        Listing(SECRET, SECRET * 300, picture, "p1"),
        Listing(SECRET, productid="p1"),
        Listing("Lampe", image=picture, productid="p2"),
        Listing("Lampe", productid="p10"),
    ]
    made = recorder.record([recorder.prepare(one) for one in listings], [None] * 4)
    alone = images.put(b"only this product has it")
    with database.write() as connection:
        add_validation(connection, made[0].id, None, "wrong", "10", SECRET, datetime.now(UTC))
        connection.execute(update(predictions).where(predictions.c.id == made[1].id).values(image=alone))
    (tmp_path / "exports").mkdir()
    left = tmp_path / "exports" / "left.csv"
    left.write_text(SECRET)
    unpacked = tmp_path / "exports" / "half-unpacked"
    unpacked.mkdir()
    (unpacked / "model.json").write_text(SECRET)
    for path in (left, unpacked):
        os.utime(path, ((datetime.now(UTC) - DAY).timestamp(),) * 2)  # its server was killed
    waiting = Jobs(database, tmp_path / "jobs").submit(
        "shop.csv", io.BytesIO(b"designation\nLampe\n"), None, None
    )

    Retrainings(database, tmp_path / "retrainings").request("ann", "x", "api", RetrainingRecipe(("/shop",)))
    done = forget(database, images, tmp_path, [trained], productid="p1", actor="ann", grace=NOW)
    assert done == Forgotten(
        predictions=2, golden=0, images=1, jobs=0, exports=2, open_jobs=1, open_retrainings=1, models=()
    )
    with database.read() as connection:
        assert sorted(connection.execute(select(predictions.c.productid)).scalars()) == ["p10", "p2"]
        assert connection.execute(select(validations)).all() == []
        (entry,) = entries(connection, limit=1)
    assert (entry.actor, entry.action, entry.subject) == ("ann", "data.forget", "product")
    assert made[2].image is not None
    assert images.get(made[2].image)
    with pytest.raises(NotFoundError):
        images.get(alone)
    assert (tmp_path / "jobs" / waiting.id).is_dir()
    # What SQLite deletes it overwrites, in its log too; PostgreSQL does so when it needs the room.
    for secret in (SECRET, *SEARCHED):
        assert files_with(tmp_path, secret) == []


def test_words_go_from_a_search_index_of_many_parts(
    model: ProductClassifier, empty_database: Callable[[str], str], tmp_path: Path
) -> None:
    database, images = Database(empty_database("sqlite")), FolderImageStore(tmp_path / "images")
    upgrade_schema(database)
    recorder = PredictionRecorder(model, database, images)
    for number in range(40):
        listing = Listing(SECRET, productid="p1") if number % 9 == 0 else Listing(f"Lampe {number}")
        recorder.record([recorder.prepare(listing)], [None])
    for secret in SEARCHED:
        assert files_with(tmp_path, secret) != []
    forget(database, images, tmp_path, [], productid="p1", actor="ann", grace=NOW)
    for secret in (SECRET, *SEARCHED):
        assert files_with(tmp_path, secret) == []
    with database.read() as connection:
        assert len(list_predictions(connection, PredictionFilter(search="lampe"), 100)) == 35
        assert list_predictions(connection, PredictionFilter(search=SECRET), 100) == []
    database.close()


def test_what_a_user_asked_is_forgotten_and_what_they_said_loses_their_name(
    model: ProductClassifier, trained: Path, database: Database, tmp_path: Path
) -> None:
    accounts, images = Accounts(database), FolderImageStore(tmp_path / "images")
    ann, bob = (accounts.create(name, "correct horse", "reviewer", "test") for name in ("ann", "bob"))
    recorder = PredictionRecorder(model, database, images)
    questions = [recorder.prepare(Listing(SECRET)), recorder.prepare(Listing("Lampe"))]
    of_ann, of_bob = recorder.record(questions, [ann.id, bob.id])
    jobs_ = Jobs(database, tmp_path / "jobs")
    job = jobs_.submit("shop.csv", io.BytesIO(f"designation\n{SECRET}\n".encode()), None, ann.id)
    now = datetime.now(UTC)
    with database.write() as connection:
        add_validation(connection, of_bob.id, ann.id, "right", of_bob.code, "", now)
        connection.execute(update(predictions).values(queued_for="review", validated_at=None))
        lease_next(connection, ann.id, now, now + DAY)
        connection.execute(update(predictions).values(leased_by=ann.id, leased_until=now + DAY))

    done = forget(database, images, tmp_path, [trained], user="ann", actor="bob", grace=NOW)
    assert done == Forgotten(
        predictions=1, golden=0, images=0, jobs=1, exports=0, open_jobs=0, open_retrainings=0, models=()
    )
    with database.read() as connection:
        assert connection.execute(select(predictions.c.id)).scalars().all() == [of_bob.id]
        (word,) = list_validations(connection, of_bob.id)
        assert (word.user_id, word.verdict) == (None, "right")
        assert connection.execute(select(predictions.c.leased_by)).scalars().all() == [None]
    with pytest.raises(NotFoundError):
        jobs_.find(job.id)
    assert files_with(tmp_path, SECRET) == []
    assert accounts.find("ann") == ann
    assert of_ann.id != of_bob.id


def test_models_that_learned_from_it_are_named(
    model: ProductClassifier, trained: Path, shop: Path, database: Database, tmp_path: Path
) -> None:
    images = FolderImageStore(tmp_path / "images")
    known = next(row.listing for row in open_catalogue(shop).rows() if row.listing and row.listing.productid)
    by_id = forget(database, images, tmp_path, [trained], productid=known.productid, actor="a", grace=NOW)
    assert by_id == Forgotten(0, 0, 0, 0, 0, 0, 0, (trained,))
    recorder = PredictionRecorder(model, database, images)
    other_id = Listing(known.designation, known.description, productid="mine")
    recorder.record([recorder.prepare(other_id)], [None])
    by_text = forget(database, images, tmp_path, [trained], productid="mine", actor="a", grace=NOW)
    assert by_text == Forgotten(1, 0, 0, 0, 0, 0, 0, (trained,))


def test_a_picture_that_came_a_moment_ago_is_waited_for(
    model: ProductClassifier, database: Database, tmp_path: Path, picture: bytes
) -> None:
    images = FolderImageStore(tmp_path / "images")
    recorder = PredictionRecorder(model, database, images)
    (made,) = recorder.record([recorder.prepare(Listing(image=picture, productid="p"))], [None])
    grace = timedelta(seconds=2)
    done = forget(database, images, tmp_path, [], productid="p", actor="a", grace=grace)
    assert done.images == 1
    assert made.image is not None
    assert datetime.now(UTC) - made.created_at > grace - timedelta(seconds=1)
    with pytest.raises(NotFoundError):
        images.get(made.image)


@pytest.mark.parametrize("named", [{}, {"productid": ""}, {"productid": "p", "user": "ann"}])
def test_nothing_is_forgotten_that_is_not_named(
    database: Database, tmp_path: Path, named: dict[str, str]
) -> None:
    images = FolderImageStore(tmp_path / "images")
    with pytest.raises(RayonError, match="It is not said what to forget"):
        forget(database, images, tmp_path, [], actor="a", **named)
    with pytest.raises(NotFoundError, match="There is no user named 'nobody'"):
        forget(database, images, tmp_path, [], actor="a", user="nobody")


def test_pictures_that_nothing_names_are_swept_away_in_time(
    model: ProductClassifier, database: Database, tmp_path: Path, picture: bytes
) -> None:
    images = FolderImageStore(tmp_path / "images")
    recorder = PredictionRecorder(model, database, images)
    (made,) = recorder.record([recorder.prepare(Listing(image=picture))], [None])
    old, young = images.put(b"left by a request that was refused"), images.put(b"on its way")
    ages = {made.image: DAY, old: DAY, young: timedelta(minutes=30)}
    for path in images.folder.rglob("*.jpg"):
        os.utime(path, ((datetime.now(UTC) - ages[path.stem]).timestamp(),) * 2)
    done = forget(database, images, tmp_path, [], productid="none", actor="a", grace=NOW)
    assert (done.predictions, done.images) == (0, 1)
    assert set(images.digests()) == {made.image, young}
    assert prune(database, images, datetime.now(UTC) - DAY, "a") == Pruned(0, 0, 0)


def test_a_picture_that_another_prediction_comes_to_use_meanwhile_stays(
    model: ProductClassifier, database: Database, tmp_path: Path, picture: bytes
) -> None:
    images = FolderImageStore(tmp_path / "images")
    recorder = PredictionRecorder(model, database, images)

    def ask(productid: str) -> str | None:
        question = recorder.prepare(Listing(image=picture, productid=productid))
        return recorder.record([question], [None])[0].image

    digest = ask("p1")
    assert digest is not None
    done = forget(
        database, images, tmp_path, [], productid="p1", actor="a", grace=NOW, progress=lambda _: ask("p2")
    )
    assert (done.predictions, done.images) == (1, 0)
    assert images.get(digest)
