"""What a job will understand of its files, shown before it is started.

The file is read by the reader that the worker uses, and its pictures are found by that reader too: where
the archive holds a picture that one of the first rows may have, an empty file of its name stands for it. So
nothing is unpacked but the pictures that are shown.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rayon.data.catalogue import Catalogue, Row, open_catalogue
from rayon.data.columns import CODE, IMAGE, resolve_columns
from rayon.data.fields import id_text
from rayon.data.image import plain_jpeg
from rayon.data.pictures import picture_stems
from rayon.data.readers import open_table
from rayon.errors import CatalogueError, ImageError, NotFoundError
from rayon.operations.archives import PictureArchive

ROWS_SHOWN = 20
ROWS_READ = 1000
"""Rows whose problems are counted."""

THUMBNAIL_SIDE = 160
FOLDER = "preview"
"""Where it is kept, beside the files of the job."""

_FILE = "preview.json"
_SHORT = 200
_PLACE = re.compile(r"(?:line|row) \d+: ")
_VARYING = re.compile(r"(?<=names )(['\"]).*\1(?=, which)|(?<=the index )(['\"]).*\2(?= is there)|\d[\d,]*")
_GAP = "…"
_NAME_COLUMNS = "Name the columns in the first line: designation, description, productid, imageid, image"
_HINTS = {
    "--columns": _NAME_COLUMNS,
    "Did you mean": _NAME_COLUMNS,
    "--encoding": "Save it again as UTF-8: spreadsheets offer it as 'CSV UTF-8'",
}
"""Hints for who sits at a command line, by a part of them, and what to say to others."""


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A row as it will be understood.

    Parameters
    ----------
    number
        Which data row it is, from 1.
    designation, description
        The beginnings of the texts.
    has_picture
        Whether `read_thumbnail` has its picture.
    error
        Why it cannot be classified; ``None`` where it can.
    warning
        What is wrong with a row that can be classified: its picture is missing or cannot be used.
    """

    number: int
    designation: str
    description: str
    productid: str
    imageid: str
    has_picture: bool
    error: str | None
    warning: str | None


