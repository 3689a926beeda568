"""Several catalogues as one, held in memory: what training, evaluation and inspection work on."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rayon.data.catalogue import Catalogue, Row, open_catalogue
from rayon.data.listings import Listing
from rayon.data.taxonomy import Taxonomy
from rayon.errors import CatalogueError, TaxonomyError

CodesWanted = Literal["required", "optional", "none"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not used, or a code without a row.

    Parameters
    ----------
    source
        The catalogue, as it was named.
    number
        Which data row it is, from 1.
    line
        Line of the file, from 1; ``None`` where there is none.
    reason
        What is wrong, beginning with the line.
    """

    source: str
    number: int
    line: int | None
    reason: str


@dataclass(frozen=True)
class LoadedCatalogue:
    """The usable rows of one or several catalogues, in order: N of them.

    Parameters
    ----------
    listings
        N listings.
    codes
        N product type codes; ``None`` where the catalogues have none.
    rejected
        The rows that could not be used.
    warnings
        Rows that are used although something is wrong with them, such as a picture that is not there.
    sources
        The catalogues, as they were named.
    source_of
        `int32[N]`: which of the sources each listing came from.
    number_of
        `int64[N]`: which data row of its source each listing is, from 1.
    missing_images
        How many listings have an ``imageid`` and no picture.
    fingerprint
        SHA-256, in hexadecimal, of the files' content and the way they were read.
    """

    listings: list[Listing]
    codes: list[str] | None
    rejected: list[Rejected]
    warnings: list[Rejected]
    sources: list[str]
    source_of: NDArray[np.int32]
    number_of: NDArray[np.int64]
    missing_images: int
    fingerprint: str

    def __len__(self) -> int:
        return len(self.listings)

    def place(self, i: int) -> str:
        """Where listing `i` stands, such as ``shop.csv, row 12``."""
        return f"{self.sources[self.source_of[i]]}, row {self.number_of[i]}"


@dataclass
class _Gathering:
    listings: list[Listing] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    warnings: list[Rejected] = field(default_factory=list)
    source_of: array[int] = field(default_factory=lambda: array("i"))
    number_of: array[int] = field(default_factory=lambda: array("q"))
    missing_images: int = 0


def read_catalogue(
    paths: Path | str | Sequence[Path | str],
    *,
    columns: Mapping[str, str] | None = None,
    images: Path | str | None = None,
    encoding: str | None = None,
    taxonomy: Taxonomy | None = None,
    codes: CodesWanted = "optional",
    progress: Callable[[int, int], None] | None = None,
) -> LoadedCatalogue:
    """Read one or several catalogues and join them.

    Parameters
    ----------
    paths
        Catalogues as `open_catalogue` takes them.
    columns, images, encoding
        As in `open_catalogue`, for all of them.
    taxonomy
        When given, rows with a code that it lacks are rejected.
    codes
        ``"required"``: every catalogue must have codes, and rows without one are rejected. ``"optional"``:
        the same where the catalogues have codes. ``"none"``: codes are not read.
    progress
        Called now and then with the rows read so far and their expected number.

    Raises
    ------
    CatalogueError
        When a catalogue cannot be read as a whole, only some of them have codes, or no row is usable.
    """
    named = [paths] if isinstance(paths, Path | str) else list(paths)
    if not named:
        raise CatalogueError("No catalogue was given", "Name at least one folder or file")
    opened = [open_catalogue(path, columns=columns, images=images, encoding=encoding) for path in named]
    labelled = _labelled(opened, codes)
    gathering = _Gathering()
    expected = sum(catalogue.size for catalogue in opened)
    done = 0
    for place, catalogue in enumerate(opened):
        for row in catalogue.rows(codes=labelled):
            _gather(gathering, place, str(catalogue.path), row, labelled, taxonomy)
            done += 1
            if progress is not None and done % 1000 == 0:
                progress(done, max(done, expected))
    if not gathering.listings:
        first = gathering.rejected[0].reason if gathering.rejected else "there are no rows"
        raise CatalogueError(
            f"No row of {', '.join(str(path) for path in named)} can be used", f"The first problem: {first}"
        )
    return LoadedCatalogue(
        gathering.listings,
        gathering.codes if labelled else None,
        gathering.rejected,
        gathering.warnings,
        [str(catalogue.path) for catalogue in opened],
        np.array(gathering.source_of, dtype=np.int32),
        np.array(gathering.number_of, dtype=np.int64),
        gathering.missing_images,
        fingerprint(opened),
    )


def fingerprint(catalogues: Sequence[Catalogue]) -> str:
    """SHA-256, in hexadecimal, of the content of catalogues in their order."""
    digest = hashlib.sha256()
    for catalogue in catalogues:
        digest.update(bytes.fromhex(catalogue.fingerprint()))
    return digest.hexdigest()


def _labelled(opened: Sequence[Catalogue], codes: CodesWanted) -> bool:
    if codes == "none":
        return False
    if codes == "required":
        for catalogue in opened:
            catalogue.require_codes()
        return True
    having = [catalogue for catalogue in opened if catalogue.has_codes]
    if having and len(having) < len(opened):
        lacking = next(catalogue for catalogue in opened if not catalogue.has_codes)
        raise CatalogueError(
            f"{having[0].path} has codes and {lacking.path} has none", "Read them one at a time"
        )
    return bool(having)


def _gather(
    gathering: _Gathering, place: int, source: str, row: Row, labelled: bool, taxonomy: Taxonomy | None
) -> None:
    where = f"row {row.number}" if row.line is None else f"line {row.line}"
    code, error = row.code, row.error
    if labelled and row.listing is not None:
        if code is None:
            error = f"{where}: the listing has no code"
        else:
            code, error = _known_code(code, taxonomy, where)
    if row.listing is None or error is not None:
        gathering.rejected.append(Rejected(source, row.number, row.line, error or ""))
        return
    if row.warning is not None:
        gathering.warnings.append(Rejected(source, row.number, row.line, row.warning))
    if row.listing.imageid and row.listing.image is None:
        gathering.missing_images += 1
    gathering.listings.append(row.listing)
    if labelled:
        gathering.codes.append(code or "")
    gathering.source_of.append(place)
    gathering.number_of.append(row.number)


def _known_code(code: str, taxonomy: Taxonomy | None, where: str) -> tuple[str, str | None]:
    if taxonomy is None or code in taxonomy:
        return code, None
    whole = code.removesuffix(".0")  # how data frames write whole numbers of a column with gaps
    if whole in taxonomy:
        return whole, None
    try:
        taxonomy.require([code])
    except TaxonomyError as error:
        return code, f"{where}: {error.message}. {error.hint}"
    return code, None
