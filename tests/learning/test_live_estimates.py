"""Live quality: what is estimated from which labels, and how often the intervals cover."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from rayon.errors import RayonError
from rayon.learning.bootstrap import exact_interval
from rayon.learning.live_codes import CodePrecision
from rayon.learning.live_estimates import LiveEstimate, estimate_live
from rayon.learning.live_f1 import weighted_f1_and_influence
from rayon.learning.live_sample import LiveSample
from rayon.learning.stratified import Estimate

K = 12
REST = {"confidence": 0.9, "audit_probability": 0.05}


def sample(*groups: dict[str, Any]) -> LiveSample:
    """Groups of ``n`` predictions of one kind each."""
    sizes = [group.get("n", 1) for group in groups]
    kinds = {"predicted": np.int64, "accepted": np.bool_, "drawn": np.bool_, "true": np.int64}
    kinds |= {"confidence": np.float64, "audit_probability": np.float64}
    defaults = {"predicted": 0, "accepted": True, "drawn": False, "true": -1, **REST}
    columns = {
        name: np.repeat([group.get(name, defaults[name]) for group in groups], sizes).astype(kind)
        for name, kind in kinds.items()
    }
    return LiveSample(**columns)


def window(seed: int, n: int = 5_000, audited: float = 150, probabilities: int = 1) -> LiveSample:
    """A window of which everything is known, drawn or not: classes of unequal size, review often wrong."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, K + 1)
    true = rng.choice(K, n, p=share / share.sum())
    confidence = rng.beta(6, 1, n)
    predicted = np.where(rng.random(n) < confidence, true, rng.choice(K, n))
    level = rng.integers(1, probabilities + 1, n) * 2 / (probabilities + 1)
    probability = audited / n * level
    return LiveSample(predicted, confidence, confidence > 0.8, probability, rng.random(n) < probability, true)


def validated(full: LiveSample, reviewed: int = 0) -> LiveSample:
    """Keep the labels of the audit, and of the least certain of the review queue."""
    queue = np.flatnonzero(~full.accepted)
    seen = full.drawn.copy()
    seen[queue[np.argsort(full.confidence[queue])[:reviewed]]] = True
    return replace(full, true=np.where(seen, full.true, -1))


def f1(full: LiveSample) -> float:
    return float(f1_score(full.true, full.predicted, average="weighted", zero_division=0))


def test_by_hand() -> None:
    live = estimate_live(
        sample(
            {"n": 9, "drawn": True, "true": 0},
            {"n": 1, "drawn": True, "true": 1},
            {"n": 2, "drawn": True},
            {"n": 48},
            {"n": 3, "drawn": True, "predicted": 1, "true": 1, "accepted": False, "confidence": 0.5},
            {"n": 3, "drawn": True, "predicted": 1, "true": 0, "accepted": False, "confidence": 0.5},
            {"n": 34, "predicted": 1, "accepted": False, "confidence": 0.5},
        ),
        2,
    )

    assert (live.listings, live.audited, live.pending) == (100, 16, 2)
    assert (live.fully_reviewed, live.unaudited) == (0, 0)
    assert live.accepted_share == 0.6
    # 60 accepted listings of which 9 in 10 are right, 40 others of which one half is.
    assert live.accuracy is not None
    assert live.accuracy.estimate == pytest.approx(0.6 * 0.9 + 0.4 * 0.5)
    assert live.accepted_precision == Estimate(pytest.approx(0.9), *map(pytest.approx, exact_interval(9, 10)))
    assert (live.accepted_right, live.accepted_labelled) == (9, 10)
    assert live.mean_confidence == pytest.approx(0.74)
    assert live.overconfidence is not None
    assert live.overconfidence.estimate == pytest.approx(0.0)
    assert live.overconfidence.low == pytest.approx(0.74 - live.accuracy.high)
    assert live.overconfidence.high == pytest.approx(0.74 - live.accuracy.low)
    # 54 + 20 right, 6 of the first code's answers are the second, 20 of the second's are the first.
    assert live.weighted_f1 is not None
    expected = 0.74 * (2 * 54 / (60 + 74)) + 0.26 * (2 * 20 / (40 + 26))
    assert live.weighted_f1.estimate == pytest.approx(expected)
    assert live.codes == (
        CodePrecision(0, 60, 10, 9, Estimate(pytest.approx(0.9), *map(pytest.approx, exact_interval(9, 10)))),
        CodePrecision(1, 40, 6, 3, Estimate(pytest.approx(0.5), *map(pytest.approx, exact_interval(3, 6)))),
    )


