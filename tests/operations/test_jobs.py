from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rayon.errors import CatalogueError, ConflictError, NotFoundError, StoreUnavailableError
from rayon.learning.model import ProductClassifier
from rayon.operations.archives import unpack_images
from rayon.operations.jobs import PART_ROWS, Jobs, Worker
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.store.accounts import add_user
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.jobs import lease_job
from rayon.store.predictions import PredictionFilter, StoredPrediction, list_predictions
from rayon.store.schema import downgrade_schema, upgrade_schema

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Place:
    jobs: Jobs
    worker: Worker
    other: Worker
    database: Database
    folder: Path


class KilledError(BaseException):
    """As if the process had been killed."""


class Dying(PredictionRecorder):
    """Dies before it stores the third part."""

    parts = 0

    def record_job(self, *arguments: Any) -> bool:
        self.parts += 1
        if self.parts == 3:
            raise KilledError
        return super().record_job(*arguments)


@pytest.fixture
def place(model: ProductClassifier, database: Database, tmp_path: Path) -> Place:
    recorder = PredictionRecorder(model, database, FolderImageStore(tmp_path / "images"))
    folder = tmp_path / "jobs"
    workers = [Worker(recorder, database, folder, timedelta(0)) for _ in range(2)]
    return Place(Jobs(database, folder), *workers, database, folder)


def listings(n: int) -> io.BytesIO:
    rows = [{"designation": f"Lampe {i}", "productid": str(i)} for i in range(n)]
    return io.BytesIO("\n".join(map(json.dumps, rows)).encode())


def kept(database: Database, job_id: str) -> list[StoredPrediction]:
    with database.read() as connection:
        return list_predictions(connection, PredictionFilter(job_id=job_id), 100_000)


def test_a_file_is_classified_row_by_row_and_removed(place: Place) -> None:
    table = "designation,description,productid\nLampe rouge,,1\n,,2\nRoman policier,,3\n"
    job = place.jobs.submit("C:\\shop.CSV", io.BytesIO(table.encode()), None, None)
    assert (job.state, job.rows_done) == ("waiting", 0)
    assert place.worker.work()
    ended = place.jobs.find(job.id)
    assert (ended.state, ended.rows_done, ended.rows_failed, ended.error) == ("done", 3, 1, "")
    assert ended.finished_at is not None
    rows = {one.job_row: one.productid for one in kept(place.database, job.id)}
    assert rows == {1: "1", 3: "3"}
    ((row, error),) = place.jobs.failures(job.id, 0, 10)
    assert row == 2
    assert "no title, no description and no picture" in error
    assert list(place.folder.iterdir()) == []
    assert not place.worker.work()


def test_pictures_come_in_an_archive(place: Place, picture: bytes) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("some/folder/7.jpg", picture)
        archive.writestr("notes.txt", "no picture")
    packed.seek(0)
    table = io.BytesIO(b"designation,imageid\n,7\n,8\nLampe,9\n")
    job = place.jobs.submit("shop.csv", table, packed, None)
    place.worker.work()
    assert place.jobs.find(job.id).rows_failed == 1
    found = {one.imageid: one for one in kept(place.database, job.id)}
    assert found["7"].modalities == ["image"]
    assert found["7"].image
    assert found["9"].modalities == ["text"]


def test_whoever_takes_over_goes_on_where_the_last_part_ended(place: Place, model: ProductClassifier) -> None:
    n = 3 * PART_ROWS + 5
    job = place.jobs.submit("shop.jsonl", listings(n), None, None)

    images = FolderImageStore(place.folder.parent / "images")
    dying = Worker(Dying(model, place.database, images), place.database, place.folder, timedelta(0))
    with pytest.raises(KilledError):
        dying.work()
    assert place.jobs.find(job.id).rows_done == 2 * PART_ROWS
    assert place.other.work()
    assert place.jobs.find(job.id).state == "done"
    ids = [int(one.productid) for one in kept(place.database, job.id)]
    assert sorted(ids) == list(range(n))


def test_who_has_lost_a_job_stores_nothing_more(place: Place) -> None:
    job = place.jobs.submit("shop.jsonl", listings(5), None, None)
    with place.database.write() as connection:
        assert lease_job(connection, "somebody", NOW, NOW)
        leased = lease_job(connection, place.worker._name, NOW, NOW)
    assert leased is not None
    with place.database.write() as connection:
        assert lease_job(connection, "somebody", NOW, NOW)
    assert place.worker._answer(leased) is False
    assert kept(place.database, job.id) == []
    assert place.jobs.find(job.id).rows_done == 0


