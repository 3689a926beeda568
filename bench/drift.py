"""Drift judged by simulation: how often a month alarms in which nothing has changed, or something has.

A model learns from a part of the listings, chosen by groups of near-duplicates; months are drawn without
replacement from the rest, and each is judged against training and against the month before. Then something is
mixed into the month: a code that the model never saw, titles in another language, or pictures from another
camera. Run as ``python -m bench.drift [--trials N]``; the trials are divided among the models.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from bench.common import shared_data
from rayon import Listing, ProductClassifier, read_catalogue
from rayon.data.duplicates import duplicate_groups
from rayon.learning.drift import judge_drift, pair_signals
from rayon.learning.histograms import Histogram, SignalCounts
from rayon.learning.reference import Reference, measure_signals

Ints: TypeAlias = NDArray[np.int64]
Labelled: TypeAlias = tuple[list[Listing], list[str]]
VOLUMES = (250, 500, 1000, 2000, 5000)
NEW_CODES = ("1302", "2705", "50")
"""Codes that training is kept from, one at a time; bins and thresholds were chosen on others."""
NEW_SHARE = 0.05
LANGUAGE_SHARE = 0.1
PICTURE_SHARES = (0.05, 0.1, 0.2)
FRENCH_TRAINING, FRENCH_MODELS = 2_300, 24
ENGLISH_TRAINING, ENGLISH_MODELS = 20_000, 6
REFERENCE_PICTURES, LIVE_PICTURES, CHANGED_PICTURES = 3_000, 4_000, 800


class Measured:
    """Listings measured one by one, of which months are drawn.

    Parameters
    ----------
    listings
        N of them.
    reference
        Whose bins count them.
    model
        Answers them; without one they are not answered.
    """

    def __init__(
        self, listings: Sequence[Listing], reference: Reference, model: ProductClassifier | None = None
    ) -> None:
        fused = None if model is None else model.scores(listings).fused
        self._bins: dict[str, Ints] = {}
        self._labels: dict[str, tuple[str, ...]] = {}
        for row, listing in enumerate(listings):
            answer = {} if fused is None or model is None else _answer(fused[row], model)
            for name, one in measure_signals([listing], reference, threads=1, **answer).histograms.items():
                self._labels[name] = one.labels
                bins = self._bins.setdefault(name, np.full(len(listings), -1))
                bins[row] = int(one.counts.argmax()) if one.n else -1
        self.n = len(listings)

    def bins(self, rows: Ints) -> dict[str, Ints]:
        """Which bin some listings fall into, by signal; -1 where they lack it."""
        return {name: bins[rows] for name, bins in self._bins.items()}

    def counts(self, *drawn: dict[str, Ints]) -> SignalCounts:
        """The histograms of a month that consists of several parts."""
        histograms = {}
        for name, labels in self._labels.items():
            bins = np.concatenate([part[name] for part in drawn])
            counts = np.bincount(bins[bins >= 0], minlength=len(labels)).astype(np.int64)
            histograms[name] = Histogram(labels, counts)
        return SignalCounts(histograms)


def measure(trials: int, only: Sequence[str], seed: int = 1000) -> dict[str, Any]:
    """Alarms by what was mixed in, share and volume."""
    found: dict[str, Any] = {}
    french, english = _french(), _english()
    if "french" in only:
        found["french"] = _try_texts(french, english, FRENCH_TRAINING, FRENCH_MODELS, trials, seed)
    if "english" in only:
        found["english"] = _try_texts(english, french, ENGLISH_TRAINING, ENGLISH_MODELS, trials, seed)
    if "pictures" in only:
        found["pictures"] = _try_pictures(trials, seed)
    return found


def _try_texts(
    own: Labelled, foreign: Labelled, training: int, models: int, trials: int, seed: int
) -> dict[str, Any]:
    tally = Tally()
    listings, codes = own[0], np.array(own[1])
    groups = duplicate_groups(listings, image=False)
    for number in range(models):
        new = NEW_CODES[number % len(NEW_CODES)]
        rng = np.random.default_rng(seed + number)
        taught, held_out = _split(groups, codes != new, training, rng)
        model = ProductClassifier(image="none", random_state=number)
        model.fit([listings[row] for row in taught], codes[taught].tolist())
        assert model.reference_ is not None
        months = Measured([listings[row] for row in held_out], model.reference_, model)
        strange = Measured([listings[row] for row in np.flatnonzero(codes == new)], model.reference_, model)
        drawn = rng.choice(len(foreign[0]), max(VOLUMES), replace=len(foreign[0]) < max(VOLUMES))
        abroad = Measured([foreign[0][row] for row in drawn], model.reference_, model)
        for volume in VOLUMES:
            for _ in range(-(-trials // models)):
                draw = (months, model.reference_, volume, rng)
                tally.add("nothing", volume, _month(*draw))
                tally.add(f"code {new}, {NEW_SHARE:.0%}", volume, _month(*draw, strange, NEW_SHARE))
                tally.add(
                    f"other language, {LANGUAGE_SHARE:.0%}", volume, _month(*draw, abroad, LANGUAGE_SHARE)
                )
        print(tally.to_dict(), file=sys.stderr, flush=True)
    return {"training": training, "models": models, **tally.to_dict()}


def _try_pictures(trials: int, seed: int) -> dict[str, Any]:
    tally = Tally()
    loaded = read_catalogue(shared_data("rakuten", "train-silver"))
    listings = [Listing(image=one.image) for one in loaded.listings if one.image is not None]
    rng = np.random.default_rng(seed)
    groups = duplicate_groups(listings, text=False)
    taught, others = _split(groups, np.ones(len(listings), dtype=np.bool_), REFERENCE_PICTURES, rng)
    n = len(taught)
    reference = Reference.learn(
        [listings[row] for row in taught], np.arange(n), np.full(n, 0.5), ["none"] * n, ["image"]
    )
    others = rng.permutation(others)
    changed = others[LIVE_PICTURES : LIVE_PICTURES + CHANGED_PICTURES]
    months = Measured([listings[row] for row in others[:LIVE_PICTURES]], reference)
    cameras = {
        name: Measured(
            [Listing(image=_photograph(listings[row].image, change)) for row in changed], reference
        )
        for name, change in CAMERAS.items()
    }
    for volume in VOLUMES:
        for _ in range(trials):
            draw = (months, reference, volume, rng)
            tally.add("nothing", volume, _month(*draw))
            for name, camera in cameras.items():
                for share in PICTURE_SHARES:
                    tally.add(f"{name}, {share:.0%}", volume, _month(*draw, camera, share))
    return {"reference": n, **tally.to_dict()}


def _month(
    months: Measured,
    reference: Reference,
    volume: int,
    rng: np.random.Generator,
    other: Measured | None = None,
    share: float = 0.0,
) -> list[str] | None:
    """The signals that alarm in a month, part of which is from elsewhere; ``None`` with too few listings."""
    if 2 * volume > months.n:
        return None
    drawn = rng.permutation(months.n)[: 2 * volume]
    before, now = drawn[:volume], drawn[volume:]
    parts = [months.bins(now)]
    if other is not None:
        n = int(rng.binomial(volume, share))
        parts = [months.bins(now[n:]), other.bins(rng.choice(other.n, n, replace=n > other.n))]
    references = {"training": reference.counts, "last month": months.counts(months.bins(before))}
    report = judge_drift(pair_signals(months.counts(*parts), references))
    return [f"{one.name} / {one.against}" for one in report.drifted]


class Tally:
    """How many trials alarmed, and by which signals."""

    def __init__(self) -> None:
        self._trials: Counter[tuple[str, int]] = Counter()
        self._alarms: Counter[tuple[str, int]] = Counter()
        self._signals: dict[tuple[str, int], Counter[str]] = {}

    def add(self, change: str, volume: int, alarms: list[str] | None) -> None:
        """Note one month."""
        if alarms is not None:
            key = change, volume
            self._trials[key] += 1
            self._alarms[key] += bool(alarms)
            self._signals.setdefault(key, Counter()).update(alarms)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        found: dict[str, Any] = {}
        for (change, volume), trials in self._trials.items():
            key = change, volume
            found.setdefault(change, {})[str(volume)] = {
                "trials": trials,
                "alarms": self._alarms[key],
                "signals": dict(self._signals[key].most_common(6)),
            }
        return found


def _split(
    groups: Ints, wanted: NDArray[np.bool_], training: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Rows to learn from and rows to draw months of, near-duplicates on one side."""
    rank = rng.permutation(int(groups.max()) + 1)[groups]
    rows = np.flatnonzero(wanted)
    border = np.sort(rank[rows])[training]
    return rows[rank[rows] < border], rows[rank[rows] >= border]


