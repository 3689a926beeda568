"""Text on rakuten-en: quality and speed against TF-IDF + LinearSVC, all in one run.

Run as ``python -m bench.text [--quick]`` from the repository's root.
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from bench.common import shared_data
from bench.text_reference import fit_reference
from rayon.data.listings import Listing
from rayon.encoders.text import NgramEncoder
from rayon.learning.text_head import TextHead

QUICK_ROWS = 6000
SINGLE_CALLS = 300


class OurText:
    """Encoder and head, from titles to codes, as the product classifier uses them."""

    def __init__(self) -> None:
        self.encoder = NgramEncoder()
        self.head = TextHead()

    def fit(self, titles: list[str], y: list[str]) -> OurText:
        """Learn from titles and codes."""
        self.codes = sorted(set(y))
        index = {code: i for i, code in enumerate(self.codes)}
        features = self.encoder.encode([Listing(title) for title in titles])
        self.head.fit(features, np.array([index[code] for code in y]), len(self.codes))
        return self

    def predict_proba(self, titles: list[str]) -> NDArray[np.float32]:
        """Class probabilities `float32[n, K]`."""
        return self.head.predict_proba(self.encoder.encode([Listing(title) for title in titles]))

    def predict(self, titles: list[str]) -> list[str]:
        """The likeliest codes."""
        return [self.codes[i] for i in self.predict_proba(titles).argmax(axis=1)]


def measure(quick: bool = False) -> dict[str, Any]:
    """All rakuten-en figures as a JSON-ready dictionary."""
    data = shared_data("rakuten-en")
    titles, y = _read(data / "train.csv", QUICK_ROWS if quick else None)
    test_titles, test_y = _read(data / "test.csv", None)
    _say(f"{len(titles)} training and {len(test_titles)} test titles")
    OurText().fit(titles[:500], y[:500]).predict(test_titles[:100])  # first-call costs belong to neither

    ours, our_fit = _timed(lambda: OurText().fit(titles, y), repeat=2)
    _say(f"our fit {our_fit:.1f} s")
    theirs, their_fit = _timed(lambda: fit_reference(titles, y))
    _say(f"reference fit {their_fit:.1f} s")
    our_predictions, our_batch = _timed(lambda: ours.predict(test_titles), repeat=5)
    their_predictions, their_batch = _timed(lambda: theirs.predict(test_titles), repeat=5)
    singles = test_titles[: SINGLE_CALLS // (3 if quick else 1)]
    our_single = _median_call(lambda title: ours.predict_proba([title]), singles)
    their_single = _median_call(lambda title: theirs.decision_function([title]), singles)
    return {
        "rows": len(titles),
        "weighted_f1": _f1(test_y, our_predictions),
        "reference_weighted_f1": _f1(test_y, their_predictions),
        "fit_seconds": round(our_fit, 2),
        "reference_fit_seconds": round(their_fit, 2),
        "fit_speedup": round(their_fit / our_fit, 2),
        "listings_per_second": round(len(test_titles) / our_batch),
        "reference_listings_per_second": round(len(test_titles) / their_batch),
        "batch_speedup": round(their_batch / our_batch, 2),
        "latency_p50_ms": round(our_single * 1e3, 3),
        "reference_latency_p50_ms": round(their_single * 1e3, 3),
        "latency_ratio": round(our_single / their_single, 3),
    }


def _read(path: Path, rows: int | None) -> tuple[list[str], list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))[:rows]
    return [row["designation"] for row in records], [row["prdtypecode"] for row in records]


def _timed(work: Callable[[], Any], repeat: int = 1) -> tuple[Any, float]:
    """Result and least seconds of some runs."""
    best = float("inf")
    for _ in range(repeat):
        gc.collect()
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return result, best


def _median_call(call: Callable[[str], Any], titles: list[str]) -> float:
    times = []
    for title in titles:
        start = time.perf_counter()
        call(title)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _f1(y: list[str], predicted: Any) -> float:
    return round(float(f1_score(y, predicted, average="weighted")), 4)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="train on the first titles only")
    options = parser.parse_args()
    print(json.dumps(measure(options.quick), indent=2))
