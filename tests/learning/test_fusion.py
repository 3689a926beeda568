from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from rayon.errors import ModelError, NotFittedError, TrainingError
from rayon.learning.calibration import expected_calibration_error, perfect_calibration_ece
from rayon.learning.fusion import LateFusion
from rayon.learning.probabilities import balanced_folds

PEERS = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "peer-probabilities" / "dev.npz"
fits = settings(max_examples=8, deadline=None)


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def drawn(seed, n, k=4, strengths=(2.0, 1.0)):
    """Labels, and one noisy view of them per modality."""
    rng = np.random.default_rng(seed)
    y = rng.integers(k, size=n)
    views = [softmax(s * np.eye(k)[y] * 2 + s * rng.normal(size=(n, k))) for s in strengths]
    return {f"m{i}": view for i, view in enumerate(views)}, y


def punched(probabilities, share, seed=0):
    """The same with rows missing at random."""
    rng = np.random.default_rng(seed)
    return {
        name: np.where(rng.random((len(proba), 1)) < share, np.nan, proba)
        for name, proba in probabilities.items()
    }


def log_loss(proba, y):
    return float(-np.log(proba[np.arange(len(y)), y]).mean())


def accuracy(proba, y):
    return float((proba.argmax(axis=1) == y).mean())


@given(
    st.integers(0, 1000),
    st.integers(1, 60),
    st.integers(2, 5),
    st.integers(1, 4),
    st.floats(0, 1),
    st.floats(0, 1),
)
@fits
def test_rows_are_distributions_whatever_is_missing(seed, n, k, n_modalities, missing, missing_later):
    probabilities, y = drawn(seed, n, k, (2.0, 1.0, 0.5, 3.0)[:n_modalities])
    fusion = LateFusion().fit(punched(probabilities, missing, seed), y)
    fused = fusion.predict_proba(punched(probabilities, missing_later, seed + 1))
    assert fused.shape == (n, k)
    assert fused.dtype == np.float64
    assert (fused > 0).all()
    np.testing.assert_allclose(fused.sum(axis=1), 1.0, atol=1e-9)


@given(st.integers(0, 1000), st.permutations(list(range(4))))
@fits
def test_renumbering_the_classes_renumbers_the_answer(seed, order):
    probabilities, y = drawn(seed, 120)
    probabilities = punched(probabilities, 0.2, seed)
    fused = LateFusion().fit(probabilities, y).predict_proba(probabilities)
    renumbered = {name: proba[:, order] for name, proba in probabilities.items()}
    permuted = LateFusion().fit(renumbered, np.argsort(order)[y]).predict_proba(renumbered)
    np.testing.assert_allclose(permuted, fused[:, order], atol=5e-3)


def test_the_order_of_rows_at_predict_and_of_modalities_does_not_matter():
    probabilities, y = drawn(0, 300)
    probabilities = punched(probabilities, 0.3)
    fusion = LateFusion().fit(probabilities, y)
    fused = fusion.predict_proba(probabilities)
    np.testing.assert_allclose(
        fusion.predict_proba({name: proba[::-1] for name, proba in reversed(probabilities.items())}),
        fused[::-1],
    )


def test_rows_with_nothing_get_the_frequencies_of_the_classes():
    probabilities, y = drawn(0, 300)
    fusion = LateFusion().fit(probabilities, y)
    nothing = {name: np.full((2, 4), np.nan) for name in probabilities}
    expected = (np.bincount(y, minlength=4) + 0.5) / (len(y) + 2.0)
    np.testing.assert_allclose(fusion.predict_proba(nothing), np.tile(expected, (2, 1)))


def test_leaving_a_modality_out_is_the_same_as_rows_of_nan():
    probabilities, y = drawn(0, 300)
    fusion = LateFusion().fit(probabilities, y)
    np.testing.assert_array_equal(
        fusion.predict_proba({"m1": probabilities["m1"]}),
        fusion.predict_proba({"m1": probabilities["m1"], "m0": np.full((300, 4), np.nan)}),
    )


