"""The challenge's second file, which gives each index its code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from rayon.data.columns import CODE, INDEX, resolve_columns
from rayon.data.readers import open_table
from rayon.errors import CatalogueError


class Labels:
    """A file of indices and codes.

    Raises
    ------
    CatalogueError
        When it cannot be read, or has no index or no column of codes.
    """

    def __init__(self, path: Path, columns: Mapping[str, str], encoding: str | None) -> None:
        self.path = path
        self._table = open_table(path, encoding=encoding, columns=columns)
        found = resolve_columns(self._table.names, columns, path.name)
        found.require_code()
        if INDEX not in found.columns:
            raise CatalogueError(
                f"{path.name} has no index column",
                "Its first column should be the index of X_train_update.csv",
            )
        self._columns = {field: found.columns[field] for field in (INDEX, CODE)}

    def open(self) -> Codes:
        """Read all codes; a dictionary of them is held in memory."""
        codes: dict[str, str] = {}
        problems: dict[str, str] = {}
        strays: list[str] = []
        for raw in self._table.rows(self._columns):
            index = str(raw.values.get(INDEX) or "")
            code = str(raw.values.get(CODE) or "").strip()
            where = f"line {raw.line} of {self.path.name}"
            if raw.problem is not None or not index:
                strays.append(f"{where}: the row {raw.problem or 'has no index'}")
            elif index in codes:
                problems[index] = f"the index {index!r} is there a second time in {where}"
            else:
                codes[index] = sys.intern(code)
                if not code or "\x00" in code:
                    problems[index] = f"the index {index!r} has no usable code in {where}"
        return Codes(self.path.name, codes, problems, strays)


class Codes:
    """Codes by index, each handed out once."""

    def __init__(self, name: str, codes: dict[str, str], problems: dict[str, str], strays: list[str]) -> None:
        self._name = name
        self._codes = codes
        self._problems = problems
        self._strays = strays
        self._taken = 0

    def take(self, index: str) -> tuple[str | None, str | None]:
        """The code of an index, and what is wrong with it."""
        code = self._codes.pop(index, None)
        if code is None:
            return None, None
        self._taken += 1
        return code, self._problems.get(index)

    def left(self, listings: str) -> Iterator[tuple[str, str]]:
        """Index and problem of every row of the file that no listing has asked for.

        Raises
        ------
        CatalogueError
            When not one was asked for.
        """
        if not self._taken:
            raise CatalogueError(
                f"{self._name} and {listings} have no index in common",
                "They are joined by their first column; check that they belong together",
            )
        for index in self._codes:
            yield index, f"the index {index!r} of {self._name} has no row in {listings}"
        for problem in self._strays:
            yield "", problem
