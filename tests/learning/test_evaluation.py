"""Figures against scikit-learn, and what they are where scikit-learn has no answer."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_recall_fscore_support

from rayon.errors import RayonError
from rayon.learning.calibration import expected_calibration_error
from rayon.learning.evaluation import ECE_BINS, evaluate, evaluate_modality

CODES = ("10", "40", "50", "60")


def draw(n: int, seed: int = 0, k: int = len(CODES)):
    """Probabilities that are right more often than not, their labels, and decisions."""
    rng = np.random.default_rng(seed)
    y = rng.integers(k, size=n)
    proba = rng.dirichlet(np.full(k, 0.7), size=n) + 0.8 * np.eye(k)[y] * rng.random((n, 1))
    proba /= proba.sum(axis=1, keepdims=True)
    return proba, y, proba.max(axis=1) > 0.7


@st.composite
def predictions(draw_from):
    """A few listings with probabilities that have few distinct values, so that ties and edges occur."""
    n = draw_from(st.integers(1, 30))
    k = draw_from(st.integers(2, 5))
    rows = draw_from(
        st.lists(st.lists(st.integers(0, 4), min_size=k, max_size=k).filter(sum), min_size=n, max_size=n)
    )
    y = draw_from(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    accepted = draw_from(st.lists(st.booleans(), min_size=n, max_size=n))
    weights = np.array(rows, dtype=float)
    return weights / weights.sum(axis=1, keepdims=True), np.array(y), np.array(accepted)


@given(predictions())
@settings(deadline=None)
def test_figures_of_a_modality_agree_with_scikit_learn(drawn):
    proba, y, accepted = drawn
    k = proba.shape[1]
    predicted = proba.argmax(axis=1)

    figures = evaluate_modality(proba, y, [str(index) for index in range(k)], accepted)

    assert figures.n == len(y)
    assert figures.weighted_f1 == pytest.approx(f1_score(y, predicted, average="weighted", zero_division=0))
    assert figures.macro_f1 == pytest.approx(f1_score(y, predicted, average="macro", zero_division=0))
    assert figures.accuracy == pytest.approx(accuracy_score(y, predicted))
    assert figures.log_loss == pytest.approx(log_loss(y, proba, labels=np.arange(k)))
    assert figures.ece == pytest.approx(expected_calibration_error(proba, y, ECE_BINS))
    assert figures.coverage == pytest.approx(accepted.mean())
    if accepted.any():
        assert figures.accepted_precision == pytest.approx((predicted == y)[accepted].mean())
    else:
        assert figures.accepted_precision is None


@given(predictions())
@settings(deadline=None, max_examples=30)
def test_figures_per_code_agree_with_scikit_learn(drawn):
    proba, y, accepted = drawn
    k = proba.shape[1]
    predicted = proba.argmax(axis=1)

    evaluation = evaluate({}, proba, y, accepted, [str(i) for i in range(k)], resamples=0)

    expected = precision_recall_fscore_support(
        y, predicted, labels=np.arange(k), zero_division=np.nan, average=None
    )
    for name, values in zip(("precision", "recall"), expected, strict=False):
        ours = [getattr(code, name) for code in evaluation.per_code]
        assert [np.nan if value is None else value for value in ours] == pytest.approx(values, nan_ok=True)
    assert [code.support for code in evaluation.per_code] == expected[3].tolist()
    assert evaluation.matrix.sum() == len(y)
    assert sum(one.n for one in evaluation.confusions) == (predicted != y).sum()
    assert sum(code.accepted for code in evaluation.per_code) == accepted.sum()


def test_resampling_nothing_gives_the_figure_itself():
    proba, y, accepted = draw(300)
    same = np.repeat(proba[:1], 40, axis=0)

    fused = evaluate({}, same, np.repeat(y[:1], 40), accepted[:40], CODES, resamples=20).fused

    assert fused.intervals["ece"] == pytest.approx((fused.ece, fused.ece))
    assert fused.intervals["weighted_f1"] == (fused.weighted_f1, fused.weighted_f1)


def test_the_intervals_of_ece_rest_on_the_same_bins_as_the_figure():
    proba, y, accepted = draw(300)

    fused = evaluate({}, proba, y, accepted, CODES, resamples=400).fused

    low, high = fused.intervals["ece"]
    assert 0 <= low < fused.ece < high
    assert high - low < 0.1


def test_an_interval_of_ece_holds_the_figure_however_noisy_it_is():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(4), 60)
    y = np.array([rng.choice(4, p=row) for row in proba])  # perfectly calibrated: the figure is all noise
    fused = evaluate({}, proba, y, np.ones(60, bool), CODES[:4], resamples=400).fused
    low, high = fused.intervals["ece"]
    assert 0 <= low < fused.ece < high


def test_each_modality_is_scored_on_the_listings_that_have_it():
    proba, y, accepted = draw(50)
    text = proba.copy()
    text[10:] = np.nan

    evaluation = evaluate({"text": text}, proba, y, accepted, CODES, resamples=50)

    assert list(evaluation.modalities) == ["text", "fused"]
    assert evaluation.modalities["text"].n == 10
    assert evaluation.modalities["text"].accuracy == pytest.approx(
        (proba[:10].argmax(axis=1) == y[:10]).mean()
    )
    assert evaluation.fused.n == evaluation.n == 50


def test_a_modality_without_a_policy_has_neither_coverage_nor_accepted_precision():
    proba, y, accepted = draw(50)

    evaluation = evaluate({"text": proba, "image": proba}, proba, y, accepted, CODES,
                          accepted_by_modality={"image": accepted}, resamples=50)  # fmt: skip

    text, image = evaluation.modalities["text"], evaluation.modalities["image"]
    assert text.coverage is None
    assert text.accepted_precision is None
    assert text.intervals["coverage"] is None
    assert text.intervals["accepted_precision_exact"] is None
    assert image.coverage == evaluation.fused.coverage == pytest.approx(accepted.mean())


def test_the_same_predictions_have_the_same_intervals_in_every_modality():
    proba, y, accepted = draw(60)

    evaluation = evaluate({"text": proba}, proba, y, accepted, CODES, resamples=100)

    text, fused = evaluation.modalities["text"].intervals, evaluation.fused.intervals
    assert text["weighted_f1"] == fused["weighted_f1"]
    assert text["ece"] == fused["ece"]


def test_the_object_is_that_of_the_command_line_and_has_no_nan():
    proba, y, accepted = draw(40)
    y[:] = np.minimum(y, 2)

    written = evaluate({"text": proba}, proba, y, accepted, CODES, labels={"10": "Books"}).to_dict()

    assert json.loads(json.dumps(written, allow_nan=False)) == written
    assert list(written) == ["n", "codes", "unknown_codes", "modalities", "per_code", "confusions"]
    figures = [
        "n",
        "weighted_f1",
        "macro_f1",
        "accuracy",
        "log_loss",
        "ece",
        "coverage",
        "accepted_precision",
    ]
    assert list(written["modalities"]["fused"]) == [*figures, "intervals"]
    row = ["code", "label", "support", "precision", "recall", "f1", "accepted", "accepted_precision"]
    assert list(written["per_code"][0]) == [*row, "intervals"]
    assert list(written["confusions"][0]) == ["true", "predicted", "n", "share"]
    assert written["per_code"][0]["label"] == "Books"
    assert written["per_code"][1]["label"] == "40"
    assert written["per_code"][3]["recall"] is None


def test_without_resamples_there_are_no_intervals():
    proba, y, accepted = draw(20)

    written = evaluate({}, proba, y, accepted, CODES, resamples=0).to_dict()

    assert "intervals" not in written["modalities"]["fused"]
    assert "intervals" not in written["per_code"][0]


def test_confusions_come_largest_first():
    predicted = np.array([1, 1, 1, 2, 0, 0, 3])
    y = np.array([0, 0, 0, 0, 1, 0, 3])

    evaluation = evaluate({}, np.eye(4)[predicted], y, None, CODES, resamples=0)

    assert [(one.true, one.predicted, one.n, one.share) for one in evaluation.confusions] == [
        ("10", "40", 3, 0.6),
        ("40", "10", 1, 1.0),
        ("10", "50", 1, 0.2),
    ]


def test_codes_that_the_model_does_not_know_count_as_errors_and_are_named():
    proba = np.eye(4)[[0, 1, 2, 3]]
    y = np.array([0, 1, -1, -1])

    evaluation = evaluate(
        {}, proba, y, np.ones(4, dtype=bool), CODES, true_codes=["10", "40", "9", "7"], resamples=0
    )

    assert evaluation.unknown_codes == ("7", "9")
    assert evaluation.codes == (*CODES, "7", "9")
    assert evaluation.fused.accuracy == 0.5
    assert evaluation.fused.accepted_precision == 0.5
    assert evaluation.fused.weighted_f1 == pytest.approx(0.5)
    assert evaluation.fused.macro_f1 == pytest.approx(2 / 6)
    assert evaluation.fused.ece == pytest.approx(0.5)
    assert evaluation.fused.log_loss == pytest.approx(0)
    assert {(one.true, one.predicted) for one in evaluation.confusions} == {("9", "50"), ("7", "60")}


def test_unknown_codes_without_names_are_one():
    evaluation = evaluate({}, np.eye(4)[[0, 1]], np.array([-1, -1]), None, CODES, resamples=10)

    assert evaluation.unknown_codes == ("?",)
    assert evaluation.fused.log_loss is None
    assert evaluation.fused.weighted_f1 == 0


@pytest.mark.parametrize("n", [0, 1])
def test_tiny_input_has_no_figure_rather_than_a_wrong_one(n):
    proba, y, _ = draw(n)

    evaluation = evaluate({"text": np.full((n, 4), np.nan)}, proba, y, np.zeros(n, dtype=bool), CODES)

    assert evaluation.fused.accepted_precision is None
    assert evaluation.fused.intervals["accepted_precision"] is None
    assert evaluation.fused.intervals["accepted_precision_exact"] is None
    assert evaluation.modalities["text"].n == 0
    assert evaluation.modalities["text"].weighted_f1 is None
    assert evaluation.modalities["text"].ece is None
    assert (evaluation.fused.accuracy is None) == (n == 0)
    json.dumps(evaluation.to_dict(), allow_nan=False)


def test_the_exact_interval_of_the_accepted_precision_is_that_of_clopper_and_pearson():
    proba, y, accepted = draw(200)
    right = int((proba.argmax(axis=1) == y)[accepted].sum())
    n = int(accepted.sum())

    low, high = evaluate({}, proba, y, accepted, CODES, resamples=10).fused.intervals[
        "accepted_precision_exact"
    ]

    assert low == pytest.approx(stats.beta.ppf(0.025, right, n - right + 1))
    assert high == pytest.approx(stats.beta.ppf(0.975, right + 1, n - right))


def test_the_seed_fixes_the_intervals():
    proba, y, accepted = draw(80)

    first = evaluate({}, proba, y, accepted, CODES, seed=3).to_dict()

    assert first == evaluate({}, proba, y, accepted, CODES, seed=3).to_dict()
    assert first != evaluate({}, proba, y, accepted, CODES, seed=4).to_dict()


def test_shapes_that_do_not_belong_together_are_refused():
    proba, y, accepted = draw(5)

    with pytest.raises(RayonError) as shape:
        evaluate({"text": proba[:, :3]}, proba, y, accepted, CODES)
    assert str(shape.value) == (
        "The probabilities of 'text' have shape [5, 3] for 5 labels and 4 codes. "
        "Give an array of shape [5, 4]"
    )
    with pytest.raises(RayonError, match=r"The decisions of 'fused' have shape \[4\] for 5 labels"):
        evaluate({}, proba, y, accepted[:4], CODES)
    with pytest.raises(RayonError, match="There are 4 true codes for 5 labels"):
        evaluate({}, proba, np.full(5, -1), accepted, CODES, true_codes=["1"] * 4)
