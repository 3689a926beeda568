"""Catalogue files to raw rows: CSV, JSON Lines and Parquet, streamed in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rayon.data.columns import recognised
from rayon.data.records import read_record
from rayon.data.textfiles import LineFeed, check_text, open_text
from rayon.errors import CatalogueError

MAX_TEXT = 100_000
"""Characters that one field may hold; the longest descriptions of the Rakuten challenge have some 12,000."""

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".jsonl", ".ndjson", ".jsonl.gz", ".parquet", ".pq")

_DELIMITERS = (",", ";", "\t", "|")
_FIRST_ROWS, _MOST_ROWS = 16, 4096
_BATCH_BYTES = 32 * 1024**2
_HEAD = 200


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it stands in the file.

    Parameters
    ----------
    number
        Which data row it is, from 1.
    line
        Line of the file where it begins, from 1; ``None`` in Parquet.
    values
        Field to value; in a bad row, those that could be read.
    problem
        What is wrong with the row as a whole, said of it ("has 3 fields …"); ``None`` where nothing is.
    """

    number: int
    line: int | None
    values: Mapping[str, Any]
    problem: str | None = None


class Table(Protocol):
    """A catalogue file whose rows can be read, as often as one likes."""

    path: Path
    names: list[str]
    size: int
    """Number of data rows; in text files an upper bound, as a field may hold line ends."""

    def rows(self, columns: Mapping[str, str]) -> Iterator[RawRow]:
        """The rows in order, with the given columns (field to column's name) only."""
        ...


def open_table(path: Path, *, encoding: str | None = None, columns: Mapping[str, str] | None = None) -> Table:
    """Open a file by the ending of its name.

    Parameters
    ----------
    path
        A file whose name ends in one of `SUFFIXES`.
    encoding
        Of a text file; ``None`` to recognise UTF-8, and UTF-16 or UTF-32 by their mark.
    columns
        The user's mapping; its columns help to recognise the delimiter.

    Raises
    ------
    CatalogueError
        When the file is missing, empty, damaged, in another encoding or of another kind.
    """
    name = path.name.lower().removesuffix(".gz")
    if path.is_dir() or not path.exists():
        raise CatalogueError(f"There is no file {path}", "Check the path")
    if name.endswith((".csv", ".tsv", ".txt")):
        return CsvTable(path, encoding, columns or {})
    if name.endswith((".jsonl", ".ndjson")):
        return JsonLinesTable(path, encoding)
    if name.endswith((".parquet", ".pq")) and not path.name.lower().endswith(".gz"):
        return ParquetTable(path)
    hint = "Write one object a line and call it .jsonl" if name.endswith(".json") else _FORMATS_HINT
    raise CatalogueError(f"{path} is not a kind of file that holds a catalogue", hint)


_FORMATS_HINT = f"Catalogues are folders in the challenge's layout or files ending in {', '.join(SUFFIXES)}"


class CsvTable:
    """A CSV file, delimited by what explains its first line best: comma, semicolon, tab or bar."""

    def __init__(self, path: Path, encoding: str | None, columns: Mapping[str, str]) -> None:
        self.path = path
        self._encoding, lines = check_text(path, encoding)
        self.size = lines - 1
        self._delimiter, self.names = self._header(set(columns.values()))

    def _header(self, wanted: set[str]) -> tuple[str, list[str]]:
        best: tuple[tuple[int, int], str, list[str]] | None = None
        for delimiter in _DELIMITERS:
            with open_text(self.path, self._encoding) as stream:
                record = read_record(LineFeed(stream), delimiter)
            if record is None or record.problem:
                continue
            names = [name.strip() for name in record.fields]
            score = (recognised(names) + len(wanted.intersection(names)), len(names))
            if best is None or score > best[0]:
                best = (score, delimiter, names)
        if best is None:
            raise CatalogueError(
                f"The first line of {self.path} cannot be read as names of columns",
                "Check its quotes; it should look like: designation,description,productid,imageid",
            )
        return best[1], best[2]

    def rows(self, columns: Mapping[str, str]) -> Iterator[RawRow]:
        """The rows in order; a bad one is given with its problem and stops nothing."""
        places = [(field, self.names.index(name)) for field, name in columns.items()]
        width = len(self.names)
        number = 0
        with open_text(self.path, self._encoding) as stream:
            feed = LineFeed(stream)
            read_record(feed, self._delimiter)
            while (record := read_record(feed, self._delimiter)) is not None:
                number += 1
                fields = record.fields
                problem = record.problem
                if problem is None and len(fields) != width:
                    problem = f"has {len(fields)} fields where the header has {width}"
                    if record.last_line > record.line:
                        problem += f" (it runs to line {record.last_line}; a quote may be open)"
                values = {field: fields[place] for field, place in places if place < len(fields)}
                yield RawRow(number, record.line, values, problem)


