"""Run every benchmark and write ``bench/results/results.json`` and ``results.md``.

``python -m bench.run [NAME...]``; without names, all of them. Each runs in a process of its own, so that
none measures the leavings of another; one whose data is not here is left out, and says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.common import REPOSITORY

NAMES = ("text", "english", "rakuten", "peers", "images", "scale", "load", "web")
RESULTS = REPOSITORY / "bench" / "results"
FILE = RESULTS / "results.json"
TRIPLE = "camembert_large+tfidf+convnext_base_384_v2"


@dataclass(frozen=True)
class Row:
    """One line of the table; ``value`` picks the figure from the results of its benchmark."""

    bench: str
    on: str
    measure: str
    asked: str
    value: Callable[[Any], str]


def _pair(ours: float, reference: float, digits: int = 3) -> str:
    return f"{ours:.{digits}f} (reference {reference:.{digits}f})"


def _calibration(found: Any) -> str:
    return f"{found['ours']['ece']:.4f} (perfect, 95th percentile {found['perfectly_calibrated_ece_95']:.4f})"


def _kept(found: Any) -> str:
    ours, free = found["ours"], found["ours_no_minimum_per_code"]
    plain, same = found["exact_binomial"], found["exact_binomial_same_minimum"]
    return (
        f"held {ours['held']:.3f}, coverage {ours['coverage']:.3f}; "
        f"without the minimum per code {free['held']:.3f}, {free['coverage']:.3f} "
        f"(plain bound {plain['coverage']:.3f}, with it {same['coverage']:.3f})"
    )


def _accepted(found: Any) -> str:
    low, high = found["interval"]
    return f"{found['accepted_precision']:.3f} [{low:.3f}, {high:.3f}] at coverage {found['coverage']:.3f}"


ROWS = (
    Row(
        "english",
        "rakuten-en",
        "weighted F1 on test, whole model",
        "≥ 0.80",
        lambda r: f"{r['weighted_f1']:.4f} [{r['low']:.3f}, {r['high']:.3f}]",
    ),
    Row(
        "text",
        "rakuten-en",
        "weighted F1 on test, features and head alone",
        "not below LinearSVC",
        lambda r: _pair(r["weighted_f1"], r["reference_weighted_f1"], 4),
    ),
    Row("text", "rakuten-en", "fit: reference time ÷ ours", "≥ 3", lambda r: f"{r['fit_speedup']:.2f}"),
    Row("text", "rakuten-en", "batch: ours ÷ reference", "≥ 5", lambda r: f"{r['batch_speedup']:.2f}"),
    Row(
        "text",
        "one listing",
        "latency p50: ours ÷ reference",
        "≤ 0.25",
        lambda r: f"{r['latency_ratio']:.3f}",
    ),
    Row(
        "rakuten",
        "dev-natural",
        "weighted F1, fused",
        "≥ 0.83",
        lambda r: _pair(r["onnx"]["dev-natural"]["fused"]["weighted_f1"], r["reference"]["dev-natural"]),
    ),
    Row(
        "rakuten",
        "dev-balanced",
        "weighted F1, fused, ONNX encoder",
        "≥ 0.80",
        lambda r: _pair(r["onnx"]["dev-balanced"]["fused"]["weighted_f1"], r["reference"]["dev-balanced"]),
    ),
    Row(
        "rakuten",
        "dev-balanced",
        "text alone; image alone",
        "fused above text; image 0.413",
        lambda r: (
            f"{r['onnx']['dev-balanced']['text']['weighted_f1']:.3f}; "
            f"{r['onnx']['dev-balanced']['image']['weighted_f1']:.3f}"
        ),
    ),
    Row(
        "rakuten",
        "dev-balanced",
        "image alone, builtin encoder",
        "–",
        lambda r: f"{r['builtin']['dev-balanced']['image']['weighted_f1']:.3f}",
    ),
    *(
        Row(
            "rakuten",
            "both dev folders",
            f"accepted precision at {promise} promised",
            "kept",
            lambda r, promise=promise: _accepted(r["onnx"]["promise"][promise]),  # type: ignore[misc]
        )
        for promise in ("0.95", "0.90")
    ),
    Row(
        "peers",
        "peer probabilities",
        "weighted F1 of the triple",
        "≥ reference + 0.005",
        lambda r: _pair(r[TRIPLE]["ours"]["weighted_f1"], r[TRIPLE]["reference"]["weighted_f1"], 4),
    ),
    Row(
        "peers",
        "peer probabilities",
        "log-loss",
        "≤ reference",
        lambda r: _pair(r[TRIPLE]["ours"]["log_loss"], r[TRIPLE]["reference"]["log_loss"]),
    ),
    Row(
        "peers",
        "peer probabilities",
        "calibration error",
        "≤ that of a perfectly calibrated model",
        lambda r: _calibration(r[TRIPLE]),
    ),
    Row(
        "peers",
        "peer probabilities",
        "coverage at 98 %, in hindsight",
        "≥ reference",
        lambda r: _pair(r[TRIPLE]["ours"]["coverage_at_98"], r[TRIPLE]["reference"]["coverage_at_98"]),
    ),
    *(
        Row(
            "peers",
            "peer probabilities",
            f"promise of {promise}, 200 draws of halves",
            f"held ≥ 0.95, coverage ≥ {asked}",
            lambda r, promise=promise: _kept(r["promise"][promise]),  # type: ignore[misc]
        )
        for promise, asked in (("0.95", "0.915"), ("0.98", "0.758"), ("0.99", "0.642"))
    ),
    Row(
        "images",
        "pictures",
        "images a second × (decode ÷ cores + ONNX)",
        "≥ 0.85",
        lambda r: "; ".join(
            f"{name} {found['ratio']:.2f}"
            for name, found in r.items()
            if isinstance(found, dict) and "ratio" in found
        ),
    ),
    Row(
        "scale",
        "300,000-row CSV",
        "peak memory above 30,000 rows",
        "≤ 100 MB",
        lambda r: f"{r['classify_extra_mib']:.0f} MiB",
    ),
    Row(
        "scale",
        "84,916 listings",
        "text training, five folds: peak memory, time",
        "< 4 GB",
        lambda r: f"{r['train']['84916']['peak_mib'] / 1024:.2f} GiB, {r['train']['84916']['seconds']:.0f} s",
    ),
    Row(
        "scale",
        "10k, 40k, 85k",
        "time ÷ what N log N gives from 10k",
        "≤ 1",
        lambda r: ", ".join(f"{growth:.2f}" for growth in r["train_growth"].values()),
    ),
)


def _load_rows() -> tuple[Row, ...]:
    return tuple(
        row
        for database in ("sqlite", "postgresql")
        for row in (
            Row(
                "load",
                f"service on {database}",
                "text, 1, 8 and 64 clients: ratio to the ceiling",
                "≥ 0.5",
                lambda r, database=database: _of_clients(r, database, "ratio_to_ceiling"),  # type: ignore[misc]
            ),
            Row(
                "load",
                f"service on {database}",
                "text, 8 clients: p99 ÷ p50",
                "≤ 5",
                lambda r, database=database: _tail(r, database),  # type: ignore[misc]
            ),
            Row(
                "load",
                f"service on {database}",
                "text, asked ten times as often as it answers: p99; share refused within 50 ms",
                "p99 kept, the rest 503",
                lambda r, database=database: _flooded(r, database),  # type: ignore[misc]
            ),
        )
    )


def _of_clients(found: Any, database: str, figure: str) -> str:
    if database not in found:
        return "not run"
    return ", ".join(str(found[database]["text"][clients][figure]) for clients in ("1", "8", "64"))


def _tail(found: Any, database: str) -> str:
    if database not in found:
        return "not run"
    figures = found[database]["text"]["8"]
    return f"{figures['p99_ms'] / figures['p50_ms']:.2f}"


def _flooded(found: Any, database: str) -> str:
    if database not in found:
        return "not run"
    full, flood = found[database]["text"]["64"], found[database]["text"]["flood"]
    return f"{flood['p99_ms']:.0f} ms ({full['p99_ms']:.0f} at 64 clients); {flood['refused_in_time']:.3f}"


def _web_rows() -> tuple[Row, ...]:
    return tuple(
        row
        for database in ("sqlite", "postgresql")
        for row in (
            Row(
                "web",
                f"200,000 predictions on {database}",
                "slowest page on the server, p95",
                "< 200 ms",
                lambda r, database=database: _slowest(r, database),  # type: ignore[misc]
            ),
            Row(
                "web",
                f"10,000 queued on {database}",
                "key to next listing in Chromium, p95",
                "< 100 ms",
                lambda r, database=database: _key_to_next(r, database),  # type: ignore[misc]
            ),
        )
    )


def _slowest(found: Any, database: str) -> str:
    if database not in found:
        return "not run"
    slowest = found[database]["slowest"]
    times, ratio = f"{slowest['p95_ms']:.0f} ms", f"{slowest['ratio_to_sign_in']:.1f}"
    return f"{times} ({ratio} × the page to sign in): `{slowest['page']}`"


def _key_to_next(found: Any, database: str) -> str:
    if database not in found or not found[database]["key_to_next"]["long_queue"]:
        return "not run"
    short, long = (found[database]["key_to_next"][name] for name in ("short_queue", "long_queue"))
    return f"{long['p95_ms']:.1f} ms ({short['p95_ms']:.1f} ms with a short queue)"


ROWS += _load_rows() + _web_rows()


def main(names: list[str]) -> int:
    """Run the benchmarks and write what they found."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    found = _earlier()
    for name in names or NAMES:
        print(f"{name} …", file=sys.stderr)
        done = subprocess.run([sys.executable, "-m", f"bench.{name}"], stdout=subprocess.PIPE, check=False)
        if done.returncode == 0:
            # Read afresh: another run may have added its own in the meantime.
            found = _earlier() | {name: json.loads(done.stdout)}
            FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    table = _table(found)
    (RESULTS / "results.md").write_text(table, encoding="utf-8")
    print(table)
    return 0


def _earlier() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    return found


def _table(found: dict[str, Any]) -> str:
    lines = ["| on | measure | asked | measured |", "|---|---|---|---|"]
    for row in ROWS:
        value = row.value(found[row.bench]) if row.bench in found else "not run"
        lines.append(f"| {row.on} | {row.measure} | {row.asked} | {value} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
