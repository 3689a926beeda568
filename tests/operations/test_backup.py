"""Backups: whole, checked, and the same from and into either kind of database."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import stat
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from rayon.data.listings import Listing
from rayon.errors import ConflictError, ModelError, OutputError, StoreError
from rayon.learning.model import ProductClassifier
from rayon.operations.accounts import Accounts
from rayon.operations.backup import back_up, restore
from rayon.operations.jobs import Jobs, Worker
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.predictions import PredictionFilter, add_validation, list_predictions
from rayon.store.schema import schema_status, upgrade_schema
from rayon.store.tables import metadata

Home = tuple[Database, FolderImageStore, Path]


def nothing(stage: str, done: int, total: int) -> None:
    pass


Members = dict[str, bytes]


def rewrite(source: Path, target: Path, change: Callable[[Members, dict[str, Any]], None]) -> None:
    """Write an archive again with other content, and a manifest that vouches for it."""
    with tarfile.open(source) as tar:
        members = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    manifest = json.loads(members.pop("manifest.json"))
    change(members, manifest["about"])
    manifest["files"] = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    with tarfile.open(target, "w") as tar:
        for name, data in {**members, "manifest.json": json.dumps(manifest).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            if data == LINK:
                entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, "/etc/passwd", 0
            tar.addfile(entry, io.BytesIO(data))


LINK = b"a symbolic link"


def as_of_the_first_migration(members: Members, about: dict[str, Any]) -> None:
    """What a Rayon of that time would have written: no jobs, and predictions that know of none.

    Nor do they know of the order of the review queue, or validations of tokens.
    """
    about |= {"revision": "0001", "jobs": 0}
    later = (
        "jobs",
        "job_failures",
        "model_versions",
        "pointers",
        "promotions",
        "golden_listings",
        "verdicts",
        "brakes",
        "monitoring_runs",
        "retrainings",
        "retraining_steps",
        "schedules",
        "search_texts",
    )
    for name in [
        name for name in members if name.startswith(("jobs/", *(f"tables/{one}." for one in later)))
    ]:
        del members[name]
    about["rows"] = {name: n for name, n in about["rows"].items() if name not in later}
    newer = {"job_id", "job_row", "priority", "near_key", "near_rank", "token"}
    for table in ("predictions", "validations"):
        lines = gzip.decompress(members[f"tables/{table}.jsonl.gz"]).decode().strip().split("\n")
        old = [{key: value for key, value in json.loads(line).items() if key not in newer} for line in lines]
        members[f"tables/{table}.jsonl.gz"] = gzip.compress("\n".join(map(json.dumps, old)).encode())


def from_the_future(members: Members, about: dict[str, Any]) -> None:
    about |= {"format": 2, "rayon": "9.0"}


def of_later_tables(members: Members, about: dict[str, Any]) -> None:
    about |= {"revision": "9999", "rayon": "9.0"}


def of_something_else(members: Members, about: dict[str, Any]) -> None:
    del about["revision"]


def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in metadata.sorted_tables
        }


@pytest.fixture
def full(database: Database, model: ProductClassifier, tmp_path: Path, picture: bytes) -> Home:
    """A home with something of everything."""
    home = tmp_path / "home"
    images = FolderImageStore(home / "images")
    accounts = Accounts(database)
    ann = accounts.create("ann", "correct horse", "admin", "test")
    accounts.create_key("ann", "import", "test")
    recorder = PredictionRecorder(model, database, images, audit_share=0.5)
    listings = [
        Listing("Lampe \u00e9t\u00e9 \u2028 \U0001f600", image=picture),
        Listing("Roman"),
        Listing(image=picture),
    ]
    made = recorder.record([recorder.prepare(one) for one in listings], [ann.id, None, ann.id])
    with database.write() as connection:
        add_validation(
            connection, made[0].id, ann.id, "wrong", "10", "no, a \u201cpool\u201d", datetime.now(UTC)
        )
    table = b"designation\nLampe\n\n" + b"Roman\n" * 100
    Jobs(database, home / "jobs").submit("shop.csv", io.BytesIO(table), None, ann.id)
    return database, images, home


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(
    request: pytest.FixtureRequest, empty_database: Callable[[str], str], tmp_path: Path
) -> Iterator[Home]:
    database = Database(empty_database(request.param))
    yield database, FolderImageStore(tmp_path / "elsewhere" / "images"), tmp_path / "elsewhere"
    database.close()


def test_everything_comes_back_in_either_kind_of_database(
    full: Home, elsewhere: Home, trained: Path, model: ProductClassifier, tmp_path: Path
) -> None:
    file = tmp_path / "rayon.tar"
    taken = back_up(*full, [trained, trained], file, nothing)
    version = model.version_[:12]
    assert (taken.images, taken.missing_images, taken.models, taken.jobs) == (1, 0, [version], 1)
    assert taken.rows["predictions"] == 3
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []

    assert restore(*elsewhere, file, nothing) == taken
    database, images, home = elsewhere
    assert rows(database) == rows(full[0])
    with database.read() as connection:
        assert len(list_predictions(connection, PredictionFilter(search="ete lam"), 10)) == 1
    assert not schema_status(database).pending
    assert Accounts(database).sign_in("ann", "correct horse", "here").role == "admin"
    again = ProductClassifier.load(home / "models" / version)
    assert again.version_ == model.version_
    # The job goes on, and new rows get numbers of their own.
    assert Worker(PredictionRecorder(again, database, images), database, home / "jobs").work()
    found = rows(database)
    assert len(found["predictions"]) == 3 + 101
    assert all(images.get(row[9]) for row in found["predictions"] if row[9])  # type: ignore[arg-type]
    Accounts(database).change("ann", "test", password="another horse")
    with database.write() as connection:
        add_validation(
            connection, str(found["predictions"][1][0]), None, "right", None, "", datetime.now(UTC)
        )


def test_a_backup_of_older_tables_is_brought_up_to_date(full: Home, elsewhere: Home, tmp_path: Path) -> None:
    file = tmp_path / "rayon.tar"
    back_up(*full, [], file, nothing)
    old = tmp_path / "old.tar"
    rewrite(file, old, as_of_the_first_migration)
    restore(*elsewhere, old, nothing)
    assert not schema_status(elsewhere[0]).pending
    assert len(rows(elsewhere[0])["predictions"]) == 3
    assert rows(elsewhere[0])["jobs"] == []
    with elsewhere[0].read() as connection:
        assert len(list_predictions(connection, PredictionFilter(search="roman"), 10)) == 1


def test_what_is_there_is_not_written_over(full: Home, elsewhere: Home, tmp_path: Path) -> None:
    file = tmp_path / "rayon.tar"
    back_up(*full, [], file, nothing)
    before = file.read_bytes()
    with pytest.raises(OutputError, match=r"rayon.tar is in the way"):
        back_up(*full, [], file, nothing)
    assert file.read_bytes() == before
    upgrade_schema(elsewhere[0])
    Accounts(elsewhere[0]).create("bob", "correct horse", "client", "test")
    with pytest.raises(ConflictError, match="is not empty"):
        restore(*elsewhere, file, nothing)
    assert [user.name for user in Accounts(elsewhere[0]).users()] == ["bob"]


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def end_cut(data: bytes) -> bytes:
    return data[: data.index(b"manifest.json")]


def changed(data: bytes) -> bytes:
    assert b"JFIF" in data
    return data.replace(b"JFIF", b"JFIX")


def no_archive(_data: bytes) -> bytes:
    return b"nothing of the kind" * 1000


@pytest.mark.parametrize("damage", [cut, end_cut, changed, no_archive])
def test_a_damaged_backup_restores_nothing(
    full: Home, elsewhere: Home, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    file, bad = tmp_path / "rayon.tar", tmp_path / "bad.tar"
    back_up(*full, [], file, nothing)
    bad.write_bytes(damage(file.read_bytes()))
    _refused(bad, elsewhere)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("../evil", b"x"),
        ("models/../../evil", b"x"),
        ("/tmp/evil", b"x"),  # noqa: S108
        ("models\\..\\evil", b"x"),
        ("models/link", LINK),
    ],
)
def test_files_that_would_land_elsewhere_are_refused(
    full: Home, elsewhere: Home, tmp_path: Path, name: str, data: bytes
) -> None:
    file, bad = tmp_path / "rayon.tar", tmp_path / "bad.tar"
    back_up(*full, [], file, nothing)
    rewrite(file, bad, lambda members, about: members.update({name: data}))
    _refused(bad, elsewhere)


def _refused(bad: Path, elsewhere: Home) -> None:
    with pytest.raises(StoreError, match=r"bad.tar is not a whole backup"):
        restore(*elsewhere, bad, nothing)
    assert schema_status(elsewhere[0]).current is None
    assert not elsewhere[2].exists()


def test_what_cannot_be_backed_up_leaves_no_file(full: Home, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"rayon.tar cannot be written \(No such file or directory"):
        back_up(*full, [], tmp_path / "none" / "rayon.tar", nothing)
    with pytest.raises(ModelError, match="There is no model folder"):
        back_up(*full, [tmp_path / "none"], tmp_path / "rayon.tar", nothing)
    assert not list(tmp_path.glob("*.tar*"))
    assert not list(tmp_path.glob(".*"))


def test_a_picture_that_is_nowhere_is_counted(full: Home, elsewhere: Home, tmp_path: Path) -> None:
    for path in full[1].folder.rglob("*.jpg"):
        path.unlink()
    taken = back_up(*full, [], tmp_path / "rayon.tar", nothing)
    assert (taken.images, taken.missing_images) == (0, 1)
    assert restore(*elsewhere, tmp_path / "rayon.tar", nothing) == taken


def test_a_newer_rayon_is_named(full: Home, elsewhere: Home, tmp_path: Path) -> None:
    file, newer = tmp_path / "rayon.tar", tmp_path / "newer.tar"
    back_up(*full, [], file, nothing)
    for change in (from_the_future, of_later_tables):
        rewrite(file, newer, change)
        with pytest.raises(StoreError, match=r"newer.tar was written by a newer Rayon \(9.0\)"):
            restore(*elsewhere, newer, nothing)
    rewrite(file, newer, of_something_else)
    with pytest.raises(StoreError, match=r"newer.tar is not a backup of Rayon"):
        restore(*elsewhere, newer, nothing)
    assert schema_status(elsewhere[0]).current is None
    with pytest.raises(StoreError, match="There is no file"):
        restore(*elsewhere, tmp_path / "none.tar", nothing)
