"""The gate judged by simulation: how often it promotes an equal challenger, and how often a better one.

Champion and challengers are made of the class probabilities that public models gave to 5,414 true listings.
A challenger answers like the champion, but for a share of the listings, where it answers like another model;
which listings these are is chosen so that its weighted F1 over all 5,414 differs by as much as is wanted.
Each trial draws 2,000 golden listings with replacement. They are judged at the level of the first question of
a spell, and some at that of the third; and ten equal challengers one after the other against one champion.
Run as ``python -m bench.gate [--trials N]``.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from bench.common import shared_data
from rayon.learning.decision import DecisionPolicy
from rayon.learning.gate import GateThresholds, GoldenScores, judge
from rayon.learning.spending import level_of

Floats: TypeAlias = NDArray[np.float64]
GOLDEN = 2_000
GAINS = (0.0, 0.005, 0.01, 0.015, 0.02)
SHARES = (0.03, 0.05, 0.10)
TURNS, LATER = 10, 3
PROMISE = 0.95
CHAMPION, OTHER = "tfidf", "camembert_large"


def measure(trials: int) -> dict[str, Any]:
    """How many of the trials the gate let through, by gain and by share of listings answered differently."""
    with np.load(shared_data("peer-probabilities", "dev.npz"), allow_pickle=False) as stored:
        codes = [str(code) for code in stored["codes"]]
        y = stored["y_true"]
        y = (np.searchsorted(stored["codes"], y) if y.max() > 26 else y).astype(np.int64)
        champion, other = (_normalised(stored[name]) for name in (CHAMPION, OTHER))
    found: dict[str, Any] = {"trials": trials, "golden": GOLDEN}
    for share in SHARES:
        for gain in GAINS:
            made = _challenger(y, champion, other, share, gain)
            if made is None:
                continue
            challenger, differ = made
            figures = _try(y, champion, challenger, codes, trials)
            figures["gain"] = _f1(y, challenger) - _f1(y, champion)
            figures["differ"] = differ
            if share == SHARES[-1]:
                later = _try(y, champion, challenger, codes, trials, LATER)
                figures[f"promoted_at_turn_{LATER}"] = later["promoted"]
            found[f"{share:g}/{gain:g}"] = figures
            print(share, gain, figures, file=sys.stderr, flush=True)
    for share in SHARES:
        let_through = _one_after_the_other(y, champion, other, codes, share, trials)
        found[f"{share:g}/in a row"] = let_through
        print(share, "in a row", let_through, file=sys.stderr, flush=True)
    return found


def _challenger(
    y: NDArray[np.int64], champion: Floats, other: Floats, share: float, gain: float, seed: int = 0
) -> tuple[Floats, float] | None:
    """A challenger of the wanted gain, and the share of listings that it answers differently."""
    rng = np.random.default_rng([int(share * 1000), seed] if seed else int(share * 1000))
    first, second = champion.argmax(axis=1), other.argmax(axis=1)
    gained, lost, neither = (
        rng.permutation(np.flatnonzero(mask))
        for mask in (
            (first != y) & (second == y),
            (first == y) & (second != y),
            (first != y) & (second != y) & (first != second),
        )
    )
    total = int(share * len(y))
    n_neither = min(len(neither), total // 5)
    low, high = 0, min(len(gained), total - n_neither)
    for _ in range(20):  # the gain grows with the listings that are won
        middle = (low + high) // 2
        taken = np.concatenate([gained[:middle], lost[: total - n_neither - middle], neither[:n_neither]])
        made = champion.copy()
        made[taken] = other[taken]
        if _f1(y, made) - _f1(y, champion) < gain:
            low = middle
        else:
            high = middle
    reached = _f1(y, made) - _f1(y, champion)
    return (made, len(taken) / len(y)) if abs(reached - gain) < 0.0005 else None


def _try(
    y: NDArray[np.int64],
    champion: Floats,
    challenger: Floats,
    codes: list[str],
    trials: int,
    turn: int = 1,
) -> dict[str, Any]:
    asked = GateThresholds(alpha=level_of(turn))
    accepted = [_accepted(proba, y) for proba in (champion, challenger)]
    rng = np.random.default_rng(0)
    passed, blocked = 0, dict.fromkeys(("better", "codes", "promise", "confidence"), 0)
    for trial in range(trials):
        drawn = rng.integers(len(y), size=GOLDEN)
        verdict = judge(
            y[drawn],
            GoldenScores(champion[drawn], accepted[0][drawn], PROMISE),
            GoldenScores(challenger[drawn], accepted[1][drawn], PROMISE),
            codes,
            asked,
            seed=trial,
        )
        passed += verdict.passed
        for check in verdict.checks:
            blocked[check.name] += not check.passed
    return {"promoted": passed, "blocked_by": blocked}


def _one_after_the_other(
    y: NDArray[np.int64], champion: Floats, other: Floats, codes: list[str], share: float, trials: int
) -> dict[str, Any]:
    """How often any of several equal challengers passes, each judged at the level of its turn."""
    made = [_challenger(y, champion, other, share, 0.0, seed) for seed in range(TURNS)]
    challengers = [one[0] for one in made if one is not None]
    accepted = [_accepted(proba, y) for proba in (champion, *challengers)]
    rng = np.random.default_rng(0)
    any_passed, first_passed = 0, 0
    for trial in range(trials):
        drawn = rng.integers(len(y), size=GOLDEN)
        for turn, challenger in enumerate(challengers, start=1):
            verdict = judge(
                y[drawn],
                GoldenScores(champion[drawn], accepted[0][drawn], PROMISE),
                GoldenScores(challenger[drawn], accepted[turn][drawn], PROMISE),
                codes,
                GateThresholds(alpha=level_of(turn)),
                seed=trial,
            )
            if verdict.passed:
                any_passed += 1
                first_passed += turn == 1
                break
    return {"challengers": len(challengers), "any_promoted": any_passed, "the_first": first_passed}


def _accepted(proba: Floats, y: NDArray[np.int64]) -> NDArray[np.bool_]:
    return DecisionPolicy(precision=PROMISE).fit(proba, y).accept(proba)


def _f1(y: NDArray[np.int64], proba: Floats) -> float:
    return float(f1_score(y, proba.argmax(axis=1), average="weighted"))


def _normalised(proba: NDArray[Any]) -> Floats:
    scores = np.asarray(proba, dtype=np.float64)
    normalised: Floats = scores / scores.sum(axis=1, keepdims=True)
    return normalised


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    print(json.dumps(measure(parser.parse_args().trials), indent=1))