def test_who_has_lost_a_job_stops_unpacking_its_pictures(place: Place, picture: bytes) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("7.jpg", picture)
    packed.seek(0)
    job = place.jobs.submit("shop.csv", io.BytesIO(b"imageid\n7\n"), packed, None)
    with place.database.write() as connection:
        leased = lease_job(connection, place.worker._name, NOW, NOW)
        assert lease_job(connection, "somebody", NOW, NOW)
    assert leased is not None
    assert place.worker._answer(leased) is False
    assert (place.folder / job.id / "images.zip").is_file()
    assert not (place.folder / job.id / "images" / "7.jpg").exists()


def test_a_cancelled_job_stays_cancelled(place: Place) -> None:
    job = place.jobs.submit("shop.jsonl", listings(5), None, None)
    place.jobs.cancel(job.id)
    assert not place.worker.work()
    assert place.jobs.find(job.id).state == "cancelled"
    with pytest.raises(ConflictError, match="has ended"):
        place.jobs.cancel(job.id)


def test_a_worker_that_stops_leaves_its_job_to_the_next(place: Place) -> None:
    job = place.jobs.submit("shop.jsonl", listings(5), None, None)
    place.worker.stop()
    assert place.worker.work()
    assert place.jobs.find(job.id).state == "waiting"
    place.worker.run()  # ends at once
    assert place.other.work()
    assert place.jobs.find(job.id).state == "done"


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("shop.csv", b"", "is empty"),
        ("shop.csv", b"a,b\n1,2\n", "column"),
        ("shop.parquet", b"PAR1 not really", ""),
        ("shop.csv", b"designation\n\xff\xfe\xe9\n", ""),
    ],
)
def test_a_file_that_cannot_be_read_fails_its_job_alone(
    place: Place, name: str, content: bytes, error: str
) -> None:
    broken = place.jobs.submit(name, io.BytesIO(content), None, None)
    good = place.jobs.submit("shop.jsonl", listings(2), None, None)
    assert place.worker.work()
    assert place.worker.work()
    ended = place.jobs.find(broken.id)
    assert (ended.state, bool(ended.error)) == ("failed", True)
    assert error in ended.error
    assert place.jobs.find(good.id).state == "done"
    assert list(place.folder.iterdir()) == []


def test_other_files_are_refused_before_anything_is_kept(place: Place) -> None:
    with pytest.raises(CatalogueError, match=r"A job cannot read 'shop\.xls'"):
        place.jobs.submit("shop.xls", listings(1), None, None)
    assert not place.folder.exists()


def test_without_a_database_nothing_is_kept(place: Place) -> None:
    downgrade_schema(place.database, "base")
    with pytest.raises(StoreUnavailableError):
        place.jobs.submit("shop.jsonl", listings(1), None, None)
    assert list(place.folder.iterdir()) == []
    with pytest.raises(StoreUnavailableError):
        place.worker.work()
    upgrade_schema(place.database)
    assert not place.worker.work()


def test_jobs_have_owners(place: Place) -> None:
    with place.database.write() as connection:
        ann = add_user(connection, "ann", "client", "x", NOW).id
    job = place.jobs.submit("shop.jsonl", listings(1), None, ann)
    other = place.jobs.submit("shop.jsonl", listings(1), None, None)
    assert place.jobs.find(job.id, ann).id == job.id
    with pytest.raises(NotFoundError, match="There is no job"):
        place.jobs.find(other.id, ann)
    assert [one.id for one in place.jobs.list(ann, None, 10)] == [job.id]
    assert [one.id for one in place.jobs.list(None, None, 10)] == [other.id, job.id]
    assert [one.id for one in place.jobs.list(None, other.id, 10)] == [job.id]


def test_archives_cannot_leave_their_folder_or_fill_the_disk(tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.zip"
    with zipfile.ZipFile(hostile, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (
            "../../up.jpg",
            "/etc/root.jpg",
            "..\\..\\back.jpg",
            "ok/.hidden.jpg",
            "deep/" * 50 + "d.png",
        ):
            archive.writestr(name, b"x")
    folder = tmp_path / "images"
    assert unpack_images(hostile, folder) == 4
    assert sorted(path.name for path in folder.iterdir()) == ["back.jpg", "d.png", "root.jpg", "up.jpg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hostile.zip", "images"]

    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.jpg", bytes(100_000_000))
    assert bomb.stat().st_size < 200_000
    with pytest.raises(CatalogueError, match=r"The picture 'bomb\.jpg' of the archive is too large"):
        unpack_images(bomb, folder)
    assert not (folder / "bomb.jpg").exists()
    with pytest.raises(CatalogueError, match="too large"):
        unpack_images(hostile, folder, max_total=2)
    with pytest.raises(CatalogueError, match="more than 3 pictures"):
        unpack_images(hostile, folder, max_files=3)
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(CatalogueError, match="cannot be unpacked"):
        unpack_images(tmp_path / "no.zip", folder)
