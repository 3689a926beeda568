"""Stored predictions to a file: CSV, Parquet or JSON Lines, in bounded memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import polars as pl

from rayon.store.database import Database
from rayon.store.predictions import PredictionFilter, StoredPrediction, list_predictions

ExportFormat = Literal["csv", "parquet", "jsonl"]

_PAGE = 1000
_LEFT_OUT = ("leased_by", "leased_until", "image")
_ALTERNATIVE = pl.Struct({"code": pl.String, "label": pl.String, "confidence": pl.Float64})
_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "id": pl.String,
    "created_at": pl.String,
    "user_id": pl.String,
    "designation": pl.String,
    "description": pl.String,
    "productid": pl.String,
    "imageid": pl.String,
    "code": pl.String,
    "label": pl.String,
    "confidence": pl.Float64,
    "decision": pl.String,
    "reason": pl.String,
    "threshold": pl.Float64,
    "modalities": pl.List(pl.String),
    "degraded": pl.Boolean,
    "alternatives": pl.List(_ALTERNATIVE),
    "scores": pl.String,
    "error": pl.String,
    "model_version": pl.String,
    "queued_for": pl.String,
    "audit_probability": pl.Float64,
    "validated_at": pl.String,
    "true_code": pl.String,
    "job_id": pl.String,
    "job_row": pl.Int64,
}
_SCHEMA = pl.Schema(_COLUMNS)
EXPORT_COLUMNS = tuple(_COLUMNS)
"""What an export holds, in order; times are ISO 8601 in UTC."""


def export_predictions(database: Database, wanted: PredictionFilter, path: Path, form: ExportFormat) -> int:
    """Write the predictions that a filter lets through, newest first, and say how many.

    Predictions that are made meanwhile are left out.

    Parameters
    ----------
    database
        Where they are.
    wanted
        Which of them.
    path
        The file to write.
    form
        CSV has lists as JSON in their cells; Parquet and JSON Lines have them as lists.
    """
    rows = _rows(database, wanted)
    if form == "csv":
        return _write_csv(rows, path)
    if form == "jsonl":
        return _write_jsonl(rows, path)
    lines = path.with_name(f"{path.name}.jsonl")
    try:
        n = _write_jsonl(rows, lines)
        frame = pl.scan_ndjson(lines, schema=_SCHEMA) if n else pl.LazyFrame(schema=_SCHEMA)
        frame.sink_parquet(path)
    finally:
        lines.unlink(missing_ok=True)
    return n


def _rows(database: Database, wanted: PredictionFilter) -> Iterator[dict[str, Any]]:
    while True:
        with database.read() as connection:
            page = list_predictions(connection, wanted, _PAGE)
        yield from map(_row, page)
        if len(page) < _PAGE:
            return
        wanted = replace(wanted, before=page[-1].id)


def _row(stored: StoredPrediction) -> dict[str, Any]:
    row = {name: value for name, value in asdict(stored).items() if name not in _LEFT_OUT}
    row["created_at"] = stored.created_at.isoformat()
    row["validated_at"] = stored.validated_at.isoformat() if stored.validated_at else None
    row["scores"] = json.dumps(stored.scores, ensure_ascii=False)
    return {name: row[name] for name in EXPORT_COLUMNS}


def _write_csv(rows: Iterator[dict[str, Any]], path: Path) -> int:
    n = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(EXPORT_COLUMNS)
        for n, row in enumerate(rows, start=1):  # noqa: B007  # the last number is the answer
            writer.writerow(
                [
                    json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
                    for value in row.values()
                ]
            )
    return n


def _write_jsonl(rows: Iterator[dict[str, Any]], path: Path) -> int:
    n = 0
    with path.open("w", encoding="utf-8") as file:
        for n, row in enumerate(rows, start=1):  # noqa: B007  # the last number is the answer
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return n
