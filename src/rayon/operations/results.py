"""Rows of answers to a file: CSV, Parquet, JSON Lines, or the challenge's submission.

Rows arrive as finished parts, each a JSON Lines file, and leave as one file that appears as a whole.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import polars as pl

from rayon.errors import OutputError

ResultFormat = Literal["rayon", "challenge"]
ANSWER_COLUMNS = ("code", "label", "confidence", "decision", "reason", "modalities", "alternatives", "error")
SUFFIXES = (".csv", ".parquet", ".jsonl")


def check_target(out: Path, form: ResultFormat, inputs: Sequence[Path] = ()) -> None:
    """Refuse early what could not be written at the end, or would overwrite an input.

    Raises
    ------
    OutputError
        When the file's ending is unknown, it is a folder or an input, or its folder is missing or closed.
    """
    if out.suffix not in SUFFIXES:
        raise OutputError(
            f"The results cannot be written as {out.name!r}", f"End the name with {', '.join(SUFFIXES)}"
        )
    if form == "challenge" and out.suffix != ".csv":
        raise OutputError(
            "The challenge takes its submission as CSV", "End the name of the results with .csv"
        )
    if out.is_dir():
        raise OutputError(f"{out} is a folder", "Name a file for the results")
    refuse_input(out, inputs)
    if not out.parent.is_dir():
        raise OutputError(f"The folder {out.parent} does not exist", "Make it, or choose another")
    if not os.access(out.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise OutputError(
            f"The folder {out.parent} cannot be written to", "Check its permissions, or choose another"
        )


def refuse_input(out: Path, inputs: Sequence[Path]) -> None:
    """Refuse to write over what is read.

    Raises
    ------
    OutputError
        When the file is one of the inputs, or one of the files in an input that is a folder.
    """
    target = out.resolve()
    for path in inputs:
        source = path.resolve()
        if target == source or (target.exists() and source.is_dir() and target.is_relative_to(source)):
            raise OutputError(f"{out} belongs to the input {path}", "Choose another name")


def assemble(parts: Sequence[Path], out: Path, ids: Sequence[str], form: ResultFormat) -> None:
    """Join finished parts, in order, into the file of results.

    Parameters
    ----------
    parts
        JSON Lines files of rows ``{"ids": {...}, **answer}``.
    out
        The file to write; it is replaced as a whole.
    ids
        The id columns, in order; a row without one gets an empty cell.
    form
        ``"rayon"``, or ``"challenge"`` for its submission file.
    """
    draft = out.with_name(f".{out.name}.tmp{out.suffix}")
    try:
        if form == "challenge":
            _write_submission(parts, draft)
        elif out.suffix == ".csv":
            _write_csv(parts, draft, ids)
        elif out.suffix == ".jsonl":
            _write_jsonl(parts, draft, ids)
        else:
            _write_parquet(parts, draft, ids)
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def _rows(parts: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for part in parts:
        with part.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)


def _write_csv(parts: Sequence[Path], draft: Path, ids: Sequence[str]) -> None:
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*ids, *ANSWER_COLUMNS])
        for row in _rows(parts):
            answer = {
                **row,
                "confidence": f"{row['confidence']:.6f}" if row["code"] else "",
                "modalities": " ".join(row["modalities"]),
                "alternatives": " ".join(f"{a['code']}:{a['confidence']:.4f}" for a in row["alternatives"]),
            }
            writer.writerow(
                [*(row["ids"].get(name, "") for name in ids), *(answer[c] for c in ANSWER_COLUMNS)]
            )
        _flush(file.fileno(), file)


def _write_jsonl(parts: Sequence[Path], draft: Path, ids: Sequence[str]) -> None:
    with draft.open("w", encoding="utf-8") as file:
        for row in _rows(parts):
            flat = {name: row["ids"].get(name, "") for name in ids} | {c: row[c] for c in ANSWER_COLUMNS}
            file.write(json.dumps(flat, ensure_ascii=False) + "\n")
        _flush(file.fileno(), file)


def _write_parquet(parts: Sequence[Path], draft: Path, ids: Sequence[str]) -> None:
    alternative = pl.Struct({"code": pl.String, "label": pl.String, "confidence": pl.Float64})
    columns: dict[str, pl.DataType | type[pl.DataType]] = {}
    if ids:
        columns["ids"] = pl.Struct(dict.fromkeys(ids, pl.String))
    schema = pl.Schema(
        columns
        | {
            "code": pl.String,
            "label": pl.String,
            "confidence": pl.Float64,
            "decision": pl.String,
            "reason": pl.String,
            "modalities": pl.List(pl.String),
            "alternatives": pl.List(alternative),
            "error": pl.String,
        }
    )
    rows = pl.scan_ndjson(list(parts), schema=schema) if parts else pl.LazyFrame(schema=schema)
    flat = rows.unnest("ids").with_columns(pl.col(*ids).fill_null("")) if ids else rows
    flat.sink_parquet(draft)


def _write_submission(parts: Sequence[Path], draft: Path) -> None:
    # The challenge's own form: an unnamed index column, then the code.
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["", "prdtypecode"])
        for number, row in enumerate(_rows(parts)):
            writer.writerow([row["ids"].get("index", number), row["code"]])
        _flush(file.fileno(), file)


def _flush(descriptor: int, file: Any) -> None:
    file.flush()
    os.fsync(descriptor)