def test_labels_that_reviewers_chose_change_nothing_but_the_naive_figures() -> None:
    full = window(0)
    audit, both = (estimate_live(validated(full, reviewed), K) for reviewed in (0, 300))

    assert replace(both, naive=audit.naive) == audit
    assert both.naive.validated > audit.naive.validated + 250
    assert both.naive.accuracy is not None
    assert both.naive.accuracy.high < full.right.mean() - 0.1
    assert audit.naive.accuracy is not None
    assert audit.naive.accuracy.low < full.right.mean() < audit.naive.accuracy.high


def test_naive_figures_are_the_plain_ones() -> None:
    seen = validated(window(1), 200)
    rows = seen.true >= 0
    live = estimate_live(seen, K)

    n, right = int(rows.sum()), int((seen.true == seen.predicted).sum())
    assert live.naive.accuracy == Estimate(right / n, *map(pytest.approx, exact_interval(right, n)))
    assert live.naive.weighted_f1 is not None
    plain = f1_score(seen.true[rows], seen.predicted[rows], average="weighted", zero_division=0)
    assert live.naive.weighted_f1.estimate == pytest.approx(plain)
    assert live.naive.weighted_f1.low < plain < live.naive.weighted_f1.high


def test_all_labels_count_where_every_listing_of_a_stratum_was_reviewed() -> None:
    full = window(2)
    some, everything = (
        estimate_live(validated(full, reviewed), K) for reviewed in (300, int((~full.accepted).sum()))
    )

    assert everything.fully_reviewed == (~full.accepted).sum()
    assert everything.accepted_precision == some.accepted_precision
    for name in ("accuracy", "weighted_f1"):
        before, after = getattr(some, name), getattr(everything, name)
        assert after.high - after.low < 0.8 * (before.high - before.low)
    assert everything.accuracy is not None
    assert everything.accepted_precision is not None
    share, known = full.accepted.mean(), full.right[~full.accepted].mean()
    assert everything.accuracy.low == pytest.approx(
        share * everything.accepted_precision.low + (1 - share) * known
    )


def test_a_window_that_is_known_throughout_has_no_interval() -> None:
    full = window(3)
    live = estimate_live(full, K)

    truth = float(full.right.mean())
    assert live.accuracy == Estimate(pytest.approx(truth), pytest.approx(truth), pytest.approx(truth))
    assert live.weighted_f1 == Estimate(*[pytest.approx(f1(full))] * 3)
    assert live.fully_reviewed == live.listings
    for code in live.codes:
        share = pytest.approx(full.right[full.predicted == code.index].mean())
        assert code.precision == Estimate(share, share, share)


@pytest.mark.parametrize("audited", [40, 150])
@pytest.mark.parametrize("reviewed", [100, 5_000])
@pytest.mark.parametrize("probabilities", [1, 2])
def test_the_intervals_cover(audited: int, reviewed: int, probabilities: int) -> None:
    trials = 150
    covered = dict.fromkeys(("accuracy", "weighted_f1", "accepted_precision", "overconfidence"), 0)
    codes, codes_covered = 0, 0
    for seed in range(trials):
        full = window(seed, audited=audited, probabilities=probabilities)
        live = estimate_live(validated(full, reviewed), K)
        true = {
            "accuracy": full.right.mean(),
            "weighted_f1": f1(full),
            "accepted_precision": full.right[full.accepted].mean(),
            "overconfidence": (full.confidence - full.right).mean(),
        }
        for name in covered:
            figure = getattr(live, name)
            covered[name] += figure.low <= true[name] <= figure.high
            assert figure.low <= figure.estimate <= figure.high
        for code in live.codes:
            share = full.right[full.predicted == code.index].mean()
            codes += 1
            codes_covered += code.precision.low - 1e-9 <= share <= code.precision.high + 1e-9

    # One of 700 such runs would stay below, were 0.95 the truth.
    assert min(covered.values()) >= 0.89 * trials
    assert codes_covered >= 0.95 * codes


def test_weighted_f1_is_estimated_without_much_bias_even_from_few_labels() -> None:
    errors = []
    for seed in range(300):
        full = window(seed, audited=60)
        figure = estimate_live(validated(full), K).weighted_f1
        assert figure is not None
        assert figure.estimate is not None
        errors.append(figure.estimate - f1(full))

    assert abs(np.mean(errors)) < 0.012  # the standard deviation of one is 0.05