@dataclass(frozen=True, slots=True)
class Reason:
    """What is wrong with a number of rows; ``first`` is one of them."""

    text: str
    rows: int
    first: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What will be understood of a file.

    Parameters
    ----------
    columns
        Field to the column of the file that holds it.
    ignored
        Columns that hold no field.
    rows
        The first rows.
    rows_read
        How many rows were looked at.
    is_whole
        Whether these are all there are.
    errors, warnings
        Why some of these cannot be classified, and what is wrong with others; the most frequent first.
    rows_with_picture
        How many of these have a picture.
    pictures
        How many the archive holds; ``None`` where none was sent.
    """

    columns: Mapping[str, str]
    ignored: Sequence[str]
    rows: Sequence[PreviewRow]
    rows_read: int
    is_whole: bool
    errors: Sequence[Reason]
    warnings: Sequence[Reason]
    rows_with_picture: int
    pictures: int | None

    @property
    def rows_failing(self) -> int:
        """How many of the rows that were looked at cannot be classified."""
        return sum(reason.rows for reason in self.errors)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Preview:
        """Make it from what `dataclasses.asdict` gave."""
        return cls(
            **{
                **stored,
                "rows": [PreviewRow(**row) for row in stored["rows"]],
                "errors": [Reason(**reason) for reason in stored["errors"]],
                "warnings": [Reason(**reason) for reason in stored["warnings"]],
            }
        )


def make_preview(listings: Path, archive: Path | None, name: str) -> Preview:
    """Look at the files of a job, and keep what is found beside them.

    A text file is read to its end, as its encoding can only be known so; of its rows, and of the archive, no
    more than the beginning is held in memory.

    Parameters
    ----------
    listings
        The file of listings.
    archive
        The ZIP of its pictures.
    name
        How errors are to call the file of listings.

    Raises
    ------
    CatalogueError
        When the job would fail as a whole.
    """
    try:
        if archive is None:
            return _kept(listings.parent, _preview(open_catalogue(listings), None))
        with closing(PictureArchive(archive)) as pictures, tempfile.TemporaryDirectory() as stand_ins:
            for wanted in _named_by(listings, pictures.names):
                Path(stand_ins, wanted).touch()
            return _kept(listings.parent, _preview(open_catalogue(listings, images=stand_ins), pictures))
    except CatalogueError as error:
        raise _for_a_sender(error, listings, name) from None


def read_preview(folder: Path) -> Preview:
    """Give what `make_preview` kept for the job in a folder.

    Raises
    ------
    NotFoundError
        When it is not there any more.
    """
    return Preview.from_dict(json.loads(_read(folder / FOLDER / _FILE)))


def read_thumbnail(folder: Path, row: int) -> bytes:
    """Give the picture of one of the first rows, a small JPEG.

    Raises
    ------
    NotFoundError
        When it has none.
    """
    return _read(folder / FOLDER / f"{row}.jpg")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise NotFoundError(
            "What was to be seen before the start is not there any more", "Send the file again"
        ) from None


def _kept(folder: Path, found: tuple[Preview, Mapping[int, bytes]]) -> Preview:
    preview, thumbnails = found
    (folder / FOLDER).mkdir()
    for row, picture in thumbnails.items():
        (folder / FOLDER / f"{row}.jpg").write_bytes(picture)
    (folder / FOLDER / _FILE).write_text(json.dumps(asdict(preview)), encoding="utf-8")
    return preview


def _preview(catalogue: Catalogue, pictures: PictureArchive | None) -> tuple[Preview, Mapping[int, bytes]]:
    """What will be understood, and the pictures of the first rows."""
    shown: list[PreviewRow] = []
    thumbnails: dict[int, bytes] = {}
    read, with_picture = 0, 0
    errors, warnings = _Reasons(), _Reasons()
    coming = catalogue.rows(codes=False)
    for row in islice(coming, ROWS_READ):
        read += 1
        with_picture += bool(row.listing and row.listing.has_image)
        seen: Row | PreviewRow = row
        if len(shown) < ROWS_SHOWN:
            seen = _shown(row, pictures, thumbnails)
            shown.append(seen)
        errors.add(row.number, seen.error)
        warnings.add(row.number, seen.warning)
    columns = {field: name for field, name in catalogue.columns.columns.items() if field != CODE}
    preview = Preview(
        columns,
        [name for name in catalogue.columns.names if name not in columns.values()],
        shown,
        read,
        next(coming, None) is None,
        errors.by_frequency(),
        warnings.by_frequency(),
        with_picture,
        None if pictures is None else len(pictures.names),
    )
    return preview, thumbnails


def _shown(row: Row, pictures: PictureArchive | None, thumbnails: dict[int, bytes]) -> PreviewRow:
    error, warning = _reason(row.error), _reason(row.warning)
    listing = row.listing
    if listing is not None and listing.image is not None:
        data = _picture(listing.image, pictures)
        try:
            thumbnails[row.number] = plain_jpeg(data, longest=THUMBNAIL_SIDE)
        except ImageError as problem:
            warning = problem.message
            if not listing.has_text:
                error, warning = warning, None
    return PreviewRow(
        row.number,
        listing.designation[:_SHORT] if listing else "",
        listing.description[:_SHORT] if listing else "",
        row.ids.get("productid", "")[:_SHORT],
        row.ids.get("imageid", "")[:_SHORT],
        row.number in thumbnails,
        error,
        warning,
    )


def _picture(image: Path | bytes, pictures: PictureArchive | None) -> bytes:
    if isinstance(image, bytes):
        return image
    return pictures.read(image.name) if pictures and image.name in pictures.names else b""


def _named_by(listings: Path, names: Iterable[str]) -> Iterator[str]:
    """Which of these pictures the first rows may have."""
    table = open_table(listings)
    columns = resolve_columns(table.names, None, listings.name).columns
    stems: set[str] = set()
    full: set[str] = set()
    for raw in islice(table.rows(columns), ROWS_READ):
        full.add(Path(id_text(raw.values.get(IMAGE)).strip()).name)
        ids = (id_text(raw.values.get(field)) for field in ("productid", "imageid"))
        stems.update(picture_stems(*ids))
    return (name for name in names if name in full or name.rpartition(".")[0] in stems)


class _Reasons:
    """Reasons, alike but for figures and names, counted together."""

    def __init__(self) -> None:
        self._found: dict[str, Reason] = {}

    def add(self, row: int, text: str | None) -> None:
        if text is None:
            return
        reason = _reason(text) or ""
        alike = _VARYING.sub(_GAP, reason)
        known = self._found.get(alike)
        if known is None:
            self._found[alike] = Reason(reason, 1, row)
        else:
            said = reason if known.text == reason else alike
            self._found[alike] = Reason(said, known.rows + 1, known.first)

    def by_frequency(self) -> list[Reason]:
        return sorted(self._found.values(), key=lambda reason: -reason.rows)


def _reason(text: str | None) -> str | None:
    """What is wrong with a row, without its place."""
    return None if text is None else _PLACE.sub("", text, count=1)


def _for_a_sender(error: CatalogueError, listings: Path, name: str) -> CatalogueError:
    """The error in the words of whoever sent the file: its name, and nothing of the command line."""
    message = error.message.replace(f"{listings.parent}/", "").replace(listings.name, name)
    hint = next((instead for part, instead in _HINTS.items() if part in error.hint), error.hint)
    return CatalogueError(message, hint)
