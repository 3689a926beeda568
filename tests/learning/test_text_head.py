from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from rayon.data.listings import Listing
from rayon.encoders.text import NgramEncoder
from rayon.errors import ModelError, NotFittedError, RayonError, TrainingError
from rayon.learning.heads import Head
from rayon.learning.text_experts import Training
from rayon.learning.text_head import EXPERTS, TextHead

ENCODER = NgramEncoder(bits=16)
TOPICS = (
    "roman policier livre tome poche auteur edition",
    "piscine gonflable pompe filtre bache eau ronde",
    "jeu video console manette playstation xbox neuf",
    "coussin housse canape decoration lin salon doux",
)


def corpus(n: int, k: int = 4, seed: int = 0) -> tuple[list[Listing], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    y[:k] = np.arange(k)
    common = ["lot", "de", "3", "article", "rouge", "grand", "modele"]
    texts = [" ".join([*rng.choice(TOPICS[c].split(), 3), *rng.choice(common, 3)]) for c in y]
    return [Listing(text) for text in texts], y


LISTINGS, Y = corpus(400)
X = ENCODER.encode(LISTINGS)
UNSEEN, UNSEEN_Y = corpus(200, seed=1)
UNSEEN_X = ENCODER.encode(UNSEEN)


@pytest.mark.parametrize("experts", [("linear",), ("network",), ("linear", "network")])
def test_a_separable_problem_is_learned(experts: tuple[str, ...]) -> None:
    proba = TextHead(experts).fit(X, Y, 4).predict_proba(UNSEEN_X)
    assert proba.shape == (200, 4)
    assert np.allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert (proba.argmax(axis=1) == UNSEEN_Y).mean() > 0.98
    assert proba.max(axis=1).mean() > 0.8


def test_confidence_ranks_the_right_above_the_wrong() -> None:
    rng = np.random.default_rng(0)
    mixed = [
        Listing(" ".join([*rng.choice(TOPICS[a].split(), 2), *rng.choice(TOPICS[b].split(), 2)]))
        for a, b in rng.integers(0, 4, (100, 2))
        if a != b
    ]
    head = TextHead().fit(X, Y, 4)
    assert head.predict_proba(ENCODER.encode(mixed)).max(axis=1).mean() < 0.8
    assert head.predict_proba(UNSEEN_X).max(axis=1).mean() > 0.9


def test_two_classes_and_a_class_with_one_listing_or_none() -> None:
    rows = np.flatnonzero(Y < 2)
    two = TextHead().fit(X[rows], Y[rows], 2).predict_proba(UNSEEN_X)
    keep = UNSEEN_Y < 2
    assert (two.argmax(axis=1)[keep] == UNSEEN_Y[keep]).mean() > 0.98

    single = np.concatenate([np.flatnonzero(Y < 3), np.flatnonzero(Y == 3)[:1]])
    five = TextHead().fit(X[single], Y[single], 5).predict_proba(UNSEEN_X)
    assert five.shape == (200, 5)
    assert np.isfinite(five).all()
    assert (five.argmax(axis=1)[UNSEEN_Y < 3] == UNSEEN_Y[UNSEEN_Y < 3]).mean() > 0.98


def test_three_listings_are_enough_to_run() -> None:
    proba = TextHead().fit(X[:3], np.array([0, 1, 1]), 2).predict_proba(X[:3])
    assert proba.argmax(axis=1).tolist() == [0, 1, 1]


def test_listings_without_known_ngrams_get_one_distribution() -> None:
    # Wide enough for these few n-grams not to collide; how a text is written would be known of any text.
    encoder = NgramEncoder(style=False)
    head = TextHead().fit(encoder.encode(LISTINGS), Y, 4)
    strange = head.predict_proba(encoder.encode([Listing("東京"), Listing(""), Listing("Жж")]))
    assert np.isfinite(strange).all()
    assert np.array_equal(strange[0], strange[1])
    assert np.array_equal(strange[1], strange[2])


def test_no_vectors_give_no_probabilities() -> None:
    assert TextHead().fit(X, Y, 4).predict_proba(X[:0]).shape == (0, 4)


def test_same_data_and_seed_give_the_same_bits_with_any_number_of_threads() -> None:
    first = TextHead(threads=1).fit(X, Y, 4).predict_proba(UNSEEN_X)
    second = TextHead(threads=2).fit(X, Y, 4).predict_proba(UNSEEN_X)
    other = TextHead(random_state=1).fit(X, Y, 4).predict_proba(UNSEEN_X)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_row_is_answered_the_same_alone_and_in_company() -> None:
    head = TextHead().fit(X, Y, 4)
    together = head.predict_proba(UNSEEN_X)
    alone = np.vstack([head.predict_proba(UNSEEN_X[i]) for i in range(20)])
    assert np.allclose(together[:20], alone, atol=1e-5)


def test_many_rows_are_answered_as_few() -> None:
    head = TextHead().fit(X, Y, 4)
    copies = 100  # more rows than are scored at once, in chunks that start elsewhere each time
    many = head.predict_proba(sparse.vstack([UNSEEN_X] * copies, format="csr"))
    assert np.allclose(many, np.tile(head.predict_proba(UNSEEN_X), (copies, 1)), atol=1e-5)


def test_an_average_of_experts_scores_as_they_do_on_average() -> None:
    vectors = UNSEEN_X[:, :4096]
    for kind in EXPERTS.values():
        models = [kind.fit(Training(X[:, :4096], Y, np.ones(400, np.float32), 4, 2, seed)) for seed in (0, 1)]
        mean = np.mean([model.log_proba(vectors) for model in models], axis=0)
        assert np.allclose(kind.average(models).log_proba(vectors), mean, atol=1e-2)
        assert not np.allclose(models[0].log_proba(vectors), mean, atol=1e-2)


def test_weights_matter_and_zero_weighs_nothing() -> None:
    wrong = Y.copy()
    wrong[200:] = (wrong[200:] + 1) % 4
    trusting = TextHead().fit(X, wrong, 4).predict_proba(UNSEEN_X)
    weight = np.where(np.arange(400) < 200, 1.0, 0.0)
    warned = TextHead().fit(X, wrong, 4, sample_weight=weight).predict_proba(UNSEEN_X)
    right = np.arange(200), UNSEEN_Y
    assert (warned.argmax(axis=1) == UNSEEN_Y).mean() > 0.98
    assert warned[right].mean() > trusting[right].mean() + 0.2


def test_arrays_bring_the_head_back_to_the_bit() -> None:
    head = TextHead(min_df=3, epochs=2, random_state=7).fit(X, Y, 4)
    buffer = io.BytesIO()
    np.savez(buffer, **head.to_arrays())
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as arrays:
        again = TextHead.from_arrays(dict(arrays))
    assert again.params() == head.params()
    assert np.array_equal(again.predict_proba(UNSEEN_X), head.predict_proba(UNSEEN_X))
    for name, array in head.to_arrays().items():
        assert np.array_equal(again.to_arrays()[name], array)


def test_params_are_json_and_make_the_same_head() -> None:
    head = TextHead(("network",), epochs=4, min_df=1, random_state=3)
    params = json.loads(json.dumps(head.params()))
    assert TextHead(**params).params() == head.params()
    assert isinstance(head, Head)


def test_dense_and_plain_features_are_taken() -> None:
    rng = np.random.default_rng(0)
    dense = rng.poisson(0.5, (60, 8)).astype(np.float32)
    y = (dense[:, 0] > dense[:, 5]).astype(np.int64)
    proba = TextHead().fit(dense, y, 2).predict_proba(dense)
    assert np.allclose(proba, TextHead().fit(sparse.csr_matrix(dense), y, 2).predict_proba(dense))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 12), st.integers(2, 5), st.integers(0, 1000))