class JsonLinesTable:
    """A JSON Lines file: one object a line."""

    def __init__(self, path: Path, encoding: str | None) -> None:
        self.path = path
        self._encoding, self.size = check_text(path, encoding)
        self.names = self._head_names()

    def _head_names(self) -> list[str]:
        names: dict[str, None] = {}
        for count, (_, _, value, _) in enumerate(self._objects()):
            if value is not None:
                names.update(dict.fromkeys(value))
            if count >= _HEAD:
                break
        if not names:
            raise CatalogueError(
                f"{self.path} holds no JSON objects in its first {_HEAD} lines",
                'Write one object a line, such as {"designation": "Lampe", "productid": "1"}',
            )
        return list(names)

    def _objects(self) -> Iterator[tuple[int, int, dict[str, Any] | None, str | None]]:
        with open_text(self.path, self._encoding) as stream:
            feed = LineFeed(stream)
            number = 0
            while (line := feed.next()) is not None:
                if not line.strip():
                    continue
                number += 1
                value, problem = (None, "is too long") if feed.cut else _json_object(line)
                yield number, feed.number, value, problem

    def rows(self, columns: Mapping[str, str]) -> Iterator[RawRow]:
        """The rows in order; a field that an object lacks is missing."""
        for number, line, value, problem in self._objects():
            values = {} if value is None else {field: value.get(name) for field, name in columns.items()}
            yield RawRow(number, line, values, problem)


def _json_object(line: str) -> tuple[dict[str, Any] | None, str | None]:
    try:
        value = json.loads(line.rstrip("\r\n"))
    except json.JSONDecodeError as error:
        return None, f"is not JSON ({error.msg} at character {error.pos + 1})"
    except (ValueError, RecursionError):  # a number of thousands of digits, thousands of brackets
        return None, "is JSON that is nested too deep or holds too long a number"
    if not isinstance(value, dict):
        return None, f"is JSON but not an object: it begins with {line.strip()[:1]!r}"
    return value, None


class ParquetTable:
    """A Parquet file, read in parts with Polars: up to some thousand rows, fewer where they are long."""

    def __init__(self, path: Path) -> None:
        import polars as pl  # loading it takes longer than reading a small CSV file

        self.path = path
        try:
            frame = pl.scan_parquet(path)
            self.names = frame.collect_schema().names()
            self.size = int(frame.select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _damaged(path, error) from None
        if not self.size:
            raise CatalogueError(f"{path} is empty", "Give a file with at least one row")

    def rows(self, columns: Mapping[str, str]) -> Iterator[RawRow]:
        """The rows in order."""
        import polars as pl

        wanted = list(dict.fromkeys(columns.values()))
        # A text that is longer than allowed is refused all the same, and need not be held whole.
        cut = pl.col(pl.String).str.head(MAX_TEXT + 1)
        frame = pl.scan_parquet(self.path).select(wanted).with_columns(cut)
        places = [(field, wanted.index(name)) for field, name in columns.items()]
        number, n = 0, _FIRST_ROWS
        while number < self.size:
            try:
                batch = frame.slice(number, n).collect()
            except (pl.exceptions.PolarsError, OSError) as error:
                raise _damaged(self.path, error) from None
            if not batch.height:
                raise _damaged(self.path, EOFError("it became shorter while it was read"))
            for row in batch.iter_rows():
                number += 1
                yield RawRow(number, None, {field: row[place] for field, place in places})
            n = _next_rows(batch.height, int(batch.estimated_size()))


def _next_rows(rows: int, size: int) -> int:
    """How many rows the next part may have, after one of so many rows and bytes."""
    fitting = rows * _BATCH_BYTES // max(1, size)
    return max(1, min(fitting, 4 * rows, _MOST_ROWS))


def _damaged(path: Path, error: Exception) -> CatalogueError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return CatalogueError(f"{path} cannot be read as Parquet ({reason})", "Write or download it again")
