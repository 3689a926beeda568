"""Folds that keep groups together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rayon.data.splits import grouped_folds, grouped_holdout
from rayon.errors import TrainingError

SIZES = st.integers(5, 60)


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    n = draw(SIZES)
    y = draw(arrays(np.int64, n, elements=st.integers(0, 5)))
    groups = draw(arrays(np.int64, n, elements=st.integers(0, n)))
    most = min(6, len(np.unique(groups)))
    if most < 2:
        groups[0] = n + 1
        most = 2
    return y, groups, draw(st.integers(2, most))


@given(problems(), st.integers(0, 3))
def test_groups_stay_together_and_no_fold_is_empty(
    problem: tuple[np.ndarray, np.ndarray, int], seed: int
) -> None:
    y, groups, n_folds = problem
    folds = grouped_folds(y, groups, n_folds, seed)
    assert folds.dtype == np.int64
    assert set(folds.tolist()) == set(range(n_folds))
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    assert np.array_equal(folds, grouped_folds(y, groups, n_folds, seed))


@given(arrays(np.int64, st.integers(10, 200), elements=st.integers(0, 7)), st.integers(2, 5))
def test_without_groups_every_code_is_spread_evenly(y: np.ndarray, n_folds: int) -> None:
    folds = grouped_folds(y, np.arange(len(y)), n_folds)
    sizes = np.bincount(folds, minlength=n_folds)
    for code in np.unique(y):
        counts = np.bincount(folds[y == code], minlength=n_folds)
        assert counts.max() - counts.min() <= 1
    assert sizes.max() - sizes.min() <= 8


def test_with_groups_codes_are_spread_nearly_evenly() -> None:
    rng = np.random.default_rng(0)
    y = rng.choice(8, 6000, p=rng.dirichlet(np.ones(8)))
    groups = rng.integers(0, 4000, 6000)
    folds = grouped_folds(y, groups)
    for code in np.unique(y):
        counts = np.bincount(folds[y == code], minlength=5)
        assert counts.max() - counts.min() <= 3


def test_the_seed_changes_the_folds_and_labels_may_be_text() -> None:
    y = np.repeat(["10", "40"], 50)
    groups = np.arange(100)
    assert not np.array_equal(grouped_folds(y, groups, 5, 0), grouped_folds(y, groups, 5, 1))


def test_a_code_with_one_listing_is_somewhere() -> None:
    y = np.array([0] * 20 + [1])
    assert grouped_folds(y, np.arange(21), 5).shape == (21,)
    assert not grouped_holdout(y, np.arange(21), 0.2)[-1]


@given(problems(), st.sampled_from([0.1, 0.2, 0.5]))
def test_holdout_keeps_groups_together(problem: tuple[np.ndarray, np.ndarray, int], share: float) -> None:
    y, groups, _ = problem
    held = grouped_holdout(y, groups, share)
    assert held.dtype == np.bool_
    assert not held.all()
    for group in np.unique(groups):
        assert len(np.unique(held[groups == group])) == 1


def test_holdout_takes_its_share_of_each_code() -> None:
    y = np.repeat([0, 1, 2], [1000, 100, 20])
    held = grouped_holdout(y, np.arange(len(y)), 0.15)
    assert [int(held[y == code].sum()) for code in range(3)] == [150, 15, 3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: grouped_folds([0, 1], [0, 1], 1), "1 folds are too few to cross-validate. Take at least 2"),
        (
            lambda: grouped_folds([0, 1, 1], [0, 1, 1], 3),
            "3 folds need at least 3 listings that are no duplicates of each other; there are 2. "
            "Take fewer folds, or give more listings",
        ),
        (
            lambda: grouped_folds([0, 1], [0, 1, 2], 2),
            "Codes and groups do not fit together: their shapes are (2,) and (3,). "
            "Give one of each for every listing",
        ),
        (lambda: grouped_folds([], [], 2), "There are no listings to split. Give some"),
        (
            lambda: grouped_holdout([0], [0], 1.0),
            "A share of 1.0 cannot be held out. Give one between 0 and 1",
        ),
    ],
)
def test_what_cannot_be_split(call: object, message: str) -> None:
    with pytest.raises(TrainingError) as caught:
        call()  # type: ignore[operator]
    assert str(caught.value) == message
