"""Catalogues on disk to listings: the challenge's folder layout, CSV, JSON Lines and Parquet.

Rows are streamed, so that a catalogue of any size is read in bounded memory. A bad row carries its error
and stops nothing; what spoils a whole file is a `CatalogueError`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rayon.data.columns import CODE, ID_FIELDS, IMAGE, INDEX, ColumnMap, did_you_mean, resolve_columns
from rayon.data.fields import SeenIndices, field_text, id_text, too_long
from rayon.data.labels import Labels
from rayon.data.layout import Layout, find_layout
from rayon.data.listings import Listing
from rayon.data.pictures import PictureFolder, named_picture
from rayon.data.readers import MAX_TEXT, RawRow, Table, open_table
from rayon.data.textfiles import open_binary
from rayon.errors import CatalogueError, ListingError

_TEXTS = ("designation", "description", "productid", "imageid")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a catalogue.

    Parameters
    ----------
    number
        Which data row it is, from 1; the same on every reading.
    line
        Line of the file where it begins, from 1; ``None`` in Parquet and for a code without a listing.
    ids
        The id columns that the catalogue has, of ``index``, ``productid`` and ``imageid``, as they stand
        there.
    listing
        ``None`` where there is an error.
    code
        The product type code, where the catalogue has one for this row.
    error
        Why the row cannot be used, beginning with its line; ``None`` where it can.
    warning
        What is wrong with a row that can be used: a picture that is named and not there.
    """

    number: int
    line: int | None
    ids: Mapping[str, str]
    listing: Listing | None
    code: str | None = None
    error: str | None = None
    warning: str | None = None


class Catalogue:
    """An opened catalogue; made by `open_catalogue`.

    Attributes
    ----------
    path
        What was opened.
    id_fields
        Which of ``index``, ``productid`` and ``imageid`` it has; the keys of `Row.ids`.
    has_codes
        Whether it says which code each listing has.
    size
        Number of rows; for text files an upper bound, good for a progress bar.
    """

    def __init__(
        self, path: Path, table: Table, columns: ColumnMap, layout: Layout, labels: Labels | None
    ) -> None:
        self.path = path
        self.size = table.size
        self.id_fields = tuple(field for field in ID_FIELDS if field in columns.columns)
        self.has_codes = labels is not None or CODE in columns.columns
        self._table = table
        self._columns = columns
        self._labels = labels
        self._picture_root = layout.picture_root
        folder = layout.picture_folder
        self._pictures = PictureFolder(folder) if folder and IMAGE not in columns.columns else None

    @property
    def columns(self) -> ColumnMap:
        """Which of its columns hold which fields."""
        return self._columns

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold its rows and codes."""
        return (self._table.path, *((self._labels.path,) if self._labels else ()))

    def require_codes(self) -> None:
        """Check that there are codes to learn from.

        Raises
        ------
        CatalogueError
            Naming the file and the column or file that is missing.
        """
        if not self.has_codes:
            self._columns.require_code()

    def rows(self, *, codes: bool = True) -> Iterator[Row]:
        """All rows in order, one at a time.

        Parameters
        ----------
        codes
            Whether to read codes, where there are some. Without, nothing of the size of the catalogue is
            held in memory.

        Raises
        ------
        CatalogueError
            When the file of codes and that of listings have no index in common.
        """
        codes_of = self._labels.open() if codes and self._labels else None
        seen = SeenIndices()
        number = 0
        for raw in self._table.rows(self._columns.columns):
            number = raw.number
            row = self._row(raw, seen, codes)
            if codes_of is not None and INDEX in row.ids:
                code, problem = codes_of.take(row.ids[INDEX])
                if problem and row.error is None:
                    row = Row(row.number, row.line, row.ids, None, None, f"{_place(raw)}: {problem}")
                elif row.error is None:
                    row = Row(row.number, row.line, row.ids, row.listing, code, None, row.warning)
            yield row
        if codes_of is not None:
            for index, problem in codes_of.left(self._table.path.name):
                number += 1
                yield Row(
                    number, None, {**dict.fromkeys(self.id_fields, ""), INDEX: index}, None, None, problem
                )

    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of the bytes of its files; pictures are not looked at."""
        digest = hashlib.sha256()
        for path in self.files:
            part = hashlib.sha256()
            with open_binary(path) as stream:
                while chunk := stream.read(1 << 20):
                    part.update(chunk)
            digest.update(part.digest())
        return digest.hexdigest()

    def _row(self, raw: RawRow, seen: SeenIndices, codes: bool) -> Row:
        ids = {field: id_text(raw.values.get(field)) for field in self.id_fields}
        place = _place(raw)
        warning = None
        try:
            if raw.problem is not None:
                raise ListingError(self._whole_row_problem(raw))
            texts = {field: field_text(field, raw.values.get(field)) for field in _TEXTS}
            code = field_text(CODE, raw.values.get(CODE)).strip() if codes else ""
            if INDEX in ids:
                seen.add(ids[INDEX])
            image, warning = self._image(raw.values, texts)
            listing = Listing(image=image, **texts)
            if listing.is_empty:
                raise ListingError(_nothing_in_it(warning))
        except ListingError as error:
            return Row(raw.number, raw.line, ids, None, None, f"{place}: {error.message}")
        note = f"{place}: {warning}" if warning else None
        return Row(raw.number, raw.line, ids, listing, code or None, None, note)

    def _whole_row_problem(self, raw: RawRow) -> str:
        for field, value in raw.values.items():
            if isinstance(value, str) and len(value) > MAX_TEXT:
                return too_long(field)
        return f"the row {raw.problem}"

    def _image(
        self, values: Mapping[str, Any], texts: Mapping[str, str]
    ) -> tuple[Path | bytes | None, str | None]:
        value = values.get(IMAGE)
        if isinstance(value, bytes):
            return value or None, None
        name = field_text(IMAGE, value).strip()
        if name:
            path, problem = named_picture(name, self._picture_root)
            return path, f"the field 'image' {problem}" if problem else None
        if self._pictures is None:
            return None, None
        return self._pictures.find(texts["productid"], texts["imageid"]), None


