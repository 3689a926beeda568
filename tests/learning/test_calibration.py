from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from rayon.errors import NotFittedError, TrainingError
from rayon.learning.calibration import (
    Heat,
    TemperatureScaling,
    VectorScaling,
    expected_calibration_error,
    perfect_calibration_ece,
)


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def drawn(seed, n, k=5, sharpness=2.0):
    """Scores, and labels that follow the distributions they stand for."""
    rng = np.random.default_rng(seed)
    scores = sharpness * rng.normal(size=(n, k))
    y = (softmax(scores).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=k - 1)
    return scores, y


def test_the_error_of_a_case_done_by_hand():
    proba = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.45, 0.55]])
    y = np.array([0, 1, 1, 1])
    # Bins of width 0.1: 0.9 is right half the time, 0.6 and 0.55 always.
    assert expected_calibration_error(proba, y, n_bins=10) == pytest.approx(
        2 / 4 * 0.4 + 1 / 4 * 0.4 + 1 / 4 * 0.45
    )


def test_certainty_that_is_right_has_no_error():
    assert expected_calibration_error(np.eye(3), np.arange(3)) == 0.0
    assert expected_calibration_error(np.eye(3), np.array([1, 2, 0])) == 1.0


@given(st.integers(0, 1000), st.integers(1, 50), st.integers(1, 20))
def test_the_error_is_a_share_and_ignores_the_order(seed, n, n_bins):
    scores, y = drawn(seed, n)
    proba = softmax(scores)
    error = expected_calibration_error(proba, y, n_bins)
    assert 0.0 <= error <= 1.0
    order = np.random.default_rng(seed).permutation(n)
    assert expected_calibration_error(proba[order], y[order], n_bins) == pytest.approx(error)


def test_a_calibrated_model_is_within_what_chance_shows_and_an_overconfident_one_is_not():
    within = []
    for seed in range(60):
        scores, y = drawn(seed, 1000)
        proba = softmax(scores)
        within.append(expected_calibration_error(proba, y) <= perfect_calibration_ece(proba, 200, seed))
    assert 0.85 <= np.mean(within) <= 1.0
    scores, y = drawn(0, 1000)
    sharp = softmax(2 * scores)
    assert expected_calibration_error(sharp, y) > 2 * perfect_calibration_ece(sharp, 200)


def test_the_simulation_is_reproducible_and_shrinks_with_more_listings():
    scores, _ = drawn(0, 4000)
    proba = softmax(scores)
    assert perfect_calibration_ece(proba, 50, seed=3) == perfect_calibration_ece(proba, 50, seed=3)
    assert perfect_calibration_ece(proba, 100) < perfect_calibration_ece(proba[:400], 100)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.5])
def test_temperature_scaling_finds_the_factor(factor):
    scores, y = drawn(1, 4000, sharpness=1.5)
    scaling = TemperatureScaling().fit(softmax(factor * scores), y)
    assert scaling.temperature_ == pytest.approx(factor, rel=0.08)
    calibrated = scaling.predict_proba(softmax(factor * scores))
    assert expected_calibration_error(calibrated, y) <= perfect_calibration_ece(calibrated, 200)


def test_no_listing_leaves_the_temperature_at_one():
    assert TemperatureScaling().fit(np.empty((0, 3)), np.empty(0, dtype=int)).temperature_ == pytest.approx(
        1.0, abs=1e-4
    )


def test_vector_scaling_mends_a_bias_for_a_class():
    scores, y = drawn(2, 3000)
    biased = softmax(scores + np.array([1.5, 0, 0, 0, 0]))
    scaled = VectorScaling().fit(biased, y).predict_proba(biased)
    truth = np.arange(len(y)), y
    assert -np.log(scaled[truth]).mean() < -np.log(biased[truth]).mean() - 0.05
    assert expected_calibration_error(scaled, y) < expected_calibration_error(biased, y)


@given(st.integers(0, 1000), st.integers(1, 30), st.integers(2, 5), st.sampled_from([np.float16, np.float64]))
def test_calibrated_rows_are_distributions(seed, n, k, dtype):
    scores, y = drawn(seed, n, k, sharpness=8.0)
    proba = softmax(scores).astype(dtype)
    for calibrator in (TemperatureScaling(), VectorScaling()):
        calibrated = calibrator.fit(proba, y).predict_proba(proba)
        assert (calibrated >= 0).all()
        np.testing.assert_allclose(calibrated.sum(axis=1), 1.0, atol=1e-9)


@pytest.mark.parametrize("kind", [TemperatureScaling, VectorScaling])
def test_an_unfitted_calibrator_says_so(kind):
    with pytest.raises(NotFittedError, match=f"^This {kind.__name__} has not been fitted. Call fit first$"):
        kind().predict_proba(np.full((1, 2), 0.5))


