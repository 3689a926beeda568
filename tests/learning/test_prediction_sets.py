from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from rayon.errors import ModelError, NotFittedError, TrainingError
from rayon.learning.prediction_sets import PredictionSets


class Replayed(ClassifierMixin, BaseEstimator):
    """A scikit-learn classifier whose features are its probabilities, for the oracle."""

    def fit(self, X, y):
        self.classes_ = np.arange(X.shape[1])
        self.is_fitted_ = True
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return X.argmax(axis=1)


def drawn(seed, n, k=5, sharpness=2.0):
    """Distributions and labels that follow them: perfectly calibrated."""
    rng = np.random.default_rng(seed)
    scores = sharpness * rng.normal(size=(n, k))
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return proba, (proba.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=k - 1)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sets_agree_with_mapie(coverage, seed):
    proba, y = drawn(seed, 400)
    new, _ = drawn(seed + 100, 300)
    oracle = SplitConformalClassifier(
        Replayed().fit(proba, y), confidence_level=coverage, conformity_score="lac", prefit=True
    ).conformalize(proba, y)
    _, expected = oracle.predict_set(new)
    expected = expected[:, :, 0]
    expected[np.arange(len(new)), new.argmax(axis=1)] = True
    np.testing.assert_array_equal(PredictionSets(coverage).fit(proba, y).sets(new), expected)


@pytest.mark.parametrize("coverage", [0.9, 0.95])
def test_the_coverage_is_kept_over_many_calibration_draws(coverage):
    covered = []
    for seed in range(200):
        proba, y = drawn(seed, 150)
        new, truth = drawn(seed + 10_000, 200)
        covered.append(PredictionSets(coverage).fit(proba, y).sets(new)[np.arange(200), truth].mean())
    assert coverage - 0.008 <= np.mean(covered) <= coverage + 0.02


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 6))
def test_no_set_is_empty_and_more_coverage_gives_larger_sets(seed, n, k):
    proba, y = drawn(seed, n, k)
    narrow = PredictionSets(0.8).fit(proba, y).sets(proba)
    wide = PredictionSets(0.95).fit(proba, y).sets(proba)
    assert narrow.any(axis=1).all()
    assert (narrow <= wide).all()


@given(st.integers(0, 10_000), st.permutations(list(range(4))))
def test_renumbering_the_classes_renumbers_the_sets(seed, order):
    proba, y = drawn(seed, 50, 4)
    permuted = PredictionSets(0.9).fit(proba[:, order], np.argsort(order)[y]).sets(proba[:, order])
    np.testing.assert_array_equal(permuted, PredictionSets(0.9).fit(proba, y).sets(proba)[:, order])


def test_too_few_listings_leave_no_class_out():
    proba, y = drawn(0, 8)
    sets = PredictionSets(0.95).fit(proba, y)
    assert sets.threshold_ == 0.0
    assert sets.sets(proba).all()


def test_state_survives_json_and_arrays():
    proba, y = drawn(0, 200)
    sets = PredictionSets(0.9).fit(proba, y)
    restored = PredictionSets.from_state(json.loads(json.dumps(sets.params())), sets.to_arrays())
    np.testing.assert_array_equal(restored.sets(proba), sets.sets(proba))
    assert restored.coverage == 0.9
    with pytest.raises(ModelError, match=r"^The stored prediction sets lack or garble 'threshold'"):
        PredictionSets.from_state(sets.params(), {})


def test_it_can_be_cloned():
    assert clone(PredictionSets(0.8)).coverage == 0.8


def test_errors_say_what_is_wrong():
    proba, y = drawn(0, 20)
    with pytest.raises(NotFittedError, match=r"^These PredictionSets have not been fitted. Call fit first$"):
        PredictionSets().sets(proba)
    with pytest.raises(TrainingError, match=r"^coverage is 1.0, not between 0 and 1. For instance 0.95$"):
        PredictionSets(1.0).fit(proba, y)
    with pytest.raises(TrainingError, match=r"^Prediction sets need at least one listing"):
        PredictionSets().fit(np.empty((0, 3)), np.empty(0, dtype=int))
    with pytest.raises(TrainingError, match=r"^proba has 4 classes, not 5. All arrays follow one taxonomy$"):
        PredictionSets().fit(proba, y).sets(np.full((1, 4), 0.25))
