from __future__ import annotations

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from rayon.errors import OutputError
from rayon.learning.model import ProductClassifier
from rayon.operations import inference
from rayon.operations.inference import classify_catalogues

HEADER = "sku,designation,description\n"


def write_rows(path: Path, n: int) -> Path:
    titles = ["Piscine tubulaire", "Roman policier", "Table basse", "Manette de jeu", ""]
    rows = [f"{i},{titles[i % 5]} {i if i % 5 < 4 else ''},\n" for i in range(n)]
    path.write_text(HEADER + "".join(rows), encoding="utf-8")
    return path


COLUMNS = {"productid": "sku"}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_is_answered_once_and_in_order(model: ProductClassifier, tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.csv", 50)
    summary = classify_catalogues(model, [source], tmp_path / "out.csv", columns=COLUMNS)
    rows = read_csv(tmp_path / "out.csv")
    assert [row["productid"] for row in rows] == [str(i) for i in range(50)]
    assert list(rows[0]) == [
        "productid",
        "code",
        "label",
        "confidence",
        "decision",
        "reason",
        "modalities",
        "alternatives",
        "error",
    ]
    assert (summary.rows, summary.failed) == (50, 10)
    assert summary.accepted + summary.review + summary.failed == 50
    assert rows[4]["code"] == ""
    assert "line 6" in rows[4]["error"]
    assert rows[0]["modalities"] == "text"
    assert not list(tmp_path.glob("*.parts"))


def test_the_three_formats_say_the_same(model: ProductClassifier, tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.csv", 20)
    for ending in ("csv", "jsonl", "parquet"):
        classify_catalogues(model, [source], tmp_path / f"out.{ending}", columns=COLUMNS)
    rows = read_csv(tmp_path / "out.csv")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    table = pl.read_parquet(tmp_path / "out.parquet").to_dicts()
    for row, line, record in zip(rows, lines, table, strict=True):
        assert row["code"] == line["code"] == record["code"]
        assert line["confidence"] == record["confidence"]
        assert line["alternatives"] == record["alternatives"]
        assert row["productid"] == line["productid"] == record["productid"]


def test_a_submission_has_the_form_of_the_challenge(
    model: ProductClassifier, shop: Path, tmp_path: Path
) -> None:
    unseen = shop / "X_test_update.csv"
    classify_catalogues(model, [unseen], tmp_path / "y.csv", form="challenge")
    lines = (tmp_path / "y.csv").read_text(encoding="utf-8").splitlines()
    with unseen.open(encoding="utf-8", newline="") as file:
        indices = [row[""] for row in csv.DictReader(file)]
    assert lines[0] == ",prdtypecode"
    assert [line.split(",")[0] for line in lines[1:]] == indices
    assert all(line.split(",")[1] in model.classes_ for line in lines[1:])


def test_resuming_repeats_nothing_and_changes_nothing(
    model: ProductClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "PART_ROWS", 10)
    source = write_rows(tmp_path / "in.csv", 60)
    classify_catalogues(model, [source], tmp_path / "whole.csv", columns=COLUMNS)

    class StopError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done >= 30:
            raise StopError

    with pytest.raises(StopError):
        classify_catalogues(model, [source], tmp_path / "out.csv", columns=COLUMNS, progress=stop)
    assert not (tmp_path / "out.csv").exists()
    summary = classify_catalogues(model, [source], tmp_path / "out.csv", columns=COLUMNS, resume=True)
    assert summary.resumed == 30
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_another_input_is_never_taken_for_the_interrupted_one(
    model: ProductClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "PART_ROWS", 10)
    source = write_rows(tmp_path / "in.csv", 30)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classify_catalogues(model, [source], tmp_path / "out.csv", columns=COLUMNS, progress=stop)
    source.write_text(source.read_text(encoding="utf-8").replace("Roman", "Table"), encoding="utf-8")
    summary = classify_catalogues(model, [source], tmp_path / "out.csv", columns=COLUMNS, resume=True)
    assert (summary.resumed, summary.rows) == (0, 30)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.xlsx", "The results cannot be written as 'out.xlsx'"),
        ("folder.csv", "is a folder"),
        ("nowhere/out.csv", "does not exist"),
    ],
)
def test_targets_that_cannot_work_are_refused_first(
    model: ProductClassifier, tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError, match=message):
        classify_catalogues(model, [tmp_path / "absent.csv"], tmp_path / name)


def _classify(trained: Path, source: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "rayon",
        "classify",
        str(trained),
        str(source),
        "--columns",
        "productid=sku",
        "--out",
        str(out),
        *more,
    ]


def test_a_closed_folder_is_said_before_anything_is_classified(
    model: ProductClassifier, shop: Path, closed: Path
) -> None:
    with pytest.raises(OutputError) as caught:
        classify_catalogues(model, [shop], closed / "codes.csv")
    assert caught.value.message == f"The folder {closed} cannot be written to"


def test_a_full_disk_is_said_and_nothing_is_lost(trained: Path, tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.csv", 3000)
    # A limit on the size of files does what a full disk does: writing fails half way.
    full = subprocess.run(
        _classify(trained, source, tmp_path / "out.csv"),
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
        check=False,
    )
    assert full.returncode == 2
    assert "cannot be written (File too large)" in " ".join(full.stderr.split())
    assert "Traceback" not in full.stderr
    assert not (tmp_path / "out.csv").exists()
    after = subprocess.run(
        _classify(trained, source, tmp_path / "out.csv", "--resume", "--json"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert json.loads(after.stdout)["rows"] == 3000


@pytest.mark.proof
def test_kill_9_at_any_moment_loses_and_doubles_nothing(trained: Path, tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.csv", 12_000)
    out = tmp_path / "out.csv"
    subprocess.run(
        _classify(trained, source, tmp_path / "whole.csv"), check=False, timeout=300, capture_output=True
    )
    kills = 0
    for wanted in range(1, 6):
        process = subprocess.Popen(
            _classify(trained, source, out, "--resume"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # Each time a part later, so that every stage of the run is hit.
        _wait_for_parts(tmp_path / "out.csv.parts", wanted, process)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait(timeout=60)
    assert kills >= 3
    final = subprocess.run(
        _classify(trained, source, out, "--resume", "--json"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert json.loads(final.stdout)["rows"] == 12_000
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def _wait_for_parts(folder: Path, wanted: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if len(list(folder.glob("part-*.jsonl"))) >= wanted:
            return
        time.sleep(0.002)