def test_the_interval_of_weighted_f1_is_about_as_wide_as_that_of_accuracy_where_codes_are_seen_often() -> (
    None
):
    live = estimate_live(validated(window(4, n=20_000, audited=600)), K)

    assert live.accuracy is not None
    assert live.weighted_f1 is not None
    of_f1, of_accuracy = (one.high - one.low for one in (live.weighted_f1, live.accuracy))
    assert of_accuracy <= of_f1 < 1.1 * of_accuracy


def test_rarely_seen_codes_widen_the_interval_of_weighted_f1() -> None:
    right = {"n": 60, "drawn": True, "true": 0}
    often = [{"n": 40, "drawn": True, "predicted": 1, "true": 0}]
    rarely = [{"drawn": True, "predicted": code, "true": 0} for code in range(1, 41)]

    wide, narrow = (
        estimate_live(sample(right, *wrong, {"n": 9_900}), 41).weighted_f1 for wrong in (rarely, often)
    )

    assert wide is not None
    assert narrow is not None
    assert wide.estimate == pytest.approx(narrow.estimate)
    assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(0.1, 50)), min_size=1, max_size=30))
def test_weighted_f1_of_weighted_listings_is_that_of_scikit_learn(rows: list[tuple[int, int, float]]) -> None:
    true, predicted = np.array([row[:2] for row in rows]).T
    weights = np.array([row[2] for row in rows])

    found, influence = weighted_f1_and_influence(true, predicted, weights, 4)

    def by_sklearn(given: Any) -> float:
        return float(f1_score(true, predicted, average="weighted", sample_weight=given, zero_division=0))

    assert found == pytest.approx(by_sklearn(weights))
    total = weights.sum()
    step = 1e-6 * weights[0]
    moved = weights.copy()
    moved[0] += step
    # The derivative of the sum over classes, not of its share of the total.
    slope = (by_sklearn(moved) * moved.sum() - found * total) / step
    assert influence[0] == pytest.approx(slope, abs=1e-4)
    accuracy = weights[true == predicted].sum() / total
    assert abs(found - accuracy) <= (1 - accuracy) / 2 + 1e-12


def test_a_decision_without_a_label_leaves_bounds_and_no_estimate() -> None:
    live = estimate_live(
        sample({"n": 40, "drawn": True, "true": 0}, {"n": 360}, {"n": 100, "accepted": False}), K
    )

    low, _ = exact_interval(40, 40)
    assert live.unaudited == 100
    assert live.accuracy == Estimate(None, pytest.approx(0.8 * low), 1.0)
    assert live.weighted_f1 == Estimate(None, pytest.approx(1.5 * 0.8 * low - 0.5), 1.0)
    assert live.overconfidence == Estimate(None, pytest.approx(-0.1), pytest.approx(0.9 - 0.8 * low))
    assert live.accepted_precision == Estimate(1.0, pytest.approx(low), 1.0)


def test_a_stratum_without_a_label_is_taken_to_be_like_the_others_of_its_decision() -> None:
    live = estimate_live(
        sample(
            {"n": 30, "drawn": True, "true": 0},
            {"n": 10, "drawn": True, "true": 1},
            {"n": 360},
            {"n": 100, "audit_probability": 0.0},
        ),
        K,
    )

    low, high = exact_interval(30, 40)
    expected = Estimate(0.75, pytest.approx(0.8 * low), pytest.approx(0.8 * high + 0.2))
    assert live.accuracy == live.accepted_precision == expected
    assert live.weighted_f1 is not None
    assert live.weighted_f1.estimate == pytest.approx(0.75 * 2 * 0.75 / 1.75)
    (code,) = live.codes
    tighter = exact_interval(30, 40, 0.975)
    assert code.precision == Estimate(
        0.75, pytest.approx(0.8 * tighter[0]), pytest.approx(0.8 * tighter[1] + 0.2)
    )


