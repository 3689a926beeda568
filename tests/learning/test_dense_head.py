from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from rayon.errors import ModelError, NotFittedError, TrainingError
from rayon.learning.dense_head import DenseHead
from rayon.learning.heads import Head


def clouds(n: int = 300, d: int = 20, n_classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian clouds around random centres, and their classes."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(n_classes, d))
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    return (centres[y] + 0.8 * rng.normal(size=(n, d))).astype(np.float32), y


def test_is_a_head():
    assert isinstance(DenseHead(), Head)


def test_learns_and_is_sure_of_what_is_plain():
    X, y = clouds()
    fresh, truth = clouds(seed=1)
    proba = DenseHead(C=0.1).fit(X, y, 4).predict_proba(fresh)
    assert proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert (proba.argmax(axis=1) == truth).mean() > 0.95


@pytest.mark.parametrize("balanced", [False, True])
def test_agrees_with_scikit_learn(balanced):
    X, y = clouds(200, 8)
    Z = np.sign(X) * np.sqrt(np.abs(X))
    weight = 1 / np.bincount(y)[y] if balanced else np.ones(len(y))
    weight = weight / weight.sum()
    mean = weight @ Z
    Z = (Z - mean) / np.sqrt(weight @ (Z - mean) ** 2)
    reference = LogisticRegression(C=0.05, max_iter=1000, tol=1e-8).fit(Z, y, sample_weight=weight * len(y))
    ours = DenseHead(C=0.05, max_iter=1000, balanced=balanced).fit(X, y, 4)
    np.testing.assert_allclose(ours.predict_proba(X), reference.predict_proba(Z), atol=5e-3)


def test_balanced_training_forgets_the_class_frequencies():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3)).astype(np.float32)  # nothing to tell the classes by
    y = (np.arange(400) >= 360).astype(np.int64)
    assert abs(DenseHead(balanced=True).fit(X, y, 2).predict_proba(X)[:, 1].mean() - 0.5) < 0.05
    assert abs(DenseHead(balanced=False).fit(X, y, 2).predict_proba(X)[:, 1].mean() - 0.1) < 0.02


def test_weights_count_as_repetitions():
    X, y = clouds(60, 6, 3)
    weight = np.random.default_rng(1).integers(0, 4, 60).astype(float)
    weight[:3] = 1
    repeated = np.repeat(np.arange(60), weight.astype(int))
    head = DenseHead(C=0.1, balanced=False, max_iter=500)
    scaled = DenseHead(C=0.1 * len(repeated) / 60, balanced=False, max_iter=500)
    np.testing.assert_allclose(
        scaled.fit(X, y, 3, sample_weight=weight).predict_proba(X),
        head.fit(X[repeated], y[repeated], 3).predict_proba(X),
        atol=2e-3,
    )


def test_listings_without_weight_teach_nothing():
    X, y = clouds(100)
    X[50:] *= 100
    weight = np.repeat([1.0, 0.0], 50)
    with_zeros = DenseHead(C=0.1, max_iter=500).fit(X, y, 4, sample_weight=weight)
    without = DenseHead(C=0.2, max_iter=500).fit(X[:50], y[:50], 4)
    np.testing.assert_allclose(with_zeros.predict_proba(X[:50]), without.predict_proba(X[:50]), atol=2e-3)


def test_a_class_without_listings_is_the_least_probable():
    X, y = clouds(n_classes=3)
    proba = DenseHead().fit(X, y, 4).predict_proba(X)
    assert proba.shape == (len(X), 4)
    assert (proba.argmin(axis=1) == 3).mean() > 0.7
    assert (proba.argmax(axis=1) != 3).all()


def test_a_class_with_one_listing_and_constant_columns():
    X = np.array([[0, 1, 5], [0, 2, 5], [0, 8, 5]], np.float32)
    proba = DenseHead(C=10).fit(X, np.array([0, 0, 1]), 2).predict_proba(X)
    assert np.isfinite(proba).all()
    assert proba[2, 1] > 0.5 > proba[0, 1]


def test_the_same_bits_every_time_and_for_every_batch():
    X, y = clouds()
    first, second = (DenseHead().fit(X, y, 4) for _ in range(2))
    for name, array in first.to_arrays().items():
        np.testing.assert_array_equal(array, second.to_arrays()[name])
    together = first.predict_proba(X)
    np.testing.assert_array_equal(together, np.concatenate([first.predict_proba(row[None]) for row in X]))
    assert first.predict_proba(X[:0]).shape == (0, 4)


