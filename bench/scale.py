"""Memory and growth: classify a large CSV, and train on a catalogue of the challenge's size.

Each run is a process of its own, measured by the operating system's accounting of its peak memory.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.common import shared_data
from rayon.data.loading import read_catalogue

CLASSIFIED = (30_000, 300_000)
TRAINED = (10_000, 40_000, 84_916)
MEBIBYTE = 1 << 20


def measure() -> dict[str, Any]:
    """Peak memory of `classify` at two sizes; time and peak memory of training at three."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = read_catalogue([shared_data("rakuten") / name for name in ("train-gold", "train-silver")])
        rows = [
            (item.designation, item.description, code)
            for item, code in zip(source.listings, source.codes or [], strict=True)
        ]
        training = {n: _train(folder, rows, n) for n in TRAINED}
        classifying = {n: _classify(folder, rows, n) for n in CLASSIFIED}
    small, large = (classifying[n]["peak_mib"] for n in CLASSIFIED)
    return {
        "classify": classifying,
        "classify_extra_mib": large - small,
        "train": training,
        "train_growth": _growth(training),
    }


def _growth(training: dict[int, dict[str, float]]) -> dict[str, float]:
    """Time at each size over that of the smallest, divided by what N log N would give."""
    base = TRAINED[0]
    return {
        str(n): (training[n]["seconds"] / training[base]["seconds"])
        / ((n * np.log(n)) / (base * np.log(base)))
        for n in TRAINED[1:]
    }


def _write(path: Path, rows: list[tuple[str, str, str]], n: int) -> None:
    """A catalogue of n rows, drawn with replacement; a number keeps them from being exact copies."""
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["productid", "designation", "description", "prdtypecode"])
        for number, pick in enumerate(rng.integers(len(rows), size=n)):
            title, description, code = rows[pick]
            words = title.split()
            rng.shuffle(words)
            writer.writerow([number, f"{' '.join(words)} {number}", description, code])


def _train(folder: Path, rows: list[tuple[str, str, str]], n: int) -> dict[str, float]:
    catalogue = folder / f"train-{n}.csv"
    _write(catalogue, rows, n)
    out = folder / f"model-{n}"
    return _run("train", str(catalogue), "--image-encoder", "none", "--out", str(out), "--json")


def _classify(folder: Path, rows: list[tuple[str, str, str]], n: int) -> dict[str, float]:
    catalogue = folder / f"classify-{n}.csv"
    _write(catalogue, rows, n)
    model = folder / f"model-{TRAINED[0]}"
    return _run("classify", str(model), str(catalogue), "--out", str(folder / f"codes-{n}.csv"), "--json")


def _run(*arguments: str) -> dict[str, float]:
    """Seconds and peak memory of one ``rayon`` command."""
    print("  rayon", *arguments[:2], file=sys.stderr)
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "rayon", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = _wait(process)
    if status not in (0, 1):
        raise SystemExit(f"rayon {' '.join(arguments)} ended with {status}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there and in KiB on Linux
    return {"seconds": time.perf_counter() - begin, "peak_mib": usage.ru_maxrss * unit / MEBIBYTE}


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, int, resource.struct_rusage]:
    pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return pid, process.returncode, usage


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
