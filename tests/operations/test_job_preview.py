"""What a job shows of its files before it is started."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from rayon.errors import CatalogueError, ConflictError, NotFoundError
from rayon.learning.model import ProductClassifier
from rayon.operations.job_preview import Preview, Reason
from rayon.operations.jobs import Jobs, Worker
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.jobs import open_jobs
from rayon.store.tables import jobs as jobs_table


@pytest.fixture
def jobs(database: Database, tmp_path: Path) -> Jobs:
    return Jobs(database, tmp_path / "jobs")


@pytest.fixture
def worker(jobs: Jobs, database: Database, model: ProductClassifier, tmp_path: Path) -> Worker:
    recorder = PredictionRecorder(model, database, FolderImageStore(tmp_path / "images"))
    return Worker(recorder, database, jobs.folder)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """One kind is enough, but for the tests of drafts in the database."""
    kind = getattr(request, "param", "sqlite")
    make = request.getfixturevalue("empty_database")
    url: str = make(kind)
    return url


both_databases = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


def draft(jobs: Jobs, content: str | bytes, packed: io.BytesIO | None = None, name: str = "shop.csv") -> str:
    data = content.encode() if isinstance(content, str) else content
    return jobs.submit(name, io.BytesIO(data), packed, None, draft=True).id


def preview(
    jobs: Jobs, content: str | bytes, packed: io.BytesIO | None = None, name: str = "shop.csv"
) -> Preview:
    return jobs.preview(draft(jobs, content, packed, name))


def pack(**files: bytes) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/") + ".jpg", data)
    packed.seek(0)
    return packed


def test_columns_are_matched_or_ignored(jobs: Jobs) -> None:
    seen = preview(jobs, "Titre;Prix;EAN;Category\nLampe rouge;12,50;301;2583\n")
    assert seen.columns == {"designation": "Titre", "productid": "EAN"}
    assert seen.ignored == ["Prix", "Category"]
    (row,) = seen.rows
    assert (row.designation, row.productid, row.error) == ("Lampe rouge", "301", None)
    assert (seen.rows_read, seen.is_whole, seen.rows_failing, seen.pictures) == (1, True, 0, None)


def test_problems_of_the_first_thousand_rows_are_counted_by_reason(jobs: Jobs) -> None:
    lines = ["designation,description,productid"]
    lines += [f"Lampe {i},,{i}" for i in range(18)]
    lines += [",,18", "too,many,cells,19"]
    lines += [f"Lampe {i},,{i}" for i in range(20, 1000)]
    lines[500] = "too,many,cells,here,too"
    lines[600] = ",,600"
    lines += [",,beyond"] * 500
    seen = preview(jobs, "\n".join(lines))
    assert (seen.rows_read, seen.is_whole, len(seen.rows), seen.rows_failing) == (1000, False, 20, 4)
    assert seen.errors == [
        Reason("the listing has no title, no description and no picture", 2, 19),
        Reason("the row has … fields where the header has …", 2, 20),
    ]
    assert seen.rows[18].error == "the listing has no title, no description and no picture"
    assert seen.rows[19].error == "the row has 4 fields where the header has 3"
    assert seen.warnings == []


def test_reasons_that_are_the_same_keep_their_figures(jobs: Jobs) -> None:
    seen = preview(jobs, "designation,productid\na,1,x\nb,2,y\nLampe,3\n")
    assert seen.errors == [Reason("the row has 3 fields where the header has 2", 2, 1)]


def test_pictures_are_found_as_the_worker_finds_them(jobs: Jobs, worker: Worker, picture: bytes) -> None:
    packed = pack(
        some__folder__image_7_product_1=picture,
        **{"8": picture, "9": b"no picture", "10": b"", "99": picture},
    )
    table = "designation,productid,imageid\n,1,7\nLampe,2,8\n,3,9\nLampe,4,9\n,5,5\nLampe,6,6\n"
    job_id = draft(jobs, table, packed)
    seen = jobs.preview(job_id)
    assert [row.has_picture for row in seen.rows] == [True, True, False, False, False, False]
    assert (seen.pictures, seen.rows_with_picture) == (5, 4)
    assert [row.error for row in seen.rows] == [
        None,
        None,
        "The image of 10 bytes is not a JPEG, PNG or WebP",
        None,
        "the listing has no title, no description and no picture",
        None,
    ]
    assert seen.rows[3].warning == "The image of 10 bytes is not a JPEG, PNG or WebP"
    with Image.open(io.BytesIO(jobs.thumbnail(job_id, 1))) as small:
        assert max(small.size) == 160
        assert not small.getexif()
    with pytest.raises(NotFoundError, match="not there any more"):
        jobs.thumbnail(job_id, 3)
    assert not (jobs.folder / job_id / "images").exists()
    jobs.start(job_id)
    assert worker.work()
    assert [row for row, _ in jobs.failures(job_id, 0, 10)] == [3, 5]


def test_a_column_may_name_the_pictures(jobs: Jobs, picture: bytes) -> None:
    table = "title,photo\n,a.jpg\nLampe,b.jpg\n,../../a.jpg\n,https://example.com/a.jpg\n"
    seen = preview(jobs, table, pack(a=picture))
    assert [row.has_picture for row in seen.rows] == [True, False, False, False]
    assert seen.warnings == [Reason("the field 'image' names 'b.jpg', which is not there", 1, 2)]
    assert [row.error for row in seen.rows[2:]] == [
        "the field 'image' names '../../a.jpg', which is outside of the image folder",
        "the field 'image' names 'https://example.com/a.jpg', which is a web address and not a file",
    ]


def test_missing_pictures_are_counted_together(jobs: Jobs) -> None:
    seen = preview(jobs, "title,photo\nLampe,a.jpg\nLampe,b's.jpg\n")
    assert seen.warnings == [Reason("the field 'image' names …, which is not there", 2, 1)]


def test_json_lines_and_parquet_are_looked_at_too(jobs: Jobs, picture: bytes) -> None:
    lines = [json.dumps({"title": "Lampe", "extra": 1}), "no json", json.dumps([1])]
    seen = preview(jobs, "\n".join(lines), name="shop.jsonl")
    assert (seen.columns, seen.ignored) == ({"designation": "title"}, ["extra"])
    assert [row.error for row in seen.rows] == [
        None,
        "the row is not JSON (Expecting value at character 1)",
        "the row is JSON but not an object: it begins with '['",
    ]
    table = io.BytesIO()
    pl.DataFrame({"title": ["Lampe", None], "image": [picture, b"x"]}).write_parquet(table)
    seen = preview(jobs, table.getvalue(), name="shop.PARQUET")
    assert [row.has_picture for row in seen.rows] == [True, False]
    assert seen.rows[1].error == "The image of 1 bytes is not a JPEG, PNG or WebP"


@pytest.mark.parametrize(
    ("content", "name", "message", "hint"),
    [
        (
            b"",
            "my shop.csv",
            "my shop.csv is empty",
            "Give a file with a line of column names and one of data",
        ),
        (
            "designation\nCafé\n".encode("latin-1"),
            "shop.csv",
            "shop.csv is not UTF-8: byte 0xE9 on line 2",
            "Save it again as UTF-8: spreadsheets offer it as 'CSV UTF-8'",
        ),
        (
            b"price,size\n1,2\n",
            "shop.csv",
            "shop.csv has no column 'designation', 'description' or 'image'; its columns are 'price', 'size'",
            "Name the columns in the first line: designation, description, productid, imageid, image",
        ),
        (
            b"desination\n1\n",
            "shop.csv",
            "shop.csv has no column 'designation', 'description' or 'image'; its columns are 'desination'",
            "Name the columns in the first line: designation, description, productid, imageid, image",
        ),
        (
            b"title,titre\n1,2\n",
            "shop.csv",
            "shop.csv has several columns that could be 'designation': 'title', 'titre'",
            "Name the columns in the first line: designation, description, productid, imageid, image",
        ),
        (
            b"a",
            "shop.xls",
            "A job cannot read 'shop.xls'",
            "Send a file that ends with .csv, .parquet, .jsonl",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_and_not_kept(
    jobs: Jobs, content: bytes, name: str, message: str, hint: str
) -> None:
    with pytest.raises(CatalogueError) as caught:
        draft(jobs, content, None, name)
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert jobs.list(None, None, 10) == []
    assert not jobs.folder.exists() or list(jobs.folder.iterdir()) == []


def test_a_parquet_file_that_is_none_is_refused(jobs: Jobs) -> None:
    with pytest.raises(CatalogueError, match=r"^shop\.parquet cannot be read as Parquet"):
        draft(jobs, b"PAR1 not really", None, "shop.parquet")
    assert list(jobs.folder.iterdir()) == []


def test_an_archive_that_cannot_be_unpacked_is_refused(jobs: Jobs, picture: bytes) -> None:
    table = "designation\nLampe\n"
    with pytest.raises(CatalogueError) as caught:
        draft(jobs, table, io.BytesIO(b"Rar! no ZIP"))
    assert caught.value.message == "The archive of pictures cannot be unpacked (File is not a zip file)"
    assert caught.value.hint == "Send an ordinary ZIP file"
    rare = io.BytesIO()
    with zipfile.ZipFile(rare, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("7.jpg", picture)
    rare.seek(0)
    with pytest.raises(CatalogueError, match=r"'7\.jpg' is compressed in a rare way"):
        draft(jobs, table, rare)
    locked = bytearray(pack(a=picture).getvalue())
    locked[locked.rindex(b"PK\1\2") + 8] |= 1
    with pytest.raises(CatalogueError, match=r"'a\.jpg' is encrypted"):
        draft(jobs, table, io.BytesIO(bytes(locked)))
    with pytest.raises(CatalogueError, match=r"The picture 'b\.jpg' of the archive is too large"):
        draft(jobs, table, pack(b=bytes(21 * 1024 * 1024)))
    assert list(jobs.folder.iterdir()) == []


def test_an_archive_with_a_directory_that_would_fill_the_memory_is_refused(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rayon.operations.archives.MAX_DIRECTORY", 100_000)
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(2000):
            archive.writestr(f"{number}.txt", "")
    many.seek(0)
    with pytest.raises(CatalogueError, match="its directory is longer than 100,000 bytes"):
        draft(jobs, "designation\nLampe\n", many)


@both_databases
def test_a_draft_waits_for_its_start(jobs: Jobs, worker: Worker) -> None:
    job_id = draft(jobs, "designation\nLampe\n")
    assert jobs.find(job_id).state == "draft"
    assert not worker.work()
    jobs.start(job_id)
    assert jobs.find(job_id).state == "waiting"
    with pytest.raises(ConflictError) as caught:
        jobs.start(job_id)
    assert caught.value.message == f"The job {job_id!r} is no draft"
    assert worker.work()
    assert jobs.find(job_id).state == "done"


@both_databases
def test_a_discarded_draft_leaves_no_files_and_cannot_be_started(jobs: Jobs, worker: Worker) -> None:
    job_id = draft(jobs, "designation\nLampe\n")
    jobs.cancel(job_id)
    assert list(jobs.folder.iterdir()) == []
    assert jobs.find(job_id).state == "cancelled"
    with pytest.raises(ConflictError):
        jobs.start(job_id)
    with pytest.raises(NotFoundError, match="not there any more"):
        jobs.preview(job_id)
    assert not worker.work()


@both_databases
def test_old_drafts_are_removed_when_something_is_sent(jobs: Jobs, database: Database) -> None:
    old, young, waiting = (draft(jobs, "designation\nLampe\n") for _ in range(3))
    jobs.start(waiting)
    long_ago = datetime.now(UTC) - timedelta(hours=25)
    with database.write() as connection:
        for job_id in (old, waiting):
            connection.execute(
                jobs_table.update().where(jobs_table.c.id == job_id).values(created_at=long_ago)
            )
    sent = jobs.submit("shop.csv", io.BytesIO(b"designation\nLampe\n"), None, None)
    assert {job.id for job in jobs.list(None, None, 10)} == {young, waiting, sent.id}
    assert {path.name for path in jobs.folder.iterdir()} == {young, waiting, sent.id}
    with database.read() as connection:
        assert set(open_jobs(connection)) == {young, waiting, sent.id}


def test_only_the_pictures_that_are_shown_are_unpacked(jobs: Jobs, picture: bytes) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(3000):
            archive.writestr(f"{number}.jpg", picture if number < 30 else b"not looked at")
    packed.seek(0)
    table = "designation,imageid\n" + "".join(f"Lampe,{number}\n" for number in range(3000))
    job_id = draft(jobs, table, packed)
    assert jobs.preview(job_id).rows_with_picture == 1000
    kept = sorted(path.name for path in (jobs.folder / job_id).rglob("*") if path.is_file())
    thumbnails = sorted(f"{number}.jpg" for number in range(1, 21))
    assert kept == [*thumbnails, "images.zip", "listings.csv", "preview.json"]