def open_catalogue(
    path: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    images: Path | str | None = None,
    encoding: str | None = None,
) -> Catalogue:
    """Open a catalogue: check that its files can be read and find its columns and pictures.

    Parameters
    ----------
    path
        A folder in the challenge's layout (its test files where there are no training files), or a CSV,
        JSON Lines or Parquet file.
    columns
        Field to column, for columns that bear other names; it may name some of the fields ``designation``,
        ``description``, ``productid``, ``imageid``, ``prdtypecode``, ``image`` and ``index`` only.
    images
        Folder of the pictures. Without it, ``images`` beside the file, where there is one. Paths in an
        ``image`` column are taken from here or, without it, from the folder of the file, and may not
        leave it.
    encoding
        Of the text files; ``None`` to recognise UTF-8, and UTF-16 or UTF-32 by their mark.

    Raises
    ------
    CatalogueError
        When a file or column is missing, doubled or ambiguous, or a file is empty, damaged or in another
        encoding.
    """
    path = Path(path)
    layout = find_layout(path, None if images is None else Path(images))
    columns = dict(columns or {})
    label_columns = {field: columns[field] for field in (CODE,) if layout.labels and field in columns}
    listing_columns = {field: name for field, name in columns.items() if field not in label_columns}
    table = open_table(layout.listings, encoding=encoding, columns=listing_columns)
    found = resolve_columns(table.names, listing_columns, table.path.name)
    labels = None
    if layout.labels:
        if INDEX not in found.columns:
            raise CatalogueError(
                f"{table.path.name} has no index column to join {layout.labels.name} by",
                "Its first column should be the index; else name it with --columns index=NAME",
            )
        labels = Labels(layout.labels, label_columns, encoding)
    _require_content(found, layout)
    return Catalogue(path, table, found, layout, labels)


def _require_content(found: ColumnMap, layout: Layout) -> None:
    if any(field in found.columns for field in ("designation", "description", IMAGE)):
        return
    if "imageid" in found.columns and layout.picture_folder is not None:
        return
    raise CatalogueError(
        f"{found.source} has no column 'designation', 'description' or 'image'; its columns are "
        + (", ".join(repr(name) for name in found.names[:20]) or "without names"),
        did_you_mean("designation", found.names)
        or did_you_mean("description", found.names)
        or "Name them with --columns, for instance --columns designation=NAME",
    )


def _place(raw: RawRow) -> str:
    return f"row {raw.number}" if raw.line is None else f"line {raw.line}"


def _nothing_in_it(warning: str | None) -> str:
    return warning or "the listing has no title, no description and no picture"
