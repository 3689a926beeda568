from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.base import clone

from rayon.errors import ModelError, NotFittedError, TrainingError
from rayon.learning.bounds import allowed_errors, listings_needed, precision_lower_bound, predicted_power
from rayon.learning.decision import Decision, DecisionPolicy, Reason, acceptance_score


def drawn(seed, n, k=4, sharpness=3.0, heat=1.0):
    """Distributions and labels that follow them, told with a wrong temperature if asked."""
    rng = np.random.default_rng(seed)
    scores = sharpness * rng.normal(size=(n, k))
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    y = (proba.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=k - 1)
    told = proba ** (1 / heat)
    return told / told.sum(axis=1, keepdims=True), y


# --- bounds -------------------------------------------------------------------------------------------


@given(st.integers(0, 400), st.integers(0, 400), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_lower_bound_is_scipys_exact_one(n_right, n_wrong, confidence):
    n = n_right + n_wrong
    bound = float(precision_lower_bound(n_right, n, confidence))
    if n == 0:
        assert bound == 0.0
        return
    interval = binomtest(n_right, n, alternative="greater").proportion_ci(confidence, method="exact")
    assert bound == pytest.approx(interval.low, abs=1e-12)


@given(st.integers(1, 2000), st.sampled_from([0.6, 0.9, 0.95, 0.98, 0.99]), st.sampled_from([0.8, 0.95]))
def test_allowed_errors_are_those_with_which_the_bound_holds(n, precision, confidence):
    allowed = int(allowed_errors(n, precision, confidence))
    assert precision_lower_bound(n - allowed - 1, n, confidence) < precision
    if allowed >= 0:
        assert precision_lower_bound(n - allowed, n, confidence) >= precision - 1e-12


def test_listings_needed_without_a_likely_error_is_the_textbook_number():
    # 0.98 ** 149 is the first power under 0.05.
    assert allowed_errors(148, 0.98) == -1
    assert allowed_errors(149, 0.98) == 0
    assert listings_needed(1.0, 0.98) == 149


def test_listings_needed_grow_as_the_precision_comes_closer():
    needed = [listings_needed(observed, 0.95) for observed in (1.0, 0.99, 0.98, 0.97, 0.96)]
    assert needed == sorted(needed)
    assert listings_needed(0.95, 0.95) is None
    assert listings_needed(0.5, 0.95) is None
    assert listings_needed(0.950001, 0.95) is None


def test_predicted_power_falls_with_the_expected_errors():
    power = predicted_power(np.full(4, 1000), np.array([1.0, 5.0, 10.0, 30.0]), 0.98)
    assert (np.diff(power) < 0).all()
    assert power[0] > 0.999
    assert power[-1] < 0.01


# --- the promise --------------------------------------------------------------------------------------


@pytest.mark.parametrize("heat", [1.0, 0.6], ids=["calibrated", "overconfident"])
@pytest.mark.parametrize("precision", [0.85, 0.9])
def test_the_promise_is_kept_over_many_calibration_draws(precision, heat):
    population, truth = drawn(10_000, 10_000, heat=heat)
    right = population.argmax(axis=1) == truth
    rng = np.random.default_rng(7)
    broken, coverage = 0, []
    for _ in range(200):
        rows = rng.integers(len(truth), size=600)
        accepted = DecisionPolicy(precision).fit(population[rows], truth[rows]).accept(population)
        coverage.append(accepted.mean())
        broken += bool(accepted.any()) and right[accepted].mean() < precision
    # More than 18 of 200 has a probability under 0.01 where each breaks with 0.05.
    assert broken <= 18
    assert np.mean(coverage) > 0.2


def test_labels_that_are_noise_are_never_accepted_more_often_than_the_confidence_allows():
    rng = np.random.default_rng(0)
    accepted = 0
    for seed in range(100):
        proba, _ = drawn(seed, 400)
        accepted += bool(DecisionPolicy(0.8).fit(proba, rng.integers(4, size=400)).accept(proba).any())
    assert accepted == 0


@given(st.integers(0, 5000), st.sampled_from([0.8, 0.9, 0.95]))
@settings(max_examples=30, deadline=None)
def test_what_is_reported_is_what_the_bound_says(seed, precision):
    proba, y = drawn(seed, 500)
    policy = DecisionPolicy(precision, min_code_listings=0).fit(proba, y)
    report = policy.report()
    accepted = policy.accept(proba)
    assert report["n_accepted"] == accepted.sum()
    assert report["coverage"] == accepted.mean()
    assert json.loads(json.dumps(report)) == report
    if policy.threshold_ is not None:
        right = int((proba.argmax(axis=1) == y)[accepted].sum())
        assert report["n_right"] == right
        assert report["lower_bound"] == float(precision_lower_bound(right, accepted.sum()))
        assert report["lower_bound"] >= precision
        assert policy.needed_ is None


@given(st.integers(0, 5000))
@settings(max_examples=30, deadline=None)
def test_surer_listings_are_accepted_with_less_sure_ones(seed):
    proba, y = drawn(seed, 600)
    policy = DecisionPolicy(0.9).fit(proba, y)
    accepted = policy.accept(proba)
    if accepted.any():
        scores = acceptance_score(proba)
        np.testing.assert_array_equal(accepted, scores >= scores[accepted].min())


@pytest.mark.parametrize("seed", range(8))
def test_a_higher_promise_or_confidence_accepts_no_more(seed):
    proba, y = drawn(seed, 3000)
    by_precision = [DecisionPolicy(p).fit(proba, y).accept(proba) for p in (0.85, 0.9, 0.95, 0.98)]
    by_confidence = [DecisionPolicy(0.95, c).fit(proba, y).accept(proba) for c in (0.8, 0.9, 0.95, 0.99)]
    for looser, stricter in (*pairwise(by_precision), *pairwise(by_confidence)):
        assert (stricter <= looser).all()


@given(st.integers(0, 1000), st.permutations(list(range(4))))
@settings(max_examples=30, deadline=None)
def test_renumbering_the_classes_changes_no_decision(seed, order):
    proba, y = drawn(seed, 400)
    policy = DecisionPolicy(0.9).fit(proba, y)
    permuted = DecisionPolicy(0.9).fit(proba[:, order], np.argsort(order)[y])
    np.testing.assert_array_equal(policy.accept(proba), permuted.accept(proba[:, order]))


@given(st.integers(0, 1000), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_listings_with_equal_scores_share_their_fate(seed, n_distinct):
    proba, y = drawn(seed, n_distinct)
    rows = np.random.default_rng(seed).integers(n_distinct, size=400)
    accepted = DecisionPolicy(0.7, min_code_listings=0).fit(proba[rows], y[rows]).accept(proba[rows])
    for row in range(n_distinct):
        assert len(set(accepted[rows == row].tolist())) <= 1


def test_the_score_is_the_lead_over_the_second_class():
    proba = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(acceptance_score(proba), [0.75, 1.0, 0.5])
    two = np.array([[0.8, 0.2], [0.1, 0.9]])
    np.testing.assert_allclose(acceptance_score(two), two.max(axis=1))


# --- rare codes and reasons ---------------------------------------------------------------------------


def test_rare_codes_go_to_review_however_sure():
    y = np.repeat([0, 1, 2], [500, 500, 29])
    proba = np.full((len(y), 3), 0.001)
    proba[np.arange(len(y)), y] = 0.998
    policy = DecisionPolicy(0.95).fit(proba, y)
    np.testing.assert_array_equal(policy.review_codes_, [2])
    np.testing.assert_array_equal(policy.accept(proba), y != 2)
    threshold = policy.threshold_
    unsure = np.array([0.4, 0.35, 0.25])
    assert policy.decide(np.vstack([proba[0], proba[-1], unsure])) == [
        Decision(True, threshold, Reason.CONFIDENT, acceptance_score(proba[:1])[0]),
        Decision(False, threshold, Reason.RARE_CODE, acceptance_score(proba[-1:])[0]),
        Decision(False, threshold, Reason.BELOW_THRESHOLD, acceptance_score(unsure[None])[0]),
    ]
    assert [str(reason) for reason in Reason] == [
        "confident",
        "below_threshold",
        "too_few_calibration_listings",
        "no_promise_possible",
        "promise_broken",
    ]
    assert DecisionPolicy(0.95, min_code_listings=29).fit(proba, y).accept(proba).all()


def test_a_promise_that_needs_more_listings_says_how_many():
    y = np.repeat([0, 1], 50)
    proba = np.full((100, 2), 0.01)
    proba[np.arange(100), y] = 0.99
    policy = DecisionPolicy(0.98).fit(proba, y)
    assert policy.threshold_ is None
    assert not policy.accept(proba).any()
    assert policy.decide(proba[:1])[0].reason is Reason.NO_PROMISE
    needed = policy.needed_
    assert needed == listings_needed(1 - 0.5 / 101, 0.98)
    assert policy.report()["message"] == (
        "Nothing is accepted: 100 calibration listings cannot support a precision of 98.0%; "
        f"about {-(-needed // 10) * 10} would do at the precision seen so far"
    )
    enough = np.resize(np.arange(100), needed)
    assert DecisionPolicy(0.98).fit(proba[enough], y[enough]).threshold_ is not None


def test_a_promise_that_no_number_of_listings_supports_says_so():
    rng = np.random.default_rng(0)
    proba, _ = drawn(0, 2000)
    policy = DecisionPolicy(0.98).fit(proba, rng.integers(4, size=2000))
    assert policy.needed_ is None
    assert policy.report()["message"] == (
        "Nothing is accepted: 2,000 calibration listings cannot support a precision of 98.0%; "
        "not even the surest predictions are right often enough, so more would not do"
    )


def test_a_single_listing_gives_no_promise():
    policy = DecisionPolicy().fit(np.array([[0.9, 0.1]]), [0])
    assert policy.report()["message"] == (
        "Nothing is accepted: 1 calibration listings cannot support a precision of 98.0%; "
        "no predicted code has 30 of them"
    )
    assert policy.decide(np.array([[0.9, 0.1]]))[0].threshold is None


def test_a_kept_promise_says_what_it_rests_on():
    y = np.repeat([0, 1], 250)
    proba = np.full((500, 2), 0.01)
    proba[np.arange(500), y] = 0.99
    assert DecisionPolicy(0.98).fit(proba, y).report()["message"] == (
        "Accepted listings keep a precision of 98.0% with 95% confidence: "
        "500 of 500 calibration listings reach the threshold, 100.0% of them right"
    )


# --- state and errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", [0.9, 0.9999])
def test_state_survives_json_and_arrays(precision):
    proba, y = drawn(3, 800)
    policy = DecisionPolicy(precision).fit(proba, y)
    restored = DecisionPolicy.from_state(json.loads(json.dumps(policy.params())), policy.to_arrays())
    assert restored.decide(proba) == policy.decide(proba)
    assert restored.report() == policy.report()
    with pytest.raises(ModelError, match=r"^The stored decision policy lacks or garbles 'review_codes'"):
        DecisionPolicy.from_state(policy.params(), {})


def test_it_can_be_cloned():
    assert clone(DecisionPolicy(0.9, 0.99, 5)).get_params() == {
        "precision": 0.9,
        "confidence": 0.99,
        "min_code_listings": 5,
    }


def test_errors_say_what_is_wrong():
    proba, y = drawn(0, 40)
    with pytest.raises(NotFittedError, match=r"^This DecisionPolicy has not been fitted. Call fit first$"):
        DecisionPolicy().accept(proba)
    with pytest.raises(TrainingError, match=r"^precision is 98, not between 0 and 1. For instance 0.95$"):
        DecisionPolicy(precision=98).fit(proba, y)
    with pytest.raises(TrainingError, match=r"^confidence is 0.0, not between 0 and 1. For instance 0.95$"):
        DecisionPolicy(confidence=0.0).fit(proba, y)
    with pytest.raises(TrainingError, match=r"^A policy needs at least one calibration listing"):
        DecisionPolicy().fit(np.empty((0, 3)), np.empty(0, dtype=int))
    with pytest.raises(TrainingError, match=r"^Row 0 of y is -1, outside 0 to 3"):
        DecisionPolicy().fit(proba, np.full(40, -1))
    with pytest.raises(TrainingError, match=r"^Row 2 of proba holds NaN"):
        DecisionPolicy().fit(np.where(np.arange(40)[:, None] == 2, np.nan, proba), y)
    with pytest.raises(TrainingError, match=r"^proba has 3 classes, not 4. All arrays follow one taxonomy$"):
        DecisionPolicy().fit(proba, y).accept(np.full((1, 3), 1 / 3))
