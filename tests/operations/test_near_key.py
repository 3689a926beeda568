"""Near-duplicates share a key, are counted as they are queued, and come later in the queue."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rayon.data.listings import Listing
from rayon.learning.model import ProductClassifier
from rayon.operations.near_key import near_key
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.predictions import StoredPrediction
from rayon.store.review import lease

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORDS = st.lists(st.text("abcdefghijéàô", min_size=1, max_size=8), min_size=1, max_size=12)


@given(WORDS, st.randoms())
def test_order_case_accents_and_repetition_change_no_key(words: list[str], rng: object) -> None:
    other = words + words[:1]
    rng.shuffle(other)  # type: ignore[attr-defined]
    plain = unicodedata.normalize("NFD", " ".join(other)).upper()
    assert near_key(Listing(" ".join(words)), None) == near_key(Listing(plain), None)


def test_the_key_is_of_the_title_else_of_the_description_else_of_the_picture() -> None:
    image = "0123456789abcdef" * 4
    assert near_key(Listing("Lampe", "rouge"), image) == near_key(Listing("lampe", "bleue"), None)
    assert near_key(Listing("", "Lampe"), image) == near_key(Listing("lampe"), None)
    assert near_key(Listing("Lampe"), None) != near_key(Listing("Chaise"), None)
    assert near_key(Listing(" ?! "), image) == "0123456789abcdef"
    assert near_key(Listing(" ?! "), None) is None


def test_the_key_is_the_same_on_every_machine() -> None:
    assert near_key(Listing("Piscine ronde bleue 3 m"), None) == "d2fe84346cb78a6e"


def recorded(recorder: PredictionRecorder, titles: list[str]) -> list[StoredPrediction]:
    questions = [recorder.prepare(Listing(title)) for title in titles]
    return recorder.record(questions, [None] * len(titles))


def test_near_duplicates_are_counted_within_what_comes_together_and_after_it(
    model: ProductClassifier, database: Database, images: FolderImageStore
) -> None:
    recorder = PredictionRecorder(model, database, images, audit_share=1.0)  # all are queued
    recorded(recorder, ["Lampe rouge", "Chaise", "lampe ROUGE"])
    recorded(recorder, ["rouge lampe", "Chaise", "Table", "Lampe rouge"])
    with database.write() as connection:
        queue = lease(connection, "ann", NOW, NOW + timedelta(minutes=1), count=50, order="age")
    ranks: dict[str | None, list[int | None]] = {}
    for one in sorted(queue, key=lambda one: (one.near_rank or 0, one.designation)):
        ranks.setdefault(one.near_key, []).append(one.near_rank)
    assert sorted(ranks.values()) == [[0], [0, 1], [0, 1, 2, 3]]
    alike = [one for one in queue if one.designation == "Lampe rouge"]
    assert [one.near_rank for one in alike] in ([0, 3], [3, 0])
    by_rank = {one.near_rank: one.priority or 0 for one in alike}
    assert abs(by_rank[3] - by_rank[0] / 4) < 1e-6


def test_what_is_not_queued_has_no_key(
    model: ProductClassifier, database: Database, images: FolderImageStore
) -> None:
    recorder = PredictionRecorder(model, database, images, audit_share=0.0)
    made = recorded(recorder, ["Piscine ronde bleue 3 m"] * 2)
    for one in made:
        assert (one.near_key is None) == (one.queued_for is None)
        assert (one.priority is None) == (one.queued_for is None)


def test_two_hundred_near_duplicates_do_not_hide_a_hundred_others(
    model: ProductClassifier, database: Database, images: FolderImageStore
) -> None:
    recorder = PredictionRecorder(model, database, images, audit_share=0.0)
    others = [f"chose {a}{b} inconnue {b}{a}{a}" for a in "qwxzvbnklj" for b in "rtypsdfghm"]
    queued = [one for one in recorded(recorder, others) if one.queued_for]
    most_unsure = max(queued, key=lambda one: one.priority or 0).designation
    recorded(recorder, [most_unsure] * 200)
    with database.write() as connection:
        first = lease(connection, "ann", NOW, NOW + timedelta(minutes=1), count=50)
    assert len(first) == 50
    assert first[0].designation == most_unsure
    assert 1 <= sum(one.designation == most_unsure for one in first) <= 10
