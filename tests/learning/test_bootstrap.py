"""Resampling: what is drawn, and what is concluded from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import accuracy_score, f1_score

from rayon.errors import RayonError
from rayon.learning.bootstrap import (
    exact_interval,
    one_hot,
    paired_difference,
    percentile_interval,
    resampled_totals,
)


def test_every_resample_draws_as_many_listings_as_there_are():
    totals = resampled_totals(sparse.csr_array(np.eye(7)), 50, seed=0)

    assert totals.shape == (50, 7)
    assert (totals.sum(axis=1) == 7).all()
    assert len(np.unique(totals, axis=0)) > 1


def test_what_is_drawn_does_not_depend_on_the_columns():
    narrow = resampled_totals(sparse.csr_array(np.eye(5)[:, :2]), 20, seed=1)
    wide = resampled_totals(sparse.csr_array(np.eye(5)), 20, seed=1)

    assert (narrow == wide[:, :2]).all()


def test_intervals_of_a_mean_are_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(size=(400, 1))

    low, high = percentile_interval(resampled_totals(sparse.csr_array(values), 4000, seed=0)[:, 0] / 400)

    half_width = 1.96 * values.std() / np.sqrt(400)
    assert low == pytest.approx(values.mean() - half_width, abs=0.01)
    assert high == pytest.approx(values.mean() + half_width, abs=0.01)


def test_undefined_resamples_are_left_out():
    assert percentile_interval(np.array([np.nan, 0.5, np.nan])) == (0.5, 0.5)
    assert percentile_interval(np.array([np.nan])) is None


def test_exact_interval_of_nothing_is_none():
    assert exact_interval(0, 0) is None
    assert exact_interval(10, 10) == (pytest.approx(0.025 ** (1 / 10)), 1.0)


def test_negative_columns_take_no_part():
    assert one_hot(np.array([1, -1, 0]), 2).toarray().tolist() == [[0, 1], [0, 0], [1, 0]]


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=25))
def test_the_difference_is_that_of_the_figures_of_scikit_learn(rows):
    y, first, second = np.array(rows).T

    accuracy = paired_difference(first, second, y, "accuracy", resamples=5)
    weighted = paired_difference(first, second, y, "weighted_f1", resamples=5)

    assert accuracy.estimate == pytest.approx(accuracy_score(y, second) - accuracy_score(y, first))
    expected = [f1_score(y, one, average="weighted", zero_division=0) for one in (first, second)]
    assert weighted.estimate == pytest.approx(expected[1] - expected[0])


def test_macro_f1_is_over_the_codes_that_occur_in_that_set_of_predictions():
    y, first, second = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1])

    difference = paired_difference(first, second, y, "macro_f1", resamples=5)

    assert difference.estimate == pytest.approx(1 - f1_score(y, first, average="macro", zero_division=0))


def test_the_same_predictions_differ_by_nothing():
    y = np.arange(20) % 3

    difference = paired_difference(y, y, y)

    assert (difference.estimate, difference.low, difference.high) == (0, 0, 0)
    assert not difference.is_significant


def test_a_clear_improvement_is_significant():
    y = np.arange(200) % 4
    worse = np.where(np.arange(200) % 3 == 0, (y + 1) % 4, y)

    better = paired_difference(worse, y, y)
    reverse = paired_difference(y, worse, y)

    assert better.is_significant
    assert 0 < better.low < better.estimate < better.high
    assert (reverse.low, reverse.high) == (pytest.approx(-better.high), pytest.approx(-better.low))


def test_predictions_of_different_listings_are_not_compared():
    with pytest.raises(RayonError) as caught:
        paired_difference(np.zeros(3, int), np.zeros(2, int), np.zeros(3, int))
    assert str(caught.value) == (
        "Predictions of 3 and 2 listings cannot be compared on 3 labels. "
        "Give three arrays of the same length, of one listing at least"
    )
