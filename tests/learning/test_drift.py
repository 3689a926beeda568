"""Drift alarms where something has changed by enough, and rarely where nothing has."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from rayon.errors import RayonError
from rayon.learning.drift import DriftReport, DriftThresholds, Pairs, compare, judge_drift, pair_signals
from rayon.learning.histograms import Histogram, SignalCounts

SHARES = np.array([0.5, 0.3, 0.15, 0.04, 0.01])
COUNTS = st.lists(st.integers(0, 500), min_size=5, max_size=5)


def histogram(counts: NDArray[np.int64] | list[int]) -> Histogram:
    return Histogram(tuple("abcdefghij"[: len(counts)]), np.array(counts, dtype=np.int64))


def drawn(n: int, rng: np.random.Generator, shares: NDArray[np.float64] = SHARES) -> Histogram:
    return histogram(rng.multinomial(n, shares))


def verdicts(report: DriftReport) -> list[str]:
    return [one.verdict for one in report.signals]


def test_the_figures_are_those_of_their_formulas() -> None:
    found = compare(histogram([500, 300, 200]), histogram([300, 300, 400]))
    p, q = (np.array(counts) + 0.5 for counts in ([500, 300, 200], [300, 300, 400]))
    p, q = p / p.sum(), q / q.sum()
    assert found.psi == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert found.by_chance == pytest.approx(2 * (1 / 1000 + 1 / 1000))
    middle = np.array([0.4, 0.3, 0.3])
    divergence = np.mean([stats.entropy(one, middle, base=2) for one in ([0.5, 0.3, 0.2], [0.3, 0.3, 0.4])])
    assert found.js == pytest.approx(np.sqrt(divergence))
    # Homogeneity of two equally large samples: the expected counts are the means of both.
    statistic = 2 * (100**2 / 400 + 100**2 / 300)
    assert found.p_value == pytest.approx(stats.chi2.sf(statistic, 2))


@settings(max_examples=200)
@given(COUNTS, COUNTS)
def test_the_figures_are_in_bounds_and_symmetric(before: list[int], now: list[int]) -> None:
    first, second = histogram(before), histogram(now)
    if not first.n or not second.n:
        with pytest.raises(RayonError, match=r"^A histogram without listings cannot be compared\. "):
            compare(first, second)
        return
    found, mirrored = compare(first, second), compare(second, first)
    assert 0 <= found.psi < np.inf
    assert 0 <= found.js <= 1
    assert 0 <= found.p_value <= 1
    assert (found.psi, found.js, found.p_value) == pytest.approx(
        (mirrored.psi, mirrored.js, mirrored.p_value)
    )
    same = compare(first, first)
    assert (same.psi, same.js, same.p_value) == pytest.approx((0, 0, 1))


def test_cells_with_few_expected_listings_are_pooled() -> None:
    # 1 + 2 + 1 listings of 800 in the last three cells: 2 expected, pooled with the one before.
    few = compare(histogram([200, 196, 1, 2, 1]), histogram([210, 190, 0, 0, 0]))
    assert few.p_value == pytest.approx(compare(histogram([200, 200]), histogram([210, 190])).p_value)
    # At the front they are pooled with those behind, and enough of them stay a cell.
    front = compare(histogram([2, 1, 3, 194, 200]), histogram([3, 2, 4, 191, 200]))
    pooled = compare(histogram([6, 194, 200]), histogram([9, 191, 200]))
    assert front.p_value == pytest.approx(pooled.p_value)
    nothing_left = compare(histogram([3, 0]), histogram([0, 4]))
    assert (nothing_left.psi, nothing_left.js, nothing_left.p_value) == (0, 0, 1)


def test_p_values_are_uniform_where_nothing_has_changed() -> None:
    rng = np.random.default_rng(0)
    p_values = [compare(drawn(4000, rng), drawn(700, rng)).p_value for _ in range(600)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_what_chance_gives_to_the_stability_index_is_known() -> None:
    rng = np.random.default_rng(1)
    found = [compare(drawn(4000, rng), drawn(1000, rng)) for _ in range(400)]
    assert np.mean([one.psi for one in found]) == pytest.approx(found[0].by_chance, rel=0.15)


def a_report(rng: np.random.Generator, changed: NDArray[np.float64] = SHARES, n: int = 1000) -> DriftReport:
    references = {
        against: SignalCounts({f"signal {number}": drawn(size, rng) for number in range(6)})
        for against, size in (("training", 8000), ("last month", 1000))
    }
    live = {f"signal {number}": drawn(n, rng, changed if number == 2 else SHARES) for number in range(6)}
    return judge_drift(pair_signals(SignalCounts(live), references))


def test_a_report_in_which_nothing_has_changed_rarely_alarms() -> None:
    rng = np.random.default_rng(2)
    alarms = sum(bool(a_report(rng).drifted) for _ in range(400))
    # One test at 5 % for each of the 12 comparisons would alarm in about 180.
    assert alarms <= 30


def test_a_twentieth_of_new_listings_in_the_tail_is_seen() -> None:
    rng = np.random.default_rng(3)
    new = 0.95 * SHARES + 0.05 * np.array([0, 0, 0.1, 0.4, 0.5])
    found = [a_report(rng, new, 2000).drifted for _ in range(50)]
    assert sum(bool(one) for one in found) >= 48
    assert {one.name for drifted in found for one in drifted if one.against == "training"} >= {"signal 2"}


def test_a_change_that_is_small_is_no_alarm_however_sure_it_is() -> None:
    pairs: Pairs = {("training", "novelty"): (histogram([50_000, 50_000]), histogram([49_000, 51_000]))}
    (one,) = judge_drift(pairs).signals
    assert one.comparison is not None
    assert one.comparison.p_value < 1e-4
    assert one.verdict == "stable"
    strict = DriftThresholds(text_psi=0.0001)
    assert verdicts(judge_drift(pairs, strict)) == ["drift"]


def test_a_change_that_chance_explains_is_no_alarm_however_large() -> None:
    pairs: Pairs = {("training", "novelty"): (histogram([200, 200]), histogram([112, 88]))}
    (one,) = judge_drift(pairs).signals
    assert one.comparison is not None
    assert one.comparison.psi - one.comparison.by_chance > one.threshold
    assert one.verdict == "stable"


def test_p_values_are_corrected_over_all_signals_and_references() -> None:
    report = a_report(np.random.default_rng(4), np.array([0.44, 0.3, 0.18, 0.06, 0.02]))
    found = sorted((one.comparison.p_value, one.adjusted_p) for one in report.signals if one.comparison)
    assert len(found) == 12
    (first, adjusted_first), (second, adjusted_second) = found[:2]
    assert second < 1 / 12
    assert adjusted_first == pytest.approx(12 * first)
    assert adjusted_second == pytest.approx(max(12 * first, 11 * second))


def test_too_little_data_says_how_much_is_missing_and_costs_the_others_nothing() -> None:
    changed = histogram([300, 100]), histogram([100, 300])
    pairs: Pairs = {
        ("training", "codes"): changed,
        ("training", "language"): (histogram([300, 100]), histogram([0, 150])),
        ("last month", "codes"): (histogram([0, 0]), histogram([100, 300])),
    }
    report = judge_drift(pairs)
    assert verdicts(report) == ["drift", "too_few", "too_few"]
    assert [one.needed for one in report.signals] == [0, 50, 200]
    assert report.signals[0].adjusted_p == compare(*changed).p_value
    assert [one.adjusted_p for one in report.signals[1:]] == [None, None]
    assert verdicts(judge_drift(pairs, DriftThresholds(min_listings=100))) == ["drift", "drift", "too_few"]


def test_a_report_on_nothing_is_no_drift() -> None:
    assert judge_drift({}).to_dict() == {"drift": False, "signals": []}
    too_few: Pairs = {("training", "codes"): (histogram([0]), histogram([0]))}
    (one,) = judge_drift(too_few).to_dict()["signals"]
    assert (one["verdict"], one["needed"], one["psi"]) == ("too_few", 200, None)
    assert one["bins"] == [{"label": "a", "reference": 0.0, "live": 0.0}]


def test_the_report_is_json_with_the_shares_of_each_bin() -> None:
    pairs: Pairs = {("training", "confidence"): (histogram([300, 100]), histogram([100, 300]))}
    document = json.loads(json.dumps(judge_drift(pairs).to_dict(), allow_nan=False))
    assert document["drift"] is True
    (one,) = document["signals"]
    found = compare(*pairs["training", "confidence"])
    assert one == {
        "against": "training",
        "name": "confidence",
        "n_reference": 400,
        "n_live": 400,
        "psi": found.psi,
        "psi_by_chance": found.by_chance,
        "js": found.js,
        "p_value": found.p_value,
        "adjusted_p": found.p_value,
        "threshold": 0.02,
        "verdict": "drift",
        "needed": 0,
        "bins": [
            {"label": "a", "reference": 0.75, "live": 0.25},
            {"label": "b", "reference": 0.25, "live": 0.75},
        ],
    }


def test_each_kind_of_signal_has_its_threshold() -> None:
    asked = DriftThresholds(text_psi=1, picture_psi=2, codes_psi=3, confidence_psi=4)
    names = ["novelty", "parts", "brightness", "codes", "doubtful_codes", "confidence"]
    assert [asked.least_psi(name) for name in names] == [1, 1, 2, 3, 3, 4]


def test_signals_that_only_one_side_has_are_left_out() -> None:
    live = SignalCounts({"codes": histogram([1]), "novelty": histogram([2])})
    reference = SignalCounts({"novelty": histogram([3]), "brightness": histogram([4])})
    assert list(pair_signals(live, {"training": reference})) == [("training", "novelty")]


def test_different_bins_are_refused() -> None:
    with pytest.raises(RayonError) as caught:
        compare(Histogram(("a", "b", "c", "d"), np.array([1, 1, 1, 1])), Histogram(("a",), np.array([1])))
    assert caught.value.message == "Histograms with the bins a, b, c, … and a cannot be compared"
    assert caught.value.hint == "Measure both with the same reference"