def test_few_labels_for_many_codes_bound_weighted_f1_without_estimating_it() -> None:
    n_codes = 40
    accepted = [{"n": 10, "predicted": code} for code in range(n_codes)]
    labelled = [{"predicted": code, "drawn": True, "true": code} for code in range(n_codes // 2)]
    enough = estimate_live(sample(*accepted, *labelled), n_codes)
    assert enough.weighted_f1 is not None
    assert enough.weighted_f1.estimate == 1.0
    few = estimate_live(sample(*accepted, *labelled[1:]), n_codes)
    assert few.accuracy is not None
    assert few.accuracy.estimate == 1.0
    assert few.weighted_f1 == Estimate(None, pytest.approx(1.5 * few.accuracy.low - 0.5), 1.0)


def test_a_code_whose_audit_has_no_label_yet_has_bounds_and_no_estimate() -> None:
    live = estimate_live(
        sample(
            {"n": 10, "predicted": 1, "true": 1, "accepted": False},
            {"n": 30, "predicted": 1},
            {"n": 20, "drawn": True, "true": 0},
        ),
        K,
    )

    assert live.codes[1] == CodePrecision(1, 40, 10, 10, Estimate(None, 0.25, 1.0))


def test_nothing_is_known_of_a_window_without_labels() -> None:
    live = estimate_live(sample({"n": 10}, {"n": 5, "drawn": True, "accepted": False}), K)

    assert (live.listings, live.audited, live.pending, live.unaudited) == (15, 0, 5, 15)
    assert live.accuracy is live.weighted_f1 is live.accepted_precision is live.overconfidence is None
    assert (live.naive.validated, live.naive.accuracy, live.naive.weighted_f1) == (0, None, None)
    assert live.codes == ()


def test_an_empty_window() -> None:
    live = estimate_live(sample({"n": 0}), K)

    assert live.listings == 0
    assert live.accepted_share is live.mean_confidence is live.accuracy is None


def test_a_code_that_the_model_does_not_know_is_an_error() -> None:
    groups = [{"n": 15, "drawn": True, "true": 0}, {"n": 5, "drawn": True, "true": 7}, {"n": 80}]
    live = estimate_live(sample(*groups), 2)

    assert live.accuracy is not None
    assert live.accuracy.estimate == pytest.approx(0.75)
    assert live.weighted_f1 is not None
    assert live.weighted_f1.estimate == pytest.approx(0.75 * 2 * 0.75 / 1.75)


def test_all_of_it_is_json() -> None:
    live = estimate_live(validated(window(5), 100), K)

    read = json.loads(json.dumps(live.to_dict()))

    assert set(read) == set(LiveEstimate.__dataclass_fields__)
    assert read["accuracy"]["low"] < read["accuracy"]["estimate"] < read["accuracy"]["high"]
    assert read["naive"]["validated"] > read["audited"] == live.audited
    assert read["codes"][0]["precision"]["low"] == live.codes[0].precision.low


def test_the_same_window_gives_the_same_estimate() -> None:
    seen = validated(window(6))
    order = np.random.default_rng(0).permutation(len(seen))
    shuffled = LiveSample(*(getattr(seen, name)[order] for name in LiveSample.__dataclass_fields__))

    assert estimate_live(seen, K) == estimate_live(seen, K)
    first, second = (estimate_live(one, K) for one in (seen, shuffled))
    assert first.accuracy == second.accuracy
    assert first.codes == second.codes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"true": np.array([0, 0])},
            "The arrays of a window differ in shape: predicted [1], confidence [1], "
            "accepted [1], audit_probability [1], drawn [1], true [2]. Give N values in each",
        ),
        (
            {"true": np.array([-2])},
            "A window holds a class index that is negative. Only a true class may be -1: not validated",
        ),
        (
            {"predicted": np.array([-1])},
            "A window holds a class index that is negative. Only a true class may be -1: not validated",
        ),
        (
            {"confidence": np.array([np.nan])},
            "A value of confidence is not between 0 and 1. Give probabilities",
        ),
        (
            {"audit_probability": np.array([1.5])},
            "A value of audit_probability is not between 0 and 1. Give probabilities",
        ),
        (
            {"audit_probability": np.array([0.0]), "drawn": np.array([True])},
            "A prediction was drawn by the audit "
            "although its audit probability is 0. Mark as drawn only what the random audit drew",
        ),
    ],
)
def test_what_is_no_window(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RayonError) as caught:
        replace(sample({"n": 1}), **change)
    assert str(caught.value) == message


def test_what_cannot_be_estimated() -> None:
    with pytest.raises(RayonError) as caught:
        estimate_live(sample({"predicted": 3}), 3)
    assert str(caught.value) == "The predicted class 3 is not one of 3. Give class indices from 0 to 2"
    with pytest.raises(RayonError) as caught:
        estimate_live(sample({}), 3, confidence=95)
    assert str(caught.value) == "A confidence of 95 is not possible. Give one between 0 and 1"
