"""Thresholds set anew: kept promises after a drift, and a stricter one until then."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from rayon.errors import NotFittedError, TrainingError
from rayon.learning.decision import DecisionPolicy
from rayon.learning.model import ProductClassifier
from rayon.learning.prediction_sets import PredictionSets
from rayon.learning.recalibration import recalibrated, tightened

AT = datetime(2026, 11, 1, 8, tzinfo=UTC)


def drawn(seed, n, k=4, noise=0.0):
    """Distributions and labels that follow them, but for a share that anything may be true of."""
    rng = np.random.default_rng(seed)
    scores = 3.0 * rng.normal(size=(n, k))
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    y = (proba.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=k - 1)
    return proba, np.where(rng.random(n) < noise, rng.integers(k, size=n), y)


# --- policies and sets --------------------------------------------------------------------------------


def test_after_a_drift_the_promise_is_kept_over_many_draws():
    old = DecisionPolicy(0.9).fit(*drawn(0, 5000))
    population, truth = drawn(1, 10_000, noise=0.04)
    right = population.argmax(axis=1) == truth
    assert right[old.accept(population)].mean() < 0.9
    rng = np.random.default_rng(7)
    broken, coverage = 0, []
    for _ in range(200):
        rows = rng.integers(len(truth), size=800)
        accepted = old.recalibrated(population[rows], truth[rows]).accept(population)
        coverage.append(accepted.mean())
        broken += bool(accepted.any()) and right[accepted].mean() < 0.9
    # More than 18 of 200 has a probability under 0.01 where each breaks with 0.05.
    assert broken <= 18
    assert np.mean(coverage) > 0.2


def test_the_promise_and_the_codes_for_review_stay():
    proba, y = drawn(2, 2000)
    old = DecisionPolicy(0.9, 0.9, min_code_listings=10).fit(proba[y != 3], y[y != 3])
    new = old.recalibrated(proba[:400], y[:400])
    assert new.get_params() == old.get_params()
    assert new.review_codes_.tolist() == [3]
    assert old.report()["n"] == (y != 3).sum()
    assert new.report()["n"] == 400
    few = old.recalibrated(proba[:20], y[:20])  # too few to count codes on, and nobody does
    assert few.review_codes_.tolist() == [3]


def test_a_code_that_is_none_of_the_classes_is_an_error():
    proba, y = drawn(3, 1000)
    old = DecisionPolicy(0.9).fit(proba, y)
    unknown = np.where(np.random.default_rng(0).random(1000) < 0.03, -1, y)
    wrong = np.where(unknown < 0, (proba.argmax(axis=1) + 1) % 4, y)
    as_unknown, as_wrong = old.recalibrated(proba, unknown), old.recalibrated(proba, wrong)
    assert as_unknown.report() == as_wrong.report()
    assert as_unknown.report()["n_right"] < old.recalibrated(proba, y).report()["n_right"]
    assert not old.recalibrated(proba, np.full(1000, -1)).accept(proba).any()

    sets = PredictionSets(0.9).fit(proba, y)
    assert sets.recalibrated(proba, unknown).threshold_ < sets.recalibrated(proba, y).threshold_
    assert sets.recalibrated(proba, np.where(np.arange(1000) < 150, -1, y)).threshold_ == 0.0
    covered = sets.recalibrated(proba, unknown).sets(proba)[np.arange(1000), unknown] & (unknown >= 0)
    assert covered.mean() >= 0.9


def test_errors_say_what_is_wrong():
    proba, y = drawn(0, 40)
    policy, sets = DecisionPolicy(0.5).fit(proba, y), PredictionSets().fit(proba, y)
    with pytest.raises(NotFittedError, match=r"^This DecisionPolicy has not been fitted. Call fit first$"):
        DecisionPolicy().recalibrated(proba, y)
    with pytest.raises(TrainingError, match=r"^A policy needs at least one calibration listing"):
        policy.recalibrated(np.empty((0, 4)), np.empty(0, dtype=int))
    with pytest.raises(TrainingError, match=r"^Row 0 of y is -2, outside 0 to 3"):
        policy.recalibrated(proba, np.full(40, -2))
    with pytest.raises(TrainingError, match=r"^proba has 3 classes, not 4"):
        sets.recalibrated(np.full((40, 3), 1 / 3), y)
    with pytest.raises(TrainingError, match=r"^Prediction sets need at least one listing"):
        sets.recalibrated(np.empty((0, 4)), np.empty(0, dtype=int))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("precision", [0.8, 0.9])
def test_tightening_is_stricter_and_keeps_more(seed, precision):
    proba, y = drawn(seed, 5000)
    policy = DecisionPolicy(precision).fit(proba, y)
    threshold = tightened(policy, proba, y)
    assert threshold > policy.threshold_
    population, truth = drawn(100 + seed, 20_000)
    right = population.argmax(axis=1) == truth
    strict = DecisionPolicy.from_state({**policy.params(), "threshold": threshold}, policy.to_arrays())
    before, after = policy.accept(population), strict.accept(population)
    assert (after <= before).all()
    assert after.any()
    assert right[after].mean() > right[before].mean()
    assert right[after].mean() >= 1 - (1 - precision) / 2 - 0.005


def test_where_nothing_stricter_is_supported_nothing_is_accepted():
    proba, y = drawn(0, 600)
    policy = DecisionPolicy(0.9).fit(proba, y)
    assert policy.threshold_ is not None
    assert tightened(policy, proba[:100], y[:100]) is None  # too few listings
    recalibrated_since = DecisionPolicy.from_state(
        {**policy.params(), "threshold": 0.9999}, policy.to_arrays()
    )
    assert tightened(recalibrated_since, proba, y) is None  # no stricter
    nothing = DecisionPolicy.from_state({**policy.params(), "threshold": None}, policy.to_arrays())
    assert tightened(nothing, *drawn(0, 5000)) is None


# --- models -------------------------------------------------------------------------------------------


def test_a_recalibrated_model_has_the_same_weights_and_says_what_it_is(
    better_trained: Path, tmp_path: Path
) -> None:
    model = ProductClassifier.load(better_trained)
    titles = ["Piscine ronde 3 m", "Roman policier", "Manette de jeu sans fil"]
    before = model.decide(titles)
    learned = model.cross_fitted_
    rows = np.arange(0, len(learned.y), 2)
    y = np.where(rows % 100 == 0, -1, learned.y[rows])
    made = recalibrated(model, learned.fused[rows], y, AT)
    assert model.decide(titles) == before
    assert model.recalibration_ is None
    made.save(tmp_path / "made")

    for name in ("head_text.npz", "head_image.npz", "fusion.npz", "neighbours.npz", "reference.npz"):
        assert (tmp_path / "made" / name).read_bytes() == (better_trained / name).read_bytes()
    loaded = ProductClassifier.load(tmp_path / "made")
    np.testing.assert_array_equal(loaded.predict_proba(titles), model.predict_proba(titles))
    assert loaded.version_ != model.version_
    assert loaded.policy_.report() == made.policy_.report()
    np.testing.assert_array_equal(
        loaded.cross_fitted_.accepted, loaded.policy_.accept(loaded.cross_fitted_.fused)
    )
    document = json.loads((tmp_path / "made" / "model.json").read_text(encoding="utf-8"))
    assert (
        document["promise"]["recalibration"]
        == loaded.recalibration_
        == {
            "at": "2026-11-01T08:00:00+00:00",
            "listings": 1000,
            "parent": model.version_,
            "threshold_before": model.policy_.threshold_,
        }
    )
    assert document["data"]["trusted"] == 2000
    card = (tmp_path / "made" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert (
        "The threshold was set again 2026-11-01T08:00:00+00:00, on 1,000 listings that the random audit drew "
        f"and people validated; all else is the model `{model.version_[:12]}`, whose threshold was "
        f"{model.policy_.threshold_:.4f}."
    ) in card
    assert "The promise holds for listings distributed like the audited ones." in card
    assert "set the threshold and" not in card
    again = recalibrated(loaded, learned.fused[rows], learned.y[rows], AT)
    assert again.recalibration_ is not None
    assert again.recalibration_["parent"] == loaded.version_


def test_a_model_that_learns_again_is_not_recalibrated_any_more(better_trained: Path) -> None:
    model = ProductClassifier.load(better_trained).set_params(image="none")
    model.recalibration_ = {"listings": 1}
    words = ["ronde", "bleue", "neuve", "grande", "vieille", "solide", "légère", "pliante", "rouge", "carrée"]
    model.fit([f"{thing} {word}" for word in words for thing in ("piscine", "lampe")], ["2583", "1560"] * 10)
    assert model.recalibration_ is None
