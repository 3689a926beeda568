"""The gate lets better challengers through, and stops the others for the right reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import f1_score

from rayon.errors import RayonError
from rayon.learning.gate import GateThresholds, GoldenScores, Verdict, judge
from rayon.learning.paired_tests import holm, loss_p_values, permutation_test

N, K = 2000, 10
CODES = [str(code) for code in range(K)]
Ints = NDArray[np.int64]


def labels(seed: int = 0) -> Ints:
    return np.random.default_rng(seed).integers(K, size=N)


def answers(y: Ints, accuracy: float, seed: int) -> Ints:
    rng = np.random.default_rng(seed)
    wrong = (y + rng.integers(1, K, size=len(y))) % K
    return np.where(rng.random(len(y)) < accuracy, y, wrong)


def scores(predicted: Ints, confidence: float = 0.9, promise: float = 0.85) -> GoldenScores:
    proba = np.full((len(predicted), K), (1 - confidence) / (K - 1))
    proba[np.arange(len(predicted)), predicted] = confidence
    return GoldenScores(proba, np.ones(len(predicted), dtype=bool), promise)


def failed(verdict: Verdict) -> list[str]:
    return [check.name for check in verdict.checks if not check.passed]


def test_a_better_challenger_passes() -> None:
    y = labels()
    champion = answers(y, 0.9, 1)
    challenger = champion.copy()
    challenger[np.flatnonzero(champion != y)[:60]] = y[champion != y][:60]
    verdict = judge(y, scores(champion), scores(challenger, confidence=0.93), CODES)
    assert verdict.passed
    better = verdict.checks[0]
    assert better.figures["differ"] == 60
    assert better.figures["gain"] == pytest.approx(
        f1_score(y, challenger, average="weighted") - f1_score(y, champion, average="weighted")
    )
    assert better.reason.startswith("The challenger is better: weighted F1 +0.03")
    assert verdict.to_dict()["passed"] is True


@pytest.mark.parametrize(
    ("sabotage", "reasons"),
    [
        ("nothing", ["better"]),
        ("worse", ["better"]),
        ("shuffled", ["better", "codes", "promise", "confidence"]),
        ("dropped", ["better", "codes"]),
        ("boastful", ["confidence"]),
        ("promises", ["promise"]),
    ],
)
def test_a_sabotaged_challenger_is_stopped_for_the_right_reason(sabotage: str, reasons: list[str]) -> None:
    y = labels()
    champion = answers(y, 0.9, 1)
    better = champion.copy()
    better[np.flatnonzero(champion != y)[:80]] = y[champion != y][:80]
    challenger = scores(better, 0.94)
    if sabotage == "nothing":
        challenger = scores(champion)
    elif sabotage == "worse":
        challenger = scores(answers(y, 0.89, 2), 0.89)
    elif sabotage == "shuffled":
        challenger = scores(np.random.default_rng(3).permutation(better), 0.94)
    elif sabotage == "dropped":
        challenger = scores(np.where(better == 3, 4, better), 0.86)
    elif sabotage == "boastful":
        challenger = scores(better, 0.9999)
    elif sabotage == "promises":
        challenger = scores(better, 0.94, promise=0.97)
    verdict = judge(y, scores(champion), challenger, CODES)
    assert failed(verdict) == reasons
    if sabotage == "dropped":
        (one,) = verdict.checks[1].figures["blocking"]
        assert one["code"] == "3"
        assert verdict.checks[1].reason.startswith("More than 5% of the listings is lost in 1 codes: 3 (")


def test_a_code_with_few_listings_blocks_nobody() -> None:
    y = np.concatenate([labels(), np.full(49, K)])
    codes = [*CODES, "rare"]
    champion = np.concatenate([answers(labels(), 0.9, 1), np.full(49, K)])
    challenger = champion.copy()
    challenger[:N] = np.where(np.arange(N) < 1500, y[:N], champion[:N])
    challenger[y == K] = 0

    def wide(predicted: Ints) -> GoldenScores:
        proba = np.full((len(y), K + 1), 0.01)
        proba[np.arange(len(y)), predicted] = 0.9
        return GoldenScores(proba, np.zeros(len(y), dtype=bool), 0.9)

    verdict = judge(y, wide(champion), wide(challenger), codes)
    assert "codes" not in failed(verdict)
    strict = GateThresholds(min_code_listings=49)
    assert "codes" in failed(judge(y, wide(champion), wide(challenger), codes, strict))


def test_equal_challengers_are_let_through_as_rarely_as_is_said() -> None:
    y = labels()
    p_values = []
    for seed in range(200):
        first, second = answers(y, 0.9, 2 * seed), answers(y, 0.9, 2 * seed + 1)
        p_values.append(permutation_test(y, first, second, K, permutations=499, seed=seed)[1])
    # Uniform: neither too many small ones, which would promote by chance, nor too few.
    assert stats.kstest(p_values, "uniform").pvalue > 0.001
    assert sum(p <= 0.05 for p in p_values) <= 20


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 60))
def test_the_difference_is_that_of_scikit_learn(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    y, first, second = (rng.integers(4, size=n) for _ in range(3))
    gain, p_value = permutation_test(y, first, second, 4, permutations=99, seed=seed)
    expected = [f1_score(y, one, average="weighted", zero_division=0) for one in (first, second)]
    assert gain == pytest.approx(expected[1] - expected[0], abs=1e-12)
    assert 0.01 <= p_value <= 1
    if (first == second).all():
        assert p_value == 1
    # Who is compared with whom does not matter but for the sign.
    assert permutation_test(y, second, first, 4, permutations=99, seed=seed)[0] == pytest.approx(-gain)


def test_the_loss_of_a_code() -> None:
    n = np.array([100, 100, 100, 1000, 50])
    lost = np.array([0, 5, 20, 60, 50])
    gained = np.array([0, 0, 1, 0, 0])
    p_values = loss_p_values(n, lost, gained, 0.05)
    assert p_values[0] > 0.9
    assert p_values[1] == pytest.approx(0.5)  # exactly what may be lost
    assert p_values[2] < 0.001
    assert 0.01 < p_values[3] < 0.2
    assert p_values[4] < 1e-10


def test_the_level_of_the_test_of_a_code() -> None:
    rng = np.random.default_rng(0)
    n, trials = 80, 4000
    # Five points are lost on balance: 8 % only the champion gets right, 3 % only the challenger.
    drawn = rng.multinomial(n, [0.08, 0.03, 0.89], size=trials)
    p_values = loss_p_values(np.full(trials, n), drawn[:, 0], drawn[:, 1], 0.05)
    assert 0.03 < (p_values <= 0.05).mean() < 0.065


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]
    assert len(holm(np.array([]))) == 0


def test_what_cannot_be_compared() -> None:
    y = labels()
    with pytest.raises(RayonError, match=r"Scores of the shapes \(2000, 10\) and \(2000, 10\) cannot be"):
        judge(y, scores(y), scores(y), CODES[:-1])
    with pytest.raises(RayonError, match="cannot be compared on 0 listings"):
        judge(y[:0], scores(y[:0]), scores(y[:0]), CODES)


def test_a_challenger_that_is_better_than_it_says_does_no_harm() -> None:
    y = labels()
    champion = answers(y, 0.9, 1)
    better = champion.copy()
    better[np.flatnonzero(champion != y)[:150]] = y[champion != y][:150]
    assert judge(y, scores(champion), scores(better, 0.9), CODES).passed


def test_a_verdict_at_another_level_is_the_one_that_would_have_been_given() -> None:
    y = labels()
    champion = answers(y, 0.9, 1)
    challenger = champion.copy()
    challenger[np.flatnonzero(champion != y)[:12]] = y[champion != y][:12]
    lost = np.flatnonzero(champion == y)[:3]
    challenger[lost] = (y[lost] + 1) % K
    found = judge(y, scores(champion), scores(challenger), CODES)
    p_value = found.checks[0].figures["p_value"]
    assert 0.0034 < p_value < 0.0304
    assert found.passed
    assert found.at_level(0.0304).passed
    low = found.at_level(0.0034)
    assert not low.passed
    assert low == judge(y, scores(champion), scores(challenger), CODES, GateThresholds(alpha=0.0034))
    gain = low.checks[0].figures["gain"]
    assert low.checks[0].reason == (
        f"The challenger is not shown to be better: weighted F1 {gain:+.4f} on 2,000 listings, of"
        f" which 15 are answered differently (p = {p_value:.3g}, at most 0.0034 is asked for)"
    )


def test_however_low_the_level_is_a_much_better_challenger_can_pass() -> None:
    y = labels()
    champion = answers(y, 0.9, 1)
    challenger = champion.copy()
    challenger[np.flatnonzero(champion != y)[:60]] = y[champion != y][:60]
    strict = GateThresholds(alpha=3e-5)  # below what 9,999 permutations can show
    assert judge(y, scores(champion), scores(challenger, 0.93), CODES, strict).passed
    nothing = judge(y, scores(champion), scores(champion), CODES, strict)
    assert failed(nothing) == ["better"]
