"""Live quality judged by simulation: how often the intervals cover what is true of a window.

The predictions are those that a public model gave to 5,414 true listings. Each trial draws a window of 20,000
of them with replacement, accepts the most confident 70 %, draws an audit, and lets reviewers validate the
1,500 most uncertain of the rest besides. What is estimated from the labels is compared with what is true of
that window; "naive" takes all labels for a random sample. A made-up model of 1,000 codes, some of them very
rare, whose errors fall on the frequent ones, shows what few labels for many codes do. Run as
``python -m bench.live [--trials N]``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from bench.common import shared_data
from rayon.learning.live_estimates import LiveEstimate, estimate_live
from rayon.learning.live_sample import LiveSample
from rayon.learning.promise import promise_check
from rayon.learning.stratified import Estimate

WINDOW = 20_000
ACCEPTED = 0.7
REVIEWED = 1_500
AUDITED = (40, 150, 400)
MODELS = ("camembert_large", "resnet50")
MANY_CODES = 1_000
PROMISE_BELOW = 0.03


@dataclass(frozen=True)
class Answers:
    """What a model answered for all listings, and what is true of them."""

    y: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    n_classes: int


def measure(trials: int) -> dict[str, Any]:
    """Coverage and half-width of the intervals, by model, kind of review and expected size of the audit."""
    found: dict[str, Any] = {"trials": trials, "window": WINDOW}
    for model, answers in {**{name: _answers(name) for name in MODELS}, "many codes": _many_codes()}.items():
        for review in ("uncertain", "all", "two probabilities"):
            for audited in AUDITED:
                figures = _try(answers, audited, review, trials)
                found[f"{model}/{review}/{audited}"] = figures
                print(model, review, audited, json.dumps(figures), file=sys.stderr, flush=True)
    return found


def _answers(model: str) -> Answers:
    with np.load(shared_data("peer-probabilities", "dev.npz"), allow_pickle=False) as stored:
        y, codes = stored["y_true"], stored["codes"]
        proba = np.asarray(stored[model], dtype=np.float64)
    proba /= proba.sum(axis=1, keepdims=True)
    confidence = proba.max(axis=1)
    return Answers(
        y=(np.searchsorted(codes, y) if y.max() >= len(codes) else y).astype(np.int64),
        predicted=proba.argmax(axis=1).astype(np.int64),
        confidence=confidence,
        accepted=confidence > np.quantile(confidence, 1 - ACCEPTED),
        n_classes=len(codes),
    )


def _many_codes() -> Answers:
    """Codes after Zipf's law; where the model is unsure, it often says one of the ten most frequent."""
    rng = np.random.default_rng(0)
    n = 50_000
    share = 1 / np.arange(1, MANY_CODES + 1)
    y = rng.choice(MANY_CODES, n, p=share / share.sum())
    confidence = rng.random(n)
    accepted = confidence > 1 - ACCEPTED
    right = rng.random(n) < np.where(accepted, 0.97, 0.4)
    return Answers(y, np.where(right, y, rng.integers(10, size=n)), confidence, accepted, MANY_CODES)


def _window(answers: Answers, audited: int, review: str, rng: np.random.Generator) -> LiveSample:
    """A window with every label in it, then with those that people gave."""
    rows = rng.integers(len(answers.y), size=WINDOW)
    probability = np.full(WINDOW, audited / WINDOW)
    if review == "two probabilities":  # somebody changed the share in the middle of the window
        probability *= np.where(np.arange(WINDOW) < WINDOW // 2, 0.5, 1.5)
    return LiveSample(
        predicted=answers.predicted[rows],
        confidence=answers.confidence[rows],
        accepted=answers.accepted[rows],
        audit_probability=probability,
        drawn=rng.random(WINDOW) < probability,
        true=answers.y[rows],
    )


def _validated(window: LiveSample, review: str) -> LiveSample:
    queue = np.flatnonzero(~window.accepted)
    reviewed = queue[np.argsort(window.confidence[queue], kind="stable")]
    chosen = window.drawn.copy()
    chosen[reviewed if review == "all" else reviewed[:REVIEWED]] = True
    return replace(window, true=np.where(chosen, window.true, -1))


def _try(answers: Answers, audited: int, review: str, trials: int) -> dict[str, Any]:
    rng = np.random.default_rng(audited)
    tallies: dict[str, _Tally] = {}
    verdicts = dict.fromkeys(("kept", "broken", "too_few"), 0)
    broken_promise = dict(verdicts)
    seconds = 0.0
    for _ in range(trials):
        window = _window(answers, audited, review, rng)
        sample = _validated(window, review)
        started = time.perf_counter()
        live = estimate_live(sample, answers.n_classes)
        seconds += time.perf_counter() - started
        true = _truth(window)
        for name, figure in _figures(live).items():
            tallies.setdefault(name, _Tally()).add(figure, true[name.removeprefix("naive ")])
        _tally_codes(tallies, live, window)
        kept = true["accepted_precision"]
        for promise, counts in ((kept, verdicts), (min(kept + PROMISE_BELOW, 0.9999), broken_promise)):
            counts[promise_check(live.accepted_right, live.accepted_labelled, promise).verdict] += 1
    return {
        **{name: tally.to_dict() for name, tally in tallies.items()},
        "promise_kept": verdicts,
        f"promise_{PROMISE_BELOW:g}_too_high": broken_promise,
        "milliseconds": 1000 * seconds / trials,
    }


def _truth(window: LiveSample) -> dict[str, float]:
    right = window.right
    return {
        "accuracy": float(right.mean()),
        "weighted_f1": float(f1_score(window.true, window.predicted, average="weighted", zero_division=0)),
        "accepted_precision": float(right[window.accepted].mean()),
        "overconfidence": float((window.confidence - right).mean()),
    }


def _figures(live: LiveEstimate) -> dict[str, Estimate | None]:
    return {
        "accuracy": live.accuracy,
        "weighted_f1": live.weighted_f1,
        "accepted_precision": live.accepted_precision,
        "overconfidence": live.overconfidence,
        "naive accuracy": live.naive.accuracy,
        "naive weighted_f1": live.naive.weighted_f1,
    }


def _tally_codes(tallies: dict[str, _Tally], live: LiveEstimate, window: LiveSample) -> None:
    tally = tallies.setdefault("precision of a code", _Tally())
    size = max(code.index for code in live.codes) + 1 if live.codes else 0
    right = np.bincount(window.predicted[window.right], minlength=size)
    for code in live.codes:
        tally.add(code.precision, right[code.index] / code.listings)


class _Tally:
    def __init__(self) -> None:
        self.n = self.covered = self.estimated = self.absent = 0
        self.half_widths = self.errors = 0.0

    def add(self, figure: Estimate | None, true: float) -> None:
        if figure is None:
            self.absent += 1
            return
        self.n += 1
        self.covered += figure.low - 1e-12 <= true <= figure.high + 1e-12
        self.half_widths += (figure.high - figure.low) / 2
        if figure.estimate is not None:
            self.estimated += 1
            self.errors += figure.estimate - true

    def to_dict(self) -> dict[str, float | int]:
        n, estimated = max(self.n, 1), max(self.estimated, 1)
        return {
            "coverage": self.covered / n,
            "half_width": round(self.half_widths / n, 5),
            "bias": round(self.errors / estimated, 5),
            "absent": self.absent,
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    print(json.dumps(measure(parser.parse_args().trials), indent=1))