def _answer(proba: NDArray[np.float64], model: ProductClassifier) -> dict[str, Any]:
    return {
        "confidence": np.round(proba.max(keepdims=True), 6),
        "codes": [str(model.classes_[proba.argmax()])],
    }


def _french() -> Labelled:
    loaded = read_catalogue(shared_data("rakuten", "train-gold"))
    return [Listing(one.designation, one.description) for one in loaded.listings], list(loaded.codes or [])


def _english() -> Labelled:
    with (shared_data("rakuten-en") / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [Listing(row["designation"]) for row in rows], [row["prdtypecode"] for row in rows]


def _photograph(source: Path | bytes | None, change: Callable[[Image.Image], Image.Image]) -> bytes:
    assert isinstance(source, Path)
    buffer = io.BytesIO()
    with Image.open(source) as picture:
        change(picture.convert("RGB")).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _scaled(picture: Image.Image, factors: tuple[float, float, float]) -> Image.Image:
    pixels = np.asarray(picture, dtype=np.float64) * factors
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _on_grey(picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture, dtype=np.float64)
    noise = np.random.default_rng(0).normal(200, 12, pixels.shape[:2])[..., None]
    white = pixels.min(axis=-1, keepdims=True) >= 235
    return Image.fromarray(np.where(white, noise, pixels).clip(0, 255).astype(np.uint8))


CAMERAS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "darker by 30 %": lambda picture: _scaled(picture, (0.7, 0.7, 0.7)),
    "warm light": lambda picture: _scaled(picture, (1.08, 1.0, 0.85)),
    "grey, noisy background": _on_grey,
    "out of focus": lambda picture: picture.filter(ImageFilter.GaussianBlur(picture.width / 96)),
}
"""What another camera, or another place, does to a picture."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--only", nargs="*", default=["french", "english", "pictures"])
    asked = parser.parse_args()
    print(json.dumps(measure(asked.trials, asked.only), indent=1))
