"""The golden set: what it holds, and that nothing like it is ever taught."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from rayon.data.duplicates import duplicate_groups
from rayon.data.listings import Listing
from rayon.data.loading import LoadedCatalogue, read_catalogue
from rayon.errors import ConflictError, NotFoundError, TrainingError
from rayon.learning.model import ProductClassifier
from rayon.operations.golden_set import GoldenSet, Growth
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.retention import forget
from rayon.store.audit import entries
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.predictions import Queue, StoredPrediction, add_validation
from rayon.store.tables import predictions

NEW = "Zinzolin quetzalcoatl bakélite ocarina hétéroclite numéro"


@pytest.fixture(scope="session")
def loaded(shop: Path) -> LoadedCatalogue:
    return read_catalogue(shop)


@pytest.fixture
def images(tmp_path: Path) -> FolderImageStore:
    return FolderImageStore(tmp_path / "images")


@pytest.fixture
def golden(database: Database, images: FolderImageStore) -> GoldenSet:
    return GoldenSet(database, images)


def answered(
    model: ProductClassifier,
    database: Database,
    images: FolderImageStore,
    listing: Listing,
    queue: Queue | None,
    true: str | None,
) -> StoredPrediction:
    """A stored prediction, queued for something, and validated where its true code is given."""
    recorder = PredictionRecorder(model, database, images)
    (made,) = recorder.record([recorder.prepare(listing)], [None])
    with database.write() as connection:
        connection.execute(update(predictions).where(predictions.c.id == made.id).values(queued_for=queue))
        if true is not None:
            verdict = "right" if true == made.code else "wrong"
            add_validation(connection, made.id, None, verdict, true, "", datetime.now(UTC))
    return made


def test_it_is_fixed_once_and_its_relatives_are_not_taught(
    golden: GoldenSet, database: Database, loaded: LoadedCatalogue
) -> None:
    codes = loaded.codes or []
    held = golden.fix(loaded.listings, codes, "ann", share=0.2)
    assert 0.15 < held.mean() < 0.25
    assert len(golden) == held.sum()
    of_each, left = Counter(codes), Counter(np.array(codes)[~held])
    assert all(left[code] > 0 for code in of_each)
    listings, true = golden.listings()
    assert true == [codes[row] for row in np.flatnonzero(held)]
    for kept, row in zip(listings, np.flatnonzero(held), strict=True):
        original = loaded.listings[row]
        assert (kept.designation, kept.description) == (original.designation, original.description)
        assert (kept.image is None) == (original.image is None)
    groups = duplicate_groups(loaded.listings)
    assert not set(groups[held]) & set(groups[~held])
    teachable = golden.teachable(loaded.listings)
    assert not (teachable & held).any()
    # A picture that is kept is encoded anew, so a few more than were held out may look like one of them.
    assert (teachable | held).mean() > 0.97
    with database.read() as connection:
        (entry,) = entries(connection, limit=1)
    assert (entry.actor, entry.action, entry.subject) == ("ann", "golden.fix", f"{held.sum()} listings")

    with pytest.raises(ConflictError) as error:
        golden.fix(loaded.listings, codes, "ann")
    assert error.value.message == "There is a golden set already"


def test_a_share_that_is_none_is_refused(golden: GoldenSet, loaded: LoadedCatalogue) -> None:
    with pytest.raises(TrainingError, match=r"A share of 1\.5 cannot be held out"):
        golden.fix(loaded.listings, loaded.codes or [], "ann", share=1.5)
    assert len(golden) == 0


def test_it_grows_by_the_random_audit_alone(
    model: ProductClassifier,
    golden: GoldenSet,
    database: Database,
    images: FolderImageStore,
    loaded: LoadedCatalogue,
) -> None:
    code = model.taxonomy_.codes[0]
    answered(model, database, images, Listing(f"{NEW} un"), "review", code)
    answered(model, database, images, Listing(f"{NEW} deux"), None, code)
    answered(model, database, images, Listing(f"{NEW} trois"), "audit", None)
    audited = answered(model, database, images, Listing("Ocarina en bakélite zinzoline"), "audit", code)
    known = next(one for one in loaded.listings if len(set(one.designation.split())) > 8)
    answered(model, database, images, Listing(known.designation, known.description), "audit", code)

    assert golden.grow(loaded.listings, "ann") == Growth(added=1, known=1)
    listings, codes = golden.listings()
    assert [one.designation for one in listings] == [audited.designation]
    assert codes == [code]
    assert golden.grow(loaded.listings, "ann") == Growth(added=0, known=1)
    assert golden.teachable([Listing("ocarina EN bakelite, zinzoline"), Listing(NEW)]).tolist() == [
        False,
        True,
    ]


def test_the_true_code_is_what_stands_in_the_end(
    model: ProductClassifier, golden: GoldenSet, database: Database, images: FolderImageStore
) -> None:
    first, second = model.taxonomy_.codes[:2]
    made = answered(model, database, images, Listing(NEW), "audit", first)
    with database.write() as connection:
        add_validation(connection, made.id, None, "wrong", second, "", datetime.now(UTC))
    golden.grow([], "ann")
    assert golden.listings()[1] == [second]


def test_what_is_forgotten_leaves_it_with_its_picture(
    model: ProductClassifier,
    golden: GoldenSet,
    database: Database,
    images: FolderImageStore,
    tmp_path: Path,
    picture: bytes,
) -> None:
    code = model.taxonomy_.codes[0]
    made = answered(model, database, images, Listing(NEW, image=picture, productid="p1"), "audit", code)
    answered(model, database, images, Listing("Lampe", productid="p2"), "audit", code)
    assert golden.grow([], "ann") == Growth(added=2, known=0)
    with database.write() as connection:  # it was pruned meanwhile; the golden set keeps the picture
        connection.execute(predictions.delete().where(predictions.c.id == made.id))
    assert golden.listings()[0][0].image is not None
    done = forget(database, images, tmp_path, [], productid="p1", actor="ann", grace=timedelta(0))
    assert (done.predictions, done.golden, done.images) == (0, 1, 1)
    assert [one.productid for one in golden.listings()[0]] == ["p2"]
    assert made.image is not None
    with pytest.raises(NotFoundError):
        images.get(made.image)