def test_any_small_problem_gives_probabilities(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    y[:2] = [0, 1]
    counts = sparse.csr_matrix(rng.poisson(0.3, (n, 64)).astype(np.float32))
    proba = TextHead().fit(counts, y, k).predict_proba(counts)
    assert proba.shape == (n, k)
    assert np.allclose(proba.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("y", "n_classes", "weight", "message"),
    [
        ([0, 1], 2, None, "There are 3 vectors and labels of shape (2,)"),
        ([0, 1, 2], 2, None, "A class index is outside 0 to 1"),
        ([0, 1, -1], 2, None, "A class index is outside 0 to 1"),
        ([1, 1, 1], 2, None, "There are fewer than two classes to learn"),
        ([0, 1, 1], 2, [0, 1, 1], "There are fewer than two classes to learn"),
        ([0, 1, 1], 2, [1, 1], "The sample weights are not one finite number from 0 a vector"),
        ([0, 1, 1], 2, [1, -1, 1], "The sample weights are not one finite number from 0 a vector"),
        ([0, 1, 1], 2, [1, np.nan, 1], "The sample weights are not one finite number from 0 a vector"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    y: list[int], n_classes: int, weight: list[float] | None, message: str
) -> None:
    given_weight = None if weight is None else np.array(weight)
    with pytest.raises(TrainingError) as caught:
        TextHead().fit(X[:3], np.array(y), n_classes, sample_weight=given_weight)
    assert caught.value.message == message


def test_unknown_and_missing_experts_are_refused() -> None:
    with pytest.raises(TrainingError) as caught:
        TextHead(("lineer",)).fit(X, Y, 4)
    assert str(caught.value) == "The text head has no expert 'lineer'. Known are linear, network"
    with pytest.raises(TrainingError, match=r"^The text head has no expert\. "):
        TextHead(()).fit(X, Y, 4)
    assert set(TextHead().experts) == set(EXPERTS)


def test_an_unfitted_head_says_so() -> None:
    for ask in (lambda: TextHead().predict_proba(X), lambda: TextHead().to_arrays()):
        with pytest.raises(
            NotFittedError, match=r"^The text head has not learned anything yet\. Call fit first$"
        ):
            ask()


def test_features_of_another_encoder_are_refused() -> None:
    head = TextHead().fit(X, Y, 4)
    with pytest.raises(ModelError, match=r"^The text head takes 65536 columns and got 4096\. "):
        head.predict_proba(NgramEncoder(bits=12).encode(UNSEEN))


def change(name: str, value: Any) -> dict[str, Any]:
    arrays = TextHead().fit(X, Y, 4).to_arrays()
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value(arrays[name])
    return arrays


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("linear/weights", None),
        ("experts", None),
        ("experts", lambda array: np.array(["forest"])),
        ("linear/weights", lambda array: array[:-1]),
        ("linear/bias", lambda array: array[:, None]),
        ("network/embeddings", lambda array: array[:, :-1]),
        ("network/columns", lambda array: array[:-1]),
        ("network/columns", lambda array: array + 65536),
        ("linear/columns", lambda array: -1 - array),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name: str, value: Any) -> None:
    with pytest.raises(RayonError) as caught:
        TextHead.from_arrays(change(name, value))
    assert isinstance(caught.value, ModelError)
    assert caught.value.message.startswith("The ")