def test_fusion_beats_the_better_modality_and_is_calibrated():
    probabilities, y = drawn(0, 4000)
    fusion = LateFusion().fit({name: proba[:2000] for name, proba in probabilities.items()}, y[:2000])
    later, truth = {name: proba[2000:] for name, proba in probabilities.items()}, y[2000:]
    fused = fusion.predict_proba(later)
    assert log_loss(fused, truth) < min(
        log_loss(fusion.predict_proba({name: later[name]}), truth) for name in later
    )
    assert accuracy(fused, truth) > max(accuracy(proba, truth) for proba in later.values())
    for subset in product([False, True], repeat=2):
        if any(subset):
            part = {n: p for (n, p), keep in zip(later.items(), subset, strict=True) if keep}
            answer = fusion.predict_proba(part)
            assert expected_calibration_error(answer, truth) <= 1.3 * perfect_calibration_ece(answer, 200)


def test_a_modality_that_is_noise_does_no_harm():
    probabilities, y = drawn(0, 3000)
    noise, _ = drawn(99, 3000, strengths=(2.0,))
    probabilities["m1"] = noise["m0"]
    fusion = LateFusion().fit({name: proba[:1000] for name, proba in probabilities.items()}, y[:1000])
    later, truth = {name: proba[1000:] for name, proba in probabilities.items()}, y[1000:]
    alone = fusion.predict_proba({"m0": later["m0"]})
    assert accuracy(fusion.predict_proba(later), truth) >= accuracy(alone, truth) - 0.005
    assert np.abs(fusion.trust_["m1"]).max() < 0.2 * fusion.trust_["m0"].min()


def test_trust_is_learned_for_each_code():
    probabilities, y = drawn(0, 4000, strengths=(2.0, 2.0))
    noise, _ = drawn(5, 4000, strengths=(2.0,))
    probabilities["m1"][y < 2] = noise["m0"][y < 2]
    trust = LateFusion().fit(probabilities, y).trust_
    assert trust["m1"][:2].max() < trust["m1"][2:].min()


@pytest.mark.parametrize("n_joint", [0, 20])
def test_few_rows_with_both_are_enough_not_to_lose_to_the_better_one(n_joint):
    probabilities, y = drawn(0, 3000)
    learn = {name: proba[:1500].copy() for name, proba in probabilities.items()}
    learn["m0"][n_joint:750] = np.nan
    learn["m1"][750:] = np.nan
    fusion = LateFusion().fit(learn, y[:1500])
    later, truth = {name: proba[1500:] for name, proba in probabilities.items()}, y[1500:]
    fused = fusion.predict_proba(later)
    alone = fusion.predict_proba({"m0": later["m0"]})
    assert accuracy(fused, truth) >= accuracy(alone, truth) - 0.005
    assert log_loss(fused, truth) < log_loss(alone, truth)


def test_a_set_of_modalities_never_seen_together_is_pooled():
    probabilities, y = drawn(0, 1200, strengths=(1.0, 1.0, 1.0, 1.0))
    rows = np.arange(len(y)) % 4
    alone = {
        name: np.where(rows[:, None] == i, proba, np.nan)
        for i, (name, proba) in enumerate(probabilities.items())
    }
    fusion = LateFusion().fit(alone, y)
    fused = fusion.predict_proba(probabilities)
    assert accuracy(fused, y) > max(accuracy(proba, y) for proba in probabilities.values()) + 0.05


def test_zeros_absent_classes_and_lone_listings_are_borne():
    rng = np.random.default_rng(0)
    y = np.append(rng.integers(3, size=49), 3)
    certain = np.eye(5)[np.where(rng.random(50) < 0.9, y, 4)].astype(np.float16)
    fusion = LateFusion().fit({"text": certain, "image": certain[::-1]}, y)
    fused = fusion.predict_proba({"text": certain, "image": certain[::-1]})
    assert np.isfinite(fused).all()
    assert fused[:, 4].mean() < 0.2


def test_the_same_data_and_seed_give_the_same_bits():
    probabilities, y = drawn(0, 200)
    first, second = (LateFusion(random_state=3).fit(probabilities, y) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(probabilities), second.predict_proba(probabilities))


def test_state_survives_json_and_arrays(tmp_path):
    probabilities, y = drawn(0, 300, strengths=(2.0, 1.0, 1.0))
    fusion = LateFusion(random_state=4).fit(punched(probabilities, 0.3), y)
    np.savez(tmp_path / "fusion.npz", **fusion.to_arrays())
    with np.load(tmp_path / "fusion.npz", allow_pickle=False) as stored:
        arrays = dict(stored)
    params = json.loads(json.dumps(fusion.params()))
    restored = LateFusion.from_state(params, arrays)
    later = punched(probabilities, 0.4, seed=9)
    np.testing.assert_array_equal(restored.predict_proba(later), fusion.predict_proba(later))
    assert restored.params() == fusion.params()
    del arrays["stack_3_weights"]
    with pytest.raises(ModelError, match=r"^The stored fusion lacks or garbles 'stack_3_weights'"):
        LateFusion.from_state(params, arrays)