def test_inputs_are_left_alone():
    X, y = clouds()
    copy = X.copy()
    DenseHead().fit(X, y, 4).predict_proba(X)
    np.testing.assert_array_equal(X, copy)


def test_sparse_vectors_are_the_same_vectors():
    X, y = clouds()
    X[np.abs(X) < 0.5] = 0
    dense, packed = DenseHead().fit(X, y, 4), DenseHead().fit(sparse.csr_matrix(X), y, 4)
    np.testing.assert_array_equal(dense.predict_proba(X), packed.predict_proba(sparse.csr_matrix(X)))


def test_missing_vectors_give_missing_probabilities():
    X, y = clouds()
    head = DenseHead().fit(X, y, 4)
    X[1] = np.nan
    proba = head.predict_proba(X)
    assert np.isnan(proba[1]).all()
    assert np.isfinite(np.delete(proba, 1, axis=0)).all()


def test_stored_and_read_back_without_pickle():
    X, y = clouds()
    head = DenseHead(C=0.02, max_iter=30, balanced=False, random_state=5).fit(X, y, 4)
    stream = io.BytesIO()
    np.savez(stream, **head.to_arrays())
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as stored:
        again = DenseHead.from_arrays(dict(stored))
    assert again.params() == head.params() == json.loads(json.dumps(head.params()))
    np.testing.assert_array_equal(again.predict_proba(X), head.predict_proba(X))


def test_arrays_that_do_not_make_a_head():
    X, y = clouds()
    arrays = DenseHead().fit(X, y, 4).to_arrays()
    for name in arrays:
        with pytest.raises(ModelError, match=f"The image head lacks the array '{name}'"):
            DenseHead.from_arrays({key: value for key, value in arrays.items() if key != name})
    with pytest.raises(ModelError, match="The arrays of the image head do not fit each other"):
        DenseHead.from_arrays({**arrays, "scale": arrays["scale"][1:]})
    with pytest.raises(ModelError, match="A parameter of the image head is not a single value"):
        DenseHead.from_arrays({**arrays, "C": np.ones(2)})


def test_before_it_has_learned():
    for ask in (DenseHead().to_arrays, lambda: DenseHead().predict_proba(np.zeros((1, 2), np.float32))):
        with pytest.raises(NotFittedError) as caught:
            ask()
        assert str(caught.value) == "The image head has not learned anything yet. Call fit first"


def test_vectors_of_another_length():
    X, y = clouds()
    head = DenseHead().fit(X, y, 4)
    with pytest.raises(ModelError) as caught:
        head.predict_proba(X[:, 1:])
    assert caught.value.message == "The image head takes vectors [n, 20], not [300, 19]"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(3, np.int64)}, "The image head cannot learn from vectors (6, 2) and classes (3,)"),
        ({"X": np.full((6, 2), np.nan)}, "The image head cannot learn from vectors that are not finite"),
        ({"y": np.array([0, 1, 2, 0, 1, 2])}, "The image head takes classes from 0 to 1"),
        ({"y": np.array([0, 1, -1, 0, 1, 1])}, "The image head takes classes from 0 to 1"),
        ({"y": np.zeros(6, np.int64)}, "The image head needs listings of at least two classes"),
        (
            {"sample_weight": np.array([1, 1, 1, 0, 0, 0])},
            "The image head needs listings of at least two classes",
        ),
        (
            {"sample_weight": np.full(6, -1.0)},
            "The image head takes one finite weight a listing, none of them negative",
        ),
        (
            {"sample_weight": np.ones(5)},
            "The image head takes one finite weight a listing, none of them negative",
        ),
        (
            {"X": np.zeros((0, 2)), "y": np.zeros(0, np.int64)},
            "The image head needs listings of at least two classes",
        ),
    ],
)
def test_what_it_cannot_learn_from(change, message):
    given_ = {
        "X": np.arange(12, dtype=np.float32).reshape(6, 2),
        "y": np.array([0, 0, 0, 1, 1, 1]),
        "n_classes": 2,
        **change,
    }
    with pytest.raises(TrainingError) as caught:
        DenseHead().fit(**given_)
    assert caught.value.message == message


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 12), st.floats(1e-6, 1e6))
def test_any_finite_vectors_give_a_distribution(seed, n_classes, d, size):
    rng = np.random.default_rng(seed)
    X = (rng.standard_cauchy((3 * n_classes, d)) * size).astype(np.float32)
    y = np.arange(3 * n_classes) % n_classes
    proba = DenseHead().fit(X, y, n_classes).predict_proba(X)
    assert (proba >= 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1)