def test_errors_say_what_is_wrong():
    half = np.full((2, 2), 0.5)
    hint = "Give class probabilities: finite, not negative, each row summing to one"
    with pytest.raises(TrainingError, match=f"^Row 1 of proba holds NaN. {hint}$"):
        expected_calibration_error(np.array([[0.5, 0.5], [np.nan, 0.5]]), [0, 1])
    with pytest.raises(TrainingError, match=f"^Row 0 of proba has a negative probability. {hint}$"):
        expected_calibration_error(np.array([[-0.1, 1.1]]), [0])
    with pytest.raises(TrainingError, match=f"^Row 0 of proba sums to 0.8, not to 1. {hint}$"):
        expected_calibration_error(np.array([[0.4, 0.4]]), [0])
    with pytest.raises(TrainingError, match=f"^Row 0 of proba sums to inf, not to 1. {hint}$"):
        expected_calibration_error(np.array([[np.inf, 0.4]]), [0])
    with pytest.raises(TrainingError, match=f"^proba is not an array of numbers. {hint}$"):
        expected_calibration_error([["a", "b"]], [0])
    with pytest.raises(TrainingError, match=r"^proba has 1 dimension, not 2. Its shape must be \[N, K\]$"):
        expected_calibration_error(np.array([0.5, 0.5]), [0, 1])
    with pytest.raises(TrainingError, match=r"^proba has 1 classes, and 2 are needed"):
        expected_calibration_error(np.ones((2, 1)), [0, 0])
    with pytest.raises(
        TrainingError, match=r"^y has the shape \[3\], not \[2\]. Give one class index per row$"
    ):
        expected_calibration_error(half, [0, 1, 1])
    with pytest.raises(
        TrainingError,
        match=r"^Row 1 of y is 2, outside 0 to 1. Give class indices in the order of the columns$",
    ):
        expected_calibration_error(half, [0, 2])
    with pytest.raises(
        TrainingError, match=r"^y holds float64, not whole numbers. Give class indices, not codes$"
    ):
        expected_calibration_error(half, [0.0, 1.0])
    with pytest.raises(TrainingError, match=r"^n_bins is 0, not at least 1. Use 15$"):
        expected_calibration_error(half, [0, 1], n_bins=0)
    with pytest.raises(TrainingError, match=r"^A calibration error needs at least one row"):
        expected_calibration_error(np.empty((0, 2)), np.empty(0, dtype=int))


def test_hopeless_listings_do_not_soften_the_others() -> None:
    # A tenth of the labels is drawn at random: no temperature fits both kinds of listing.
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(6000, 10)) * 3
    proba = softmax(scores)
    y = np.array([rng.choice(10, p=row) for row in proba])
    hopeless = rng.random(len(y)) < 0.1
    y[hopeless] = rng.integers(10, size=hopeless.sum())
    log_prior = np.full(10, -np.log(10))
    heat = Heat.fit(np.log(proba), y, log_prior)
    assert heat.contamination == pytest.approx(0.1, abs=0.02)
    assert heat.temperature == pytest.approx(1.0, abs=0.08)
    mended = heat.apply(np.log(proba), log_prior)
    np.testing.assert_allclose(mended.sum(axis=1), 1)
    softened = TemperatureScaling().fit(proba, y).predict_proba(proba)
    assert expected_calibration_error(mended, y) < expected_calibration_error(softened, y)


def test_clean_labels_are_not_mixed_away() -> None:
    rng = np.random.default_rng(1)
    proba = softmax(rng.normal(size=(4000, 5)) * 2)
    y = np.array([rng.choice(5, p=row) for row in proba])
    heat = Heat.fit(np.log(proba), y, np.full(5, -np.log(5)))
    assert heat.contamination < 0.02
    assert heat.temperature == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("sharpening", [-0.8, 0.0, 1.2])
def test_rows_that_spread_their_mass_are_sharpened_as_they_need(sharpening: float) -> None:
    # What is told is the truth, distorted so that undoing it takes this very sharpening and temperature.
    rng = np.random.default_rng(2)
    told = log_softmax(rng.normal(size=(20_000, 8)) * rng.uniform(0.5, 4, (20_000, 1)), axis=1)
    even = np.full(8, -np.log(8))
    undoing = Heat(temperature=1.3, sharpening=sharpening)
    true = undoing.apply(told, even)
    y = (rng.random((len(true), 1)) > true.cumsum(axis=1)).sum(axis=1).clip(max=7)
    heat = Heat.fit(told, y, even)
    assert heat.sharpening == pytest.approx(sharpening, abs=0.15)
    assert heat.temperature == pytest.approx(1.3, abs=0.08)
    mended = heat.apply(told, even)
    assert np.array_equal(mended.argmax(axis=1), told.argmax(axis=1))
    assert expected_calibration_error(mended, y) < perfect_calibration_ece(mended)
