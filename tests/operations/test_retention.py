from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from rayon.data.listings import Listing
from rayon.errors import NotFoundError
from rayon.learning.model import ProductClassifier
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.retention import Pruned, prune
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.predictions import add_validation
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

    assert prune(database, images, now - 5 * DAY) == Pruned(predictions=2, images=1, jobs=1)
    with database.read() as connection:
        left = connection.execute(select(predictions.c.id)).scalars().all()
        assert sorted(left) == sorted(one.id for one in made[2:])
        assert connection.execute(select(validations)).all() == []
        assert sorted(connection.execute(select(jobs.c.id)).scalars()) == ["new", "running"]
    assert made[2].image is not None
    assert images.get(made[2].image)
    with pytest.raises(NotFoundError):
        images.get(alone)
    assert prune(database, images, now - 5 * DAY) == Pruned(0, 0, 0)


def test_a_picture_that_just_came_again_stays(tmp_path: Path) -> None:
    images = FolderImageStore(tmp_path)
    digest = images.put(b"picture")
    moment = datetime.now(UTC) - DAY
    os.utime(next(tmp_path.rglob("*.jpg")), ((moment - DAY).timestamp(),) * 2)
    images.put(b"picture")
    assert not images.remove(digest, moment)
    assert images.remove(digest, datetime.now(UTC) + DAY)
    assert not images.remove(digest, datetime.now(UTC) + DAY)
