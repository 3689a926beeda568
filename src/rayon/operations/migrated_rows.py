"""Rows of a labelled catalogue to rows with the codes of a new taxonomy, or with why there is none."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from rayon.data.catalogue import Row
from rayon.data.columns import CODE, ID_FIELDS, IMAGE, INDEX
from rayon.data.listings import TEXT_FIELDS
from rayon.data.taxonomy import Taxonomy
from rayon.data.taxonomy_change import TaxonomyChange
from rayon.errors import CatalogueError

PICTURE = "picture"
"""Column of the pictures that are in the rows themselves; the others are named by their paths."""

_LISTING = (INDEX, *TEXT_FIELDS, CODE, IMAGE)
ASIDE_COLUMNS = ("catalogue", "row", *_LISTING, "candidates", "reason")
SCHEMA = pl.Schema({**dict.fromkeys(ASIDE_COLUMNS, pl.String), "row": pl.Int64, PICTURE: pl.Binary})
"""Of a row that is written or set aside; the reason is empty where it is written."""

_UNREADABLE, _NO_CODE = "the row cannot be used", "the listing has no code"


class RowMigrator:
    """Gives rows new codes, and counts what became of them.

    Parameters
    ----------
    change, new
        What became of the codes, and what there is now.
    pictures_in_rows
        Whether pictures may be in the rows themselves.

    Attributes
    ----------
    written, recoded
        Rows with a code of the new taxonomy, and how many of them had another before.
    set_aside
        The others by reason.
    missing_images
        Listings with an ``imageid`` and no picture.
    root
        Folder below which all pictures lie, absolute; ``None`` where there are none.
    has_pictures_in_rows
        Whether any picture is in a row itself.
    """

    def __init__(self, change: TaxonomyChange, new: Taxonomy, pictures_in_rows: bool) -> None:
        self.written = self.recoded = self.missing_images = 0
        self.set_aside: Counter[str] = Counter()
        self.root: str | None = None
        self.has_pictures_in_rows = False
        self._change, self._new = change, new
        self._pictures_in_rows = pictures_in_rows

    def __call__(self, source: str, row: Row) -> dict[str, Any]:
        """The row, as `SCHEMA` has it, with its new code, or its old one and the reason.

        Raises
        ------
        CatalogueError
            When it holds a picture that cannot be where the others are.
        """
        values: dict[str, Any] = dict.fromkeys(ASIDE_COLUMNS, "")
        values |= {"catalogue": source, "row": row.number, PICTURE: None}
        values |= {name: row.ids.get(name, "") for name in ID_FIELDS}
        listing = row.listing
        if listing is None:
            return values | self._aside(_UNREADABLE, "", reason=row.error or _UNREADABLE)
        values |= {name: getattr(listing, name) for name in TEXT_FIELDS}
        self.missing_images += bool(listing.imageid) and listing.image is None
        if isinstance(listing.image, bytes):
            self.has_pictures_in_rows = True
            values[PICTURE] = listing.image
        elif listing.image is not None:
            values[IMAGE] = self._path(listing.image)
        self._check_pictures(source)
        return values | (self._aside(_NO_CODE, "") if row.code is None else self._recode(row.code))

    def _recode(self, code: str) -> dict[str, str]:
        whole = code.removesuffix(".0")  # how data frames write whole numbers of a column with gaps
        if not self._knows(code) and self._knows(whole):
            code = whole
        targets = self._change.targets(code)
        if not targets:
            return self._aside(f"the code {code!r} was retired", code)
        if len(targets) > 1:
            parts = f"{', '.join(map(repr, targets[:-1]))} and {targets[-1]!r}"
            return self._aside(
                f"the code {code!r} was split into {parts}", code, candidates=" ".join(targets)
            )
        if targets[0] not in self._new:
            return self._aside(
                f"the new taxonomy lacks the code {code!r}, and the change does not say what became of it",
                code,
            )
        self.written += 1
        self.recoded += targets[0] != code
        return {CODE: targets[0]}

    def _knows(self, code: str) -> bool:
        return code in self._change.named or code in self._new

    def _aside(self, kind: str, code: str, **more: str) -> dict[str, str]:
        self.set_aside[kind] += 1
        return {CODE: code, "reason": kind, **more}

    def _path(self, image: Path) -> str:
        path = os.path.abspath(image)  # noqa: PTH100 - a Path resolved for each row takes several times as long
        if self.root is None:
            self.root = os.path.dirname(path)  # noqa: PTH120
        elif not path.startswith(self.root + os.sep):
            self.root = os.path.commonpath([self.root, path])
        return path

    def _check_pictures(self, source: str) -> None:
        if not self.has_pictures_in_rows:
            return
        if not self._pictures_in_rows:
            raise CatalogueError(
                f"{source} holds pictures in its rows, and only Parquet can do so",
                "Write to a file that ends in .parquet",
            )
        if self.root is not None:
            raise CatalogueError(
                "Some pictures are in the rows of the catalogues, and others are files of their own",
                "Migrate the catalogues one at a time",
            )