def test_it_can_be_cloned():
    assert clone(LateFusion(random_state=7, n_folds=4)).get_params() == {"random_state": 7, "n_folds": 4}


@given(st.integers(0, 1000), st.integers(1, 80), st.integers(1, 6), st.integers(2, 5))
def test_folds_spread_every_class(seed, n, k, n_folds):
    rng = np.random.default_rng(seed)
    y = rng.integers(k, size=n)
    folds = balanced_folds(y, n_folds, rng)
    assert set(folds.tolist()) <= set(range(n_folds))
    for label in np.unique(y):
        sizes = np.bincount(folds[y == label], minlength=n_folds)
        assert sizes.max() - sizes.min() <= 1


def test_errors_say_what_is_wrong():
    probabilities, y = drawn(0, 40)
    good = probabilities["m0"]
    hint = "Give class probabilities: finite, not negative, each row summing to one"
    with pytest.raises(NotFittedError, match=r"^This LateFusion has not been fitted. Call fit first$"):
        LateFusion().predict_proba(probabilities)
    with pytest.raises(TrainingError, match=r"^Fusion needs at least one modality. Map a name to prob"):
        LateFusion().fit({}, y)
    with pytest.raises(TrainingError, match=r"^Fusion needs at least one row. Give trusted listings"):
        LateFusion().fit({"text": np.empty((0, 3))}, np.empty(0, dtype=int))
    with pytest.raises(
        TrainingError,
        match=r"^'b' has 39 rows, not 40. All modalities have one row per listing; NaN where",
    ):
        LateFusion().fit({"a": good, "b": good[1:]}, y)
    with pytest.raises(TrainingError, match=r"^'b' has 3 classes, not 4. All arrays follow one"):
        LateFusion().fit({"a": good, "b": np.full((40, 3), 1 / 3)}, y)
    with pytest.raises(TrainingError, match=r"^'a' has 4 classes, not 5"):
        LateFusion().fit({"a": good}, y, n_classes=5)
    holed = good.copy()
    holed[7, 1] = np.nan
    with pytest.raises(
        TrainingError, match=r"^Row 7 of 'a' is NaN in part. A missing modality is NaN in the"
    ):
        LateFusion().fit({"a": holed}, y)
    with pytest.raises(TrainingError, match=rf"^Row 0 of 'a' has a negative probability. {hint}$"):
        LateFusion().fit({"a": good - 0.5}, y)
    with pytest.raises(TrainingError, match=r"^Row 0 of y is 9, outside 0 to 3"):
        LateFusion().fit({"a": good}, np.full(40, 9))
    with pytest.raises(
        TrainingError, match=r"^Fusion does not know the modality 'sound'. It was fitted on: m0, m1$"
    ):
        LateFusion().fit(probabilities, y).predict_proba({"sound": good})


@pytest.mark.proof
@pytest.mark.skipif(not PEERS.exists(), reason=f"needs the peers' probabilities at {PEERS}")
def test_peers_are_fused_better_than_by_the_geometric_mean_and_stay_calibrated():
    with np.load(PEERS, allow_pickle=False) as stored:
        y = (
            np.searchsorted(stored["codes"], stored["y_true"])
            if stored["y_true"].max() > 26
            else stored["y_true"]
        )
        probabilities = {name: stored[name] for name in ("camembert_large", "tfidf", "convnext_base_384_v2")}
    learn, later = (slice(None, None, 2), slice(1, None, 2))
    fusion = LateFusion().fit({name: proba[learn] for name, proba in probabilities.items()}, y[learn])
    fused = fusion.predict_proba({name: proba[later] for name, proba in probabilities.items()})
    logs = [np.log(np.maximum(p[later].astype(float), 1e-6)) for p in probabilities.values()]
    pooled = softmax(np.mean(logs, axis=0))
    assert log_loss(fused, y[later]) < log_loss(pooled, y[later])
    assert accuracy(fused, y[later]) > accuracy(pooled, y[later]) - 0.003
    assert expected_calibration_error(fused, y[later]) <= 1.3 * perfect_calibration_ece(fused, 200)
