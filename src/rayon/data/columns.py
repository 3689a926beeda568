"""Which column of a catalogue file holds which part of a listing."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from rayon.errors import CatalogueError

INDEX = "index"
CODE = "prdtypecode"
IMAGE = "image"
ID_FIELDS = (INDEX, "productid", "imageid")
CONTENT_FIELDS = ("designation", "description", IMAGE)
FIELDS = (*ID_FIELDS, *CONTENT_FIELDS, CODE)

_LONGEST_NAME = 80
"""Characters of a column's name that messages show."""

ALIASES: Mapping[str, tuple[str, ...]] = {
    INDEX: ("index", "id", "rowid", "unnamed0"),
    "designation": ("designation", "title", "name", "producttitle", "productname", "titre", "libelle", "nom"),
    "description": ("description", "longdescription", "productdescription", "body"),
    "productid": ("productid", "product", "sku", "ean", "gtin"),
    "imageid": ("imageid", "pictureid"),
    IMAGE: ("image", "imagepath", "imagefile", "picture", "picturepath", "photo"),
    CODE: ("prdtypecode", "code", "label", "category", "categoryid", "categorycode", "class", "target"),
}
"""Names, folded by `fold`, under which a field is recognised when nothing was said."""


@dataclass(frozen=True)
class ColumnMap:
    """Where each field of a listing is found.

    Parameters
    ----------
    columns
        Field to the column's name in the file.
    ambiguous
        Fields that several columns could hold, with those columns; they are not guessed.
    names
        All columns of the file, in its order.
    source
        Name of the file, for messages.
    """

    columns: Mapping[str, str]
    ambiguous: Mapping[str, Sequence[str]]
    names: Sequence[str]
    source: str

    def require_code(self) -> None:
        """Check that the file has a column of codes.

        Raises
        ------
        CatalogueError
            When it has none, or when it has several candidates.
        """
        if CODE in self.columns:
            return
        if CODE in self.ambiguous:
            raise _ambiguous(self.source, CODE, self.ambiguous[CODE])
        raise CatalogueError(
            f"{self.source} has no column {CODE!r}; its columns are {_listed(self.names)}",
            did_you_mean(CODE, self.names) or f"Name the column of codes with --columns {CODE}=NAME",
        )


def fold(name: str) -> str:
    """Lower case, without accents, spaces and punctuation, so that ``Product ID`` meets ``productid``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", plain.lower())


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Question that names the closest known word; empty where none is close."""
    by_fold = {fold(word): word for word in known if word}
    close = get_close_matches(fold(name), by_fold, n=1, cutoff=0.7)
    return f"Did you mean {by_fold[close[0]]!r}?" if close else ""


def recognised(names: Iterable[str]) -> int:
    """How many of the names are known names of fields."""
    known = {alias for aliases in ALIASES.values() for alias in aliases}
    return sum(fold(name) in known for name in names)


def resolve_columns(
    names: Sequence[str], columns: Mapping[str, str] | None, source: str, *, unnamed_index: bool = True
) -> ColumnMap:
    """Find the columns of a file.

    What `columns` says wins; then a column that bears the field's own name; then an alias, where just one
    column bears one.

    Parameters
    ----------
    names
        The columns of the file, in its order.
    columns
        Field to column, as the user gave it; may name some of the fields only.
    source
        Name of the file, for messages.
    unnamed_index
        Whether a first column without a name is the index, as in the challenge's files.

    Raises
    ------
    CatalogueError
        When a column is there twice, when `columns` names an unknown field or a column that the file
        lacks, or when several columns could hold one field.
    """
    refuse_duplicates(names, source)
    found = _explicit(names, columns or {}, source)
    ambiguous: dict[str, Sequence[str]] = {}
    taken = set(found.values())
    for field in FIELDS:
        if field in found:
            continue
        free = [name for name in names if name and name not in taken]
        candidates = (
            [name for name in free if name == field]
            or [name for name in free if fold(name) == field]
            or [name for name in free if fold(name) in ALIASES[field]]
        )
        if len(candidates) == 1:
            found[field] = candidates[0]
            taken.add(candidates[0])
        elif candidates:
            ambiguous[field] = candidates
    if unnamed_index and INDEX not in found and names and not names[0].strip():
        found[INDEX] = names[0]
    for field in ("designation", "description", IMAGE):
        if field in ambiguous:
            raise _ambiguous(source, field, ambiguous[field])
    return ColumnMap(found, ambiguous, list(names), source)


def refuse_duplicates(names: Sequence[str], source: str) -> None:
    """Refuse a file that has one column twice; columns without a name are not looked at.

    Raises
    ------
    CatalogueError
        Naming the first column that is repeated.
    """
    for name, count in Counter(names).items():
        if count > 1 and name.strip():
            raise CatalogueError(
                f"{source} has the column {_short(name)!r} {count} times",
                "Rename or remove all but one of them",
            )


def _explicit(names: Sequence[str], columns: Mapping[str, str], source: str) -> dict[str, str]:
    for field, name in columns.items():
        if field not in FIELDS:
            raise CatalogueError(
                f"--columns names an unknown field {field!r}",
                did_you_mean(field, FIELDS) or f"The fields are {_listed(FIELDS)}",
            )
        if name not in names:
            raise CatalogueError(
                f"{source} has no column {name!r}, which --columns gives for {field!r}",
                did_you_mean(name, names) or f"Its columns are {_listed(names)}",
            )
    return dict(columns)


def _ambiguous(source: str, field: str, candidates: Sequence[str]) -> CatalogueError:
    return CatalogueError(
        f"{source} has several columns that could be {field!r}: {_listed(candidates)}",
        f"Say which with --columns {field}={_short(candidates[0])}",
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _listed(names: Sequence[str]) -> str:
    shown = [repr(_short(name)) for name in names if name.strip()]
    if len(shown) > 20:
        return ", ".join(shown[:20]) + f" and {len(shown) - 20} more"
    return ", ".join(shown) or "without names"
