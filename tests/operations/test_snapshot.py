"""Validated predictions as training data: what is taken, and why the rest is not."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from rayon.data.listings import Listing
from rayon.data.loading import read_catalogue
from rayon.errors import CatalogueError, OutputError
from rayon.learning.model import ProductClassifier
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.snapshot import Snapshot, take_snapshot
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.predictions import Queue, add_validation
from rayon.store.tables import predictions

OCARINA = "Ocarina en bakélite zinzoline"
KNOWN = "Piscine gonflable ronde pour le jardin"
GOLDEN = "Quetzalcoatl hétéroclite de collection"


@pytest.fixture
def images(tmp_path: Path) -> FolderImageStore:
    return FolderImageStore(tmp_path / "images")


class Said:
    """Predictions and what people said of them."""

    def __init__(self, model: ProductClassifier, database: Database, images: FolderImageStore) -> None:
        self.database = database
        self.recorder = PredictionRecorder(model, database, images)

    def __call__(self, listing: Listing, code: str | None, queue: Queue | None = "review") -> str:
        (made,) = self.recorder.record([self.recorder.prepare(listing)], [None])
        with self.database.write() as connection:
            connection.execute(
                update(predictions).where(predictions.c.id == made.id).values(queued_for=queue)
            )
            if code is not None:
                verdict = "right" if code == made.code else "wrong"
                add_validation(connection, made.id, None, verdict, code, "", datetime.now(UTC))
        return made.id


@pytest.fixture
def said(model: ProductClassifier, database: Database, images: FolderImageStore) -> Said:
    return Said(model, database, images)


def test_each_product_is_taken_once_with_one_code_and_the_rest_has_a_reason(
    said: Said,
    model: ProductClassifier,
    database: Database,
    images: FolderImageStore,
    tmp_path: Path,
    picture: bytes,
) -> None:
    first, second = model.taxonomy_.codes[:2]
    said(Listing(OCARINA, "d\nl", picture, "p1", "i1"), first)
    reasons = {
        said(Listing(OCARINA.upper(), "d l"), first): "looks like another that is taken",
        said(Listing(KNOWN), first): "in the training data already",
        said(Listing(f"{KNOWN}!"), second): f"training data disagrees: {first}",
        said(Listing(GOLDEN), first): "looks like a golden listing",
        said(Listing("Xylophone turquoise mystérieux"), first): f"people disagree: {first}, {second}",
        said(Listing("xylophone turquoise MYSTÉRIEUX"), second): f"people disagree: {first}, {second}",
        said(Listing("Trébuchet"), second, "audit"): "drawn by the random audit, so it is for the golden set",
    }
    said(Listing("Nobody said anything"), None)
    said(Listing("Accepté, puis corrigé"), second, None)

    out = tmp_path / "feedback"
    made = take_snapshot(database, images, out, ([Listing(KNOWN)], [first]), [Listing(GOLDEN)])
    assert made == Snapshot(
        str(out / "listings.jsonl"),
        2,
        {
            "drawn by the random audit, so it is for the golden set": 1,
            "in the training data already": 1,
            "looks like a golden listing": 1,
            "looks like another that is taken": 1,
            "people disagree": 2,
            "training data disagrees": 1,
        },
        made.fingerprint,
    )
    loaded = read_catalogue(out / "listings.jsonl", codes="required")
    assert loaded.codes == [first, second]
    assert [one.designation for one in loaded.listings] == [OCARINA, "Accepté, puis corrigé"]
    taken = loaded.listings[0]
    assert (taken.description, taken.productid, taken.imageid) == ("d\nl", "p1", "i1")
    assert isinstance(taken.image, Path)
    assert taken.image.read_bytes()[:2] == b"\xff\xd8"
    assert loaded.warnings == []
    with (out / "set-aside.csv").open(encoding="utf-8", newline="") as file:
        assert {row["prediction_id"]: row["reason"] for row in csv.DictReader(file)} == reasons
    assert json.loads((out / "snapshot.json").read_text())["fingerprint"] == made.fingerprint


def test_the_same_words_give_the_same_fingerprint(
    said: Said, model: ProductClassifier, database: Database, images: FolderImageStore, tmp_path: Path
) -> None:
    first = model.taxonomy_.codes[0]
    said(Listing(OCARINA), first)
    one, two = (take_snapshot(database, images, tmp_path / name, ([], []), []) for name in ("a", "b"))
    assert one.fingerprint == two.fingerprint
    said(Listing(GOLDEN), first)
    more = take_snapshot(database, images, tmp_path / "c", ([], []), [])
    assert (more.listings, more.fingerprint == one.fingerprint) == (2, False)


def test_what_is_in_the_way_stays(database: Database, images: FolderImageStore, tmp_path: Path) -> None:
    out = tmp_path / "there"
    out.mkdir()
    with pytest.raises(OutputError) as error:
        take_snapshot(database, images, out, ([], []), [])
    assert error.value.message == f"{out} is in the way"
    assert list(out.iterdir()) == []


def test_where_nothing_is_left_it_says_why(
    said: Said, model: ProductClassifier, database: Database, images: FolderImageStore, tmp_path: Path
) -> None:
    out = tmp_path / "feedback"
    with pytest.raises(CatalogueError) as error:
        take_snapshot(database, images, out, ([], []), [])
    assert error.value.message == "There is nothing to learn from"
    assert error.value.hint == "Validate predictions first; the review queue has some"
    for listing in (GOLDEN, GOLDEN.upper()):
        said(Listing(listing), model.taxonomy_.codes[0])
    with pytest.raises(CatalogueError) as error:
        take_snapshot(database, images, out, ([], []), [Listing(GOLDEN)])
    assert error.value.hint == "looks like a golden listing (2)"
    assert not out.exists()


def test_nothing_half_made_stays(
    said: Said, model: ProductClassifier, database: Database, images: FolderImageStore, closed: Path
) -> None:
    said(Listing(OCARINA), model.taxonomy_.codes[0])
    with pytest.raises(OutputError, match="cannot be written"):
        take_snapshot(database, images, closed / "feedback", ([], []), [])
    assert list(closed.iterdir()) == []
