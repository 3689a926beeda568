"""Curves over confidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayon.learning.curves import CoveragePoint, coverage_curve, reliability_curve

scored = st.lists(
    st.tuples(st.integers(0, 20).map(lambda twentieth: twentieth / 20), st.booleans()), max_size=60
)


@given(scored)
def test_reliability_bins_share_out_all_listings(rows):
    confidence, right = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows], bool)

    bins = reliability_curve(confidence, right, n_bins=10)

    assert sum(one.n for one in bins) == len(rows)
    assert sum(one.n * one.accuracy for one in bins) == pytest.approx(right.sum())
    assert all(one.low - 1e-9 <= one.confidence <= one.high + 1e-9 for one in bins)


@given(scored)
def test_every_point_of_the_coverage_curve_is_what_its_threshold_gives(rows):
    confidence, right = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows], bool)

    points = coverage_curve(confidence, right)

    for point in points:
        accepted = confidence >= point.threshold
        assert point.coverage == pytest.approx(accepted.mean())
        assert point.precision == pytest.approx(right[accepted].mean())
    assert len(points) == len(set(confidence))


def test_long_curves_keep_their_ends():
    confidence = np.linspace(0, 1, 1001)

    points = coverage_curve(confidence, confidence > 0.5, max_points=50)

    assert len(points) == 50
    assert points[0] == CoveragePoint(1.0, 1 / 1001, 1.0)
    assert points[-1].threshold == 0
    assert points[-1].coverage == 1
