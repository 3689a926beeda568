"""Fusion and the promise on the class probabilities that public models gave to 5,414 true listings.

The reference for fusion is a plain logistic stack of log-probabilities on the same folds; its penalty is the
one of a small grid with the best F1 in hindsight. The reference for the promise is one exact binomial bound
for each threshold on the confidence, the loosest that passes, which corrects for nothing.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold

from bench.common import shared_data
from rayon.learning.bounds import precision_lower_bound
from rayon.learning.calibration import expected_calibration_error, perfect_calibration_ece
from rayon.learning.decision import DecisionPolicy, acceptance_score
from rayon.learning.fusion import LateFusion

Floats: TypeAlias = NDArray[np.float64]
Probabilities: TypeAlias = dict[str, Floats]

TRIPLE = ("camembert_large", "tfidf", "convnext_base_384_v2")
"""The combination to be judged by."""
OTHERS = (
    ("camembert_large", "convnext_base_384_v2"),
    ("tfidf", "convnext_base_384_v2"),
    ("flaubert", "tfidf", "swin"),
    ("camembert", "resnet50"),
)
"""Combinations that show whether the method or the triple is good."""
SEEDS = (0, 1)
REFERENCE_C = (0.01, 0.02)
PROMISES = (0.95, 0.98, 0.99)
N_DRAWS = 200
FEW_JOINT = 38


def measure() -> dict[str, Any]:
    """All figures, JSON-ready."""
    with np.load(shared_data("peer-probabilities", "dev.npz"), allow_pickle=False) as stored:
        y = (
            np.searchsorted(stored["codes"], stored["y_true"])
            if stored["y_true"].max() > 26
            else stored["y_true"]
        )
        proba = {name: _normalised(stored[name]) for name in stored.files if name not in ("codes", "y_true")}
    y = y.astype(np.int64)
    all_fused, triple = _compare({name: proba[name] for name in TRIPLE}, y, SEEDS)
    found: dict[str, Any] = {"+".join(TRIPLE): triple}
    found["promise"] = _promises(all_fused, y)
    found["few_joint"] = _few_joint(proba["camembert_large"], proba["convnext_base_384_v2"], y)
    found["predict"] = _speed({name: proba[name] for name in TRIPLE}, y)
    for names in OTHERS:
        found["+".join(names)] = _compare({name: proba[name] for name in names}, y, SEEDS[:1])[1]
    return found


def _compare(
    proba: Probabilities, y: NDArray[np.int64], seeds: tuple[int, ...]
) -> tuple[list[Floats], dict[str, Any]]:
    """Ours and the reference on the same folds; the answer is the fused array a seed and the figures."""
    print("  " + " + ".join(proba), file=sys.stderr)
    started = time.perf_counter()
    ours = [_cross_fitted(_fuse, proba, y, seed) for seed in seeds]
    seconds = (time.perf_counter() - started) / len(seeds) / 5
    stacks = {c: [_cross_fitted(_stack(c), proba, y, seed) for seed in seeds] for c in REFERENCE_C}
    best = max(stacks, key=lambda c: np.mean([_figures(one, y)["weighted_f1"] for one in stacks[c]]))
    gains = np.concatenate(
        [_f1_gains(mine, other, y) for mine, other in zip(ours, stacks[best], strict=True)]
    )
    return ours, {
        "ours": _mean([_figures(one, y) for one in ours]),
        "reference": {"C": best, **_mean([_figures(one, y) for one in stacks[best]])},
        "perfectly_calibrated_ece_95": perfect_calibration_ece(ours[0]),
        "f1_gain": float(np.mean([_f1(a, y) - _f1(b, y) for a, b in zip(ours, stacks[best], strict=True)])),
        "f1_gain_interval_95": np.quantile(gains, [0.025, 0.975]).tolist(),
        "seconds_per_fit": seconds,
        "seeds": len(seeds),
    }


def _fuse(learn: Probabilities, y: NDArray[np.int64], predict: Probabilities) -> Floats:
    return LateFusion().fit(learn, y).predict_proba(predict)


def _stack(c: float) -> Callable[[Probabilities, NDArray[np.int64], Probabilities], Floats]:
    def stack(learn: Probabilities, y: NDArray[np.int64], predict: Probabilities) -> Floats:
        model = LogisticRegression(C=c, max_iter=2000).fit(_log_features(learn), y)
        return np.asarray(model.predict_proba(_log_features(predict)))

    return stack


def _cross_fitted(
    fit_predict: Callable[[Probabilities, NDArray[np.int64], Probabilities], Floats],
    proba: Probabilities,
    y: NDArray[np.int64],
    seed: int,
) -> Floats:
    found = np.zeros((len(y), next(iter(proba.values())).shape[1]))
    for learn, predict in StratifiedKFold(5, shuffle=True, random_state=seed).split(y, y):
        found[predict] = fit_predict(_rows(proba, learn), y[learn], _rows(proba, predict))
    return found


def _figures(proba: Floats, y: NDArray[np.int64]) -> dict[str, float]:
    right = proba.argmax(axis=1) == y
    return {
        "weighted_f1": _f1(proba, y),
        "log_loss": float(-np.log(proba[np.arange(len(y)), y]).mean()),
        "ece": expected_calibration_error(proba, y),
        "coverage_at_98": best_coverage(proba.max(axis=1), right, 0.98),
        "coverage_at_98_by_lead": best_coverage(acceptance_score(proba), right, 0.98),
    }


def best_coverage(scores: Floats, right: NDArray[np.bool_], precision: float) -> float:
    """Largest share that one threshold accepts with the precision, in hindsight."""
    precisions = np.cumsum(right[np.argsort(-scores, kind="stable")]) / np.arange(1, len(right) + 1)
    reached = np.flatnonzero(precisions >= precision)
    return float(reached[-1] + 1) / len(right) if len(reached) else 0.0


def _promises(all_fused: list[Floats], y: NDArray[np.int64]) -> dict[str, Any]:
    """Calibration halves drawn with replacement; whether the promise holds over all the data."""
    rules: dict[str, Callable[[Floats, NDArray[np.int64], NDArray[np.intp], float], NDArray[np.bool_]]] = {
        "ours": partial(_our_rule, minimum=30),
        "ours_no_minimum_per_code": partial(_our_rule, minimum=0),
        "exact_binomial": partial(_plain_bound, minimum=0),
        "exact_binomial_same_minimum": partial(_plain_bound, minimum=30),
    }
    found: dict[str, Any] = {}
    for precision in PROMISES:
        print(f"  promise of {precision}", file=sys.stderr)
        found[str(precision)] = {
            "best_in_hindsight": float(
                np.mean(
                    [best_coverage(one.max(axis=1), one.argmax(axis=1) == y, precision) for one in all_fused]
                )
            ),
            **{
                name: _mean([_draws(partial(rule, one, y), one, y, precision) for one in all_fused])
                for name, rule in rules.items()
            },
        }
    return found


def _our_rule(
    proba: Floats, y: NDArray[np.int64], rows: NDArray[np.intp], precision: float, *, minimum: int
) -> NDArray[np.bool_]:
    policy = DecisionPolicy(precision, min_code_listings=minimum)
    return policy.fit(proba[rows], y[rows]).accept(proba)


def _draws(
    rule: Callable[[NDArray[np.intp], float], NDArray[np.bool_]],
    proba: Floats,
    y: NDArray[np.int64],
    precision: float,
) -> dict[str, float]:
    right = proba.argmax(axis=1) == y
    rng = np.random.default_rng(0)
    held, coverage = [], []
    for _ in range(N_DRAWS):
        accepted = rule(rng.integers(len(right), size=len(right) // 2), precision)
        held.append(not accepted.any() or right[accepted].mean() >= precision)
        coverage.append(accepted.mean())
    return {"held": float(np.mean(held)), "coverage": float(np.mean(coverage))}


def _plain_bound(
    proba: Floats, y: NDArray[np.int64], rows: NDArray[np.intp], precision: float, *, minimum: int
) -> NDArray[np.bool_]:
    confidence, predicted = proba.max(axis=1), proba.argmax(axis=1)
    enough = np.bincount(y[rows], minlength=proba.shape[1])[predicted] >= minimum
    ranked = rows[enough[rows]]
    ranked = ranked[np.argsort(-confidence[ranked], kind="stable")]
    n_right = np.cumsum(predicted[ranked] == y[ranked])
    passing = np.flatnonzero(precision_lower_bound(n_right, np.arange(1, len(ranked) + 1)) >= precision)
    if len(passing) == 0:
        return np.zeros(len(y), dtype=bool)
    return np.asarray(enough & (confidence >= confidence[ranked[passing[-1]]]))


def _few_joint(text: Floats, image: Floats, y: NDArray[np.int64]) -> dict[str, Any]:
    """Only 38 training rows keep both modalities; judged on 2,000 rows that have both."""
    order = np.random.default_rng(0).permutation(len(y))
    test, train = order[:2000], order[2000:]
    half = FEW_JOINT + (len(train) - FEW_JOINT) // 2
    learn = {"text": text[train].copy(), "image": image[train].copy()}
    learn["text"][FEW_JOINT:half] = np.nan
    learn["image"][half:] = np.nan
    fusion = LateFusion().fit(learn, y[train])
    whole = LateFusion().fit({"text": text[train], "image": image[train]}, y[train])
    both = {"text": text[test], "image": image[test]}
    return {
        "fused": _figures(fusion.predict_proba(both), y[test]),
        "fused_all_joint": _figures(whole.predict_proba(both), y[test]),
        "text": _figures(fusion.predict_proba({"text": text[test]}), y[test]),
        "image": _figures(fusion.predict_proba({"image": image[test]}), y[test]),
    }


def _speed(proba: Probabilities, y: NDArray[np.int64]) -> dict[str, float]:
    fusion = LateFusion().fit(proba, y)
    many = {name: np.tile(array, (4, 1)) for name, array in proba.items()}
    one = {name: array[:1] for name, array in proba.items()}
    batch, single = _seconds(fusion, many, 3), _seconds(fusion, one, 200)
    return {"rows_per_second": 4 * len(y) / batch, "one_row_milliseconds": 1000 * single}


def _seconds(fusion: LateFusion, proba: Probabilities, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        fusion.predict_proba(proba)
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def _f1(proba: Floats, y: NDArray[np.int64]) -> float:
    return float(f1_score(y, proba.argmax(axis=1), average="weighted"))


def _f1_gains(ours: Floats, other: Floats, y: NDArray[np.int64], n: int = 200) -> Floats:
    """Differences of F1 over bootstrap draws of the listings."""
    rng = np.random.default_rng(0)
    draws = (rng.integers(len(y), size=len(y)) for _ in range(n))
    return np.array([_f1(ours[rows], y[rows]) - _f1(other[rows], y[rows]) for rows in draws])


def _mean(figures: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([one[key] for one in figures])) for key in figures[0]}


def _rows(proba: Mapping[str, Floats], rows: NDArray[np.intp]) -> Probabilities:
    return {name: array[rows] for name, array in proba.items()}


def _log_features(proba: Probabilities) -> Floats:
    return np.hstack([np.log(np.maximum(array, 1e-6)) for array in proba.values()])


def _normalised(stored: NDArray[np.float16]) -> Floats:
    proba = stored.astype(np.float64)
    return np.asarray(proba / proba.sum(axis=1, keepdims=True))


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
