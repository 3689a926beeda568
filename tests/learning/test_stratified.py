"""Intervals of shares in strata: what they reduce to, and how often they cover."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rayon.learning.bootstrap import exact_interval
from rayon.learning.stratified import Stratum, exact_bounds, stratified_bounds


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.99))
def test_exact_bounds_are_those_of_scipy(counts: tuple[int, int], confidence: float) -> None:
    low, high = exact_bounds(*counts, confidence)

    assert (float(low), float(high)) == pytest.approx(exact_interval(*counts, confidence), abs=1e-9)


def test_exact_bounds_broadcast_and_know_nothing_of_nothing() -> None:
    low, high = exact_bounds([0, 3], [0, 4], [0.9, 0.95])

    assert (low[0], high[0]) == (0, 1)
    assert (low[1], high[1]) == pytest.approx(exact_interval(3, 4))


def test_one_sampled_stratum_has_the_exact_interval() -> None:
    assert stratified_bounds([Stratum(1000, 40, 37)]) == pytest.approx(exact_interval(37, 40), abs=1e-12)


def test_what_is_known_has_no_interval() -> None:
    assert stratified_bounds([Stratum(20, 20, 14), Stratum(10, 10, 10)]) == (0.8, 0.8)


def test_what_is_known_leaves_only_the_rest_uncertain() -> None:
    low, high = exact_interval(37, 40)

    bounds = stratified_bounds([Stratum(750, 40, 37), Stratum(250, 250, 100)])

    assert bounds == pytest.approx((0.1 + 0.75 * low, 0.1 + 0.75 * high), abs=1e-12)


def test_a_stratum_without_a_label_may_be_anything() -> None:
    low, high = exact_interval(37, 40)

    bounds = stratified_bounds([Stratum(750, 40, 37), Stratum(250, 0, 0)])

    assert bounds == pytest.approx((0.75 * low, 0.25 + 0.75 * high), abs=1e-12)


@given(
    st.lists(
        st.tuples(st.integers(1, 5000), st.integers(1, 80), st.floats(0, 1)),
        min_size=2,
        max_size=5,
    )
)
def test_the_quantiles_are_those_of_the_sum_of_beta_variables(rows: list[tuple[int, int, float]]) -> None:
    strata = [Stratum(n + labelled, labelled, round(share * labelled)) for n, labelled, share in rows]
    total = sum(one.listings for one in strata)
    rng = np.random.default_rng(0)
    drawn = np.zeros((2, 20_000))
    for one in strata:
        wrong = one.labelled - one.right
        weight = one.listings / total
        drawn[0] += weight * (rng.beta(one.right, wrong + 1, 20_000) if one.right else 0.0)
        drawn[1] += weight * (rng.beta(one.right + 1, wrong, 20_000) if wrong else 1.0)

    low, high = stratified_bounds(strata)

    assert low == pytest.approx(np.quantile(drawn[0], 0.025), abs=0.015)
    assert high == pytest.approx(np.quantile(drawn[1], 0.975), abs=0.015)
    assert 0 <= low <= sum(one.listings * one.right / one.labelled for one in strata) / total <= high <= 1


def test_the_interval_covers_as_often_as_it_says_whatever_is_true() -> None:
    n, weights = (14, 9), np.array([0.7, 0.3])
    cells = list(itertools.product(range(n[0] + 1), range(n[1] + 1)))
    bounds = np.array([stratified_bounds([Stratum(7000, n[0], x), Stratum(3000, n[1], y)]) for x, y in cells])
    first, second = np.array(cells).T
    covered = []
    for p in itertools.product((0.02, 0.3, 0.5, 0.8, 0.9, 0.97, 0.995), repeat=2):
        chance = stats.binom.pmf(first, n[0], p[0]) * stats.binom.pmf(second, n[1], p[1])
        inside = (bounds[:, 0] <= weights @ p) & (weights @ p <= bounds[:, 1])
        covered.append(chance[inside].sum())

    assert min(covered) >= 0.95


def test_strata_alike_are_hardly_worse_than_one() -> None:
    low, high = stratified_bounds([Stratum(500, 200, 180), Stratum(500, 200, 180)])
    one_low, one_high = exact_interval(360, 400)

    assert high - low == pytest.approx(one_high - one_low, rel=0.1)


def test_more_confidence_is_wider() -> None:
    strata = [Stratum(700, 50, 48), Stratum(300, 20, 12)]

    (low, high), (lower, higher) = (stratified_bounds(strata, level) for level in (0.9, 0.99))

    assert lower < low < high < higher
