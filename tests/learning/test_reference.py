"""The reference of a model: bins, counts, and its place in the model folder."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from rayon import Listing, ProductClassifier, read_catalogue
from rayon.errors import ModelError, RayonError
from rayon.learning.histograms import SignalCounts, interval_edges, interval_labels
from rayon.learning.model_files import ModelReader, writing_model
from rayon.learning.picture_statistics import PICTURE_SIGNALS
from rayon.learning.reference import OTHERS, SURE, Reference, measure_signals

ANSWERS = {"confidence", "codes", "doubtful_codes"}
TEXTS = {"text_length", "language", "novelty"}


def listings_of(n: int, seed: int = 0) -> list[Listing]:
    rng = np.random.default_rng(seed)
    words = [f"mot{number}" for number in range(60)]
    return [Listing(" ".join(rng.choice(words, rng.integers(2, 9)))) for _ in range(n)]


def confidences(n: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).beta(4, 2, size=n)


def codes_of(n: int) -> list[str]:
    return ["10" if row % 2 else "2583" if row % 4 else "1560" for row in range(n)]


@pytest.fixture(scope="module")
def texts() -> Reference:
    n = 1000
    return Reference.learn(listings_of(n), np.arange(n), confidences(n), codes_of(n), ["text"])


def counted(counts: SignalCounts, name: str) -> dict[str, int]:
    one = counts.histograms[name]
    return dict(zip(one.labels, one.counts.tolist(), strict=True))


def test_it_counts_what_the_model_looks_at(texts: Reference, model: ProductClassifier) -> None:
    assert set(texts.counts.histograms) == {*ANSWERS, *TEXTS, "parts"}
    assert {one.n for one in texts.counts.histograms.values()} == {1000}
    assert model.reference_ is not None
    both = model.reference_.counts.histograms
    assert set(both) == {*ANSWERS, *TEXTS, *PICTURE_SIGNALS, "parts"}
    assert both["codes"].n == len(model.cross_fitted_.y)


def test_the_bins_are_closest_where_new_listings_would_be(texts: Reference) -> None:
    shares = {name: one.counts / one.n for name, one in texts.counts.histograms.items()}
    np.testing.assert_allclose(shares["confidence"], [0.01, 0.04, 0.15, 0.3, 0.5], atol=0.005)
    assert 0 < shares["novelty"][-1] <= 0.05 or len(shares["novelty"]) < 5
    assert counted(texts.counts, "codes") == {"10": 500, "1560": 250, "2583": 250, OTHERS: 0}
    assert counted(texts.counts, "doubtful_codes")[SURE] == 600


def test_training_measured_as_live_falls_into_the_same_bins(texts: Reference) -> None:
    live = measure_signals(
        listings_of(1000), texts, confidence=np.round(confidences(1000), 6), codes=codes_of(1000)
    )
    for name in (*ANSWERS, "text_length", "language", "parts"):
        np.testing.assert_array_equal(
            live.histograms[name].counts, texts.counts.histograms[name].counts, err_msg=name
        )


def test_unknown_words_codes_and_languages_are_counted(texts: Reference) -> None:
    live = measure_signals(
        [Listing("the strange box with words and more"), Listing("mot1 mot2")],
        texts,
        confidence=np.array([0.0, 1.0, 0.99]),
        codes=["new", "10", ""],
    )
    assert counted(live, "codes") == {"10": 1, "1560": 0, "2583": 0, OTHERS: 1}
    assert counted(live, "doubtful_codes")[OTHERS] == counted(live, "doubtful_codes")[SURE] == 1
    assert counted(live, "language")["en"] == 1
    assert live.histograms["novelty"].counts[-1] == 1
    # The answer without a code says nothing.
    assert live.histograms["confidence"].n == 2


def test_only_what_is_given_is_counted(texts: Reference) -> None:
    assert set(measure_signals([], texts).histograms) == {*TEXTS, "parts"}
    assert measure_signals([Listing(" ")], texts).histograms["novelty"].n == 0
    alone = measure_signals([], texts, confidence=np.array([0.5]))
    assert set(alone.histograms) == {*TEXTS, "parts", "confidence"}
    alone = measure_signals([], texts, codes=["10", ""])
    assert alone.histograms["codes"].n == 1
    with pytest.raises(RayonError, match=r"^There are 1 confidences and 2 codes\. "):
        measure_signals([], texts, confidence=np.array([0.5]), codes=["10", "10"])


def test_pictures_are_measured_up_to_a_number(model: ProductClassifier, shop: Path) -> None:
    listings = read_catalogue(shop).listings
    assert model.reference_ is not None
    live = measure_signals(listings, model.reference_, max_pictures=30)
    assert live.histograms["brightness"].n == 30
    assert live.histograms["language"].n == sum(one.has_text for one in listings)
    assert live.histograms["parts"].n < len(listings)
    again = measure_signals(listings, model.reference_, max_pictures=30, threads=1)
    assert again.to_dict() == live.to_dict()


def test_a_text_model_opens_no_picture(texts: Reference, tmp_path: Path) -> None:
    found = measure_signals([Listing("mot1", image=tmp_path / "none.jpg")], texts)
    assert not set(found.histograms) & set(PICTURE_SIGNALS)
    assert counted(found, "parts")["text"] == 1


def test_an_image_model_measures_no_text() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 90, 90)).save(buffer, "PNG")
    listings = [Listing("mot1", image=buffer.getvalue()) for _ in range(30)]
    reference = Reference.learn(listings, np.arange(30), np.full(30, 0.5), ["10"] * 30, ["image"])
    assert set(reference.counts.histograms) == {*ANSWERS, *PICTURE_SIGNALS, "parts"}
    assert len(reference.vocabulary.known) == 0
    # All pictures of training have one format, and another one still shows.
    buffer = io.BytesIO()
    Image.new("RGB", (48, 64), (90, 90, 90)).save(buffer, "PNG")
    live = measure_signals([Listing(image=buffer.getvalue())], reference)
    before, now = (one.histograms["aspect_ratio"] for one in (reference.counts, live))
    assert not (before.counts & now.counts).any()
    assert before.labels == ("below 1.333", "1.333", "above 1.333")


def test_rare_codes_are_pooled() -> None:
    n = 2000
    codes = [str(row) if row < 40 else OTHERS if row < 50 else "common" for row in range(n)]
    reference = Reference.learn([], np.arange(0), np.full(n, 0.5), codes, [])
    assert counted(reference.counts, "codes") == {"common": 1950, OTHERS: 50}


def test_counts_are_json_and_back(texts: Reference) -> None:
    document = json.loads(json.dumps(texts.counts.to_dict(), allow_nan=False))
    again = SignalCounts.from_dict(document)
    assert again.to_dict() == texts.counts.to_dict()
    assert again.histograms["codes"].labels == texts.counts.histograms["codes"].labels


def test_what_is_stored_counts_as_before(model: ProductClassifier, trained: Path, shop: Path) -> None:
    reference = model.reference_
    assert reference is not None
    arrays = ModelReader(trained).read_arrays("reference.npz")
    assert not any(array.dtype.hasobject for array in arrays.values())
    again = Reference.from_arrays(arrays)
    assert again.counts.to_dict() == reference.counts.to_dict()
    listings = read_catalogue(shop).listings[:50]
    first, second = (measure_signals(listings, one) for one in (reference, again))
    assert first.to_dict() == second.to_dict()


def test_the_same_data_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    listings, codes = listings_of(200), ["10", "20"] * 100
    for name in ("first", "second"):
        ProductClassifier(image="none", folds=2).fit(listings, codes).save(tmp_path / name)
    first, second = ((tmp_path / name / "reference.npz").read_bytes() for name in ("first", "second"))
    assert first == second


def test_an_older_folder_has_no_reference(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    with writing_model(folder) as writer:
        for path in trained.iterdir():
            if path.name not in ("reference.npz", "checksums.json"):
                writer.copy(path.name, path)
    model = ProductClassifier.load(folder)
    assert model.reference_ is None
    assert model.decide(["Piscine ronde"])[0].code
    model.save(tmp_path / "again")
    assert not ModelReader(tmp_path / "again").has("reference.npz")


def test_a_reference_that_contradicts_itself_is_refused(texts: Reference) -> None:
    arrays = texts.to_arrays()
    with pytest.raises(ModelError, match="The reference of the model has other counts than bins"):
        Reference.from_arrays(arrays | {"counts_codes": np.zeros(2, dtype=np.int64)})


@settings(max_examples=100)
@given(st.lists(st.floats(-100, 100, width=16), min_size=1, max_size=60))
def test_intervals_ascend_and_have_names(values: list[float]) -> None:
    numbers = np.array(values)
    edges = interval_edges(numbers, (0.05, 0.25, 0.5, 0.75, 0.95))
    assert (np.diff(edges) > 0).all()
    labels = interval_labels(edges)
    assert len(labels) == len(edges) + 1
    # A value that makes up more than half of all has at least two of the quantiles, and so its own interval.
    common, times = np.unique(numbers, return_counts=True)
    for value in common[times > 0.5 * len(numbers) + 1]:
        place = np.searchsorted(edges, value, side="left")
        inside = np.searchsorted(edges, numbers, side="left") == place
        np.testing.assert_array_equal(numbers[inside], value)


def test_intervals_say_what_they_hold() -> None:
    edges = interval_edges(np.array([0, 0, 0, 1, 2, 3, 4, 12345.0]), (0.1, 0.3, 0.5, 0.9))
    assert interval_labels(edges) == ("below 0", "0", "0 to 1", "above 1")
    assert interval_labels(np.array([0.5, 1234.5])) == ("up to 0.5", "0.5 to 1234", "above 1234")
    assert interval_labels(interval_edges(np.empty(0), (0.5,))) == ("all",)
