"""A promised precision is called broken, kept, or not to be told yet."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rayon.errors import RayonError
from rayon.learning.promise import PromiseThresholds, promise_check


def test_too_few_wrong_ones_to_call_it_broken() -> None:
    check = promise_check(294, 300, 0.98)

    assert (check.verdict, check.needed) == ("kept", 0)
    assert check.p_value == pytest.approx(stats.binom.cdf(294, 300, 0.98))


def test_more_errors_than_chance_would_make() -> None:
    assert promise_check(288, 300, 0.98).verdict == "broken"
    assert promise_check(289, 300, 0.98).verdict == "broken"
    assert promise_check(290, 300, 0.98).verdict == "kept"


def test_a_promise_can_be_broken_before_there_are_enough_to_call_it_kept() -> None:
    check = promise_check(15, 20, 0.98)

    assert check.verdict == "broken"
    assert check.needed > 0


def test_nothing_audited_says_nothing() -> None:
    check = promise_check(0, 0, 0.98)

    assert (check.verdict, check.p_value) == ("too_few", 1.0)
    assert json.loads(json.dumps(check.to_dict())) == {
        "verdict": "too_few",
        "n_right": 0,
        "n": 0,
        "promise": 0.98,
        "p_value": 1.0,
        "needed": check.needed,
    }


@pytest.mark.parametrize("promise", [0.6, 0.9, 0.95, 0.98, 0.999])
@pytest.mark.parametrize("margin", [0.03, 0.1])
def test_what_is_needed_is_enough_to_see_a_clearly_lower_precision(promise: float, margin: float) -> None:
    asked = PromiseThresholds(margin=margin)
    needed = promise_check(0, 0, promise, asked).needed

    def power(n: int) -> float:
        most = max(right for right in range(-1, n) if stats.binom.cdf(right, n, promise) <= asked.alpha)
        return float(stats.binom.cdf(most, n, promise - margin))

    assert power(needed) >= asked.power > power(needed - 1)
    assert promise_check(needed, needed, promise, asked).verdict == "kept"
    assert promise_check(needed - 1, needed - 1, promise, asked).needed == 1


@given(st.integers(0, 400), st.floats(0.3, 0.999))
def test_a_kept_promise_is_rarely_called_broken(n: int, promise: float) -> None:
    broken = [right for right in range(n + 1) if promise_check(right, n, promise).verdict == "broken"]

    assert broken == list(range(len(broken)))
    assert stats.binom.cdf(len(broken) - 1, n, promise) <= 0.05 + 1e-12


def test_what_makes_no_sense() -> None:
    with pytest.raises(RayonError) as caught:
        promise_check(5, 4, 0.98)
    assert str(caught.value) == "5 of 4 listings cannot be right. Give how many were right, of how many"
    with pytest.raises(RayonError) as caught:
        promise_check(4, 5, 1.0)
    assert str(caught.value) == ("A precision of 1 cannot be tested. Promise more than 0 and less than 1")
    with pytest.raises(RayonError) as caught:
        promise_check(4, 5, 0.98, PromiseThresholds(margin=0.0))
    assert str(caught.value) == (
        "No number of listings shows a precision of 0.98 to be below 0.98. "
        "Ask for a larger margin or less power"
    )
