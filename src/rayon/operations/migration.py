"""Labelled catalogues in the codes of a new taxonomy; what has no certain new code is set aside."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from rayon.data.catalogue import Catalogue, open_catalogue
from rayon.data.columns import CODE, IMAGE, INDEX
from rayon.data.listings import TEXT_FIELDS
from rayon.data.readers import SUFFIXES
from rayon.data.taxonomy import Taxonomy
from rayon.data.taxonomy_change import TaxonomyChange
from rayon.errors import OutputError
from rayon.operations.migrated_rows import ASIDE_COLUMNS, PICTURE, SCHEMA, RowMigrator
from rayon.operations.results import check_target, refuse_input

PART_ROWS = 2048
"""Rows that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class Migration:
    """What `migrate_catalogues` wrote to one file.

    Parameters
    ----------
    out
        The file.
    listings
        Rows in it.
    recoded
        How many of them have another code than before.
    set_aside
        Rows that are not in it, by reason.
    set_aside_file
        Where those are, each with its reason; ``None`` where there are none.
    missing_images
        How many listings have an ``imageid`` and no picture.
    images
        The folder to name as that of the pictures when the file is read; ``None`` where there is no need,
        as they lie below the folder of the file, in it, or nowhere.
    """

    out: str
    listings: int
    recoded: int
    set_aside: dict[str, int]
    set_aside_file: str | None
    missing_images: int
    images: str | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)


def migrate_catalogues(
    catalogues: Sequence[Path],
    out: Path,
    change: TaxonomyChange,
    new: Taxonomy,
    *,
    columns: Mapping[str, str] | None = None,
    images: Path | None = None,
    encoding: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Migration]:
    """Write labelled catalogues again with the codes of a new taxonomy, in bounded memory.

    A row whose code was split or retired, or is unknown, and one that cannot be read, goes to the file
    ``….set-aside.csv`` beside the results, with the reason. Pictures stay where they are, and are named by
    their paths; those in the rows of a Parquet file are copied with their rows, but not into what is set
    aside. What is written appears as a whole or not at all.

    Parameters
    ----------
    catalogues
        Labelled ones.
    out
        A ``.csv``, ``.parquet`` or ``.jsonl`` file, in which they are joined; or, without an ending, a folder
        to make, with a CSV file for each.
    change, new
        What became of the codes, and what there is now.
    columns, images, encoding
        As for `open_catalogue`.
    progress
        Told how many rows are done, and how many there are (in text files, at the most).

    Returns
    -------
    list of Migration
        One for each file.

    Raises
    ------
    TaxonomyError
        When the change does not fit the taxonomy.
    CatalogueError
        When a catalogue cannot be read as a whole, has no codes, or holds pictures that cannot go into the
        file that is asked for.
    OutputError
        When something is in the way, or cannot be written.
    """
    change.check(None, new)
    if out.suffix:
        check_target(out, "rayon", catalogues)
        refuse_input(_aside(out), catalogues)
    elif out.exists():
        raise OutputError(f"{out} is in the way", "Choose another folder")
    opened = [open_catalogue(path, columns=columns, images=images, encoding=encoding) for path in catalogues]
    for catalogue in opened:
        catalogue.require_codes()
    files = {out: opened} if out.suffix else _one_file_each(opened, out)
    in_rows = out.suffix == ".parquet"
    told = _Told(progress, sum(catalogue.size for catalogue in opened))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
            drafts = Path(scratch) / out.name
            drafts.mkdir()
            made = [
                _write(sources, file, drafts / file.name, RowMigrator(change, new, in_rows), told)
                for file, sources in files.items()
            ]
            _publish(drafts, out)
    except (OSError, UnicodeEncodeError, pl.exceptions.PolarsError) as error:
        raise OutputError(
            f"The catalogue {out} cannot be written ({error})", "Check the permissions and the free space"
        ) from None
    told.end()
    return made


class _Told:
    """How far all files together are."""

    def __init__(self, progress: Callable[[int, int], None] | None, expected: int) -> None:
        self._progress = progress
        self._done, self._expected = 0, expected

    def more(self, rows: int) -> None:
        self._done += rows
        self._say(max(self._done, self._expected))

    def end(self) -> None:
        if self._done < self._expected:
            self._say(self._done)

    def _say(self, total: int) -> None:
        if self._progress is not None:
            self._progress(self._done, total)


def _write(
    sources: Sequence[Catalogue], out: Path, draft: Path, migrator: RowMigrator, told: _Told
) -> Migration:
    """Write the drafts of one file and of what is set aside, by way of Parquet parts."""
    with tempfile.TemporaryDirectory(dir=draft.parent.parent) as parts:
        rows = _scan(sources, Path(parts), migrator, told)
        base = os.path.join(os.path.abspath(out.parent), "")  # noqa: PTH100, PTH118 - with a slash at its end
        near = migrator.root is None or f"{migrator.root}{os.sep}".startswith(base)
        if near:
            rows = rows.with_columns(pl.col(IMAGE).str.strip_prefix(base))
        indexed = len(sources) == 1 and INDEX in sources[0].id_fields  # joined, they would repeat themselves
        columns: list[str | pl.Expr] = [*([INDEX] if indexed else []), *TEXT_FIELDS, CODE]
        if migrator.has_pictures_in_rows:
            columns.append(pl.col(PICTURE).alias(IMAGE))
        elif migrator.root is not None:  # without the column, pictures are looked for by their ids
            columns.append(IMAGE)
        _sink(rows.filter(pl.col("reason") == "").select(columns), draft)
        if migrator.set_aside:
            _sink(rows.filter(pl.col("reason") != "").select(ASIDE_COLUMNS), _aside(draft))
    return Migration(
        out=str(out),
        listings=migrator.written,
        recoded=migrator.recoded,
        set_aside=dict(sorted(migrator.set_aside.items())),
        set_aside_file=str(_aside(out)) if migrator.set_aside else None,
        missing_images=migrator.missing_images,
        images=None if near else migrator.root,
    )


def _scan(sources: Sequence[Catalogue], folder: Path, migrator: RowMigrator, told: _Told) -> pl.LazyFrame:
    parts: list[Path] = []
    rows = ((str(source.path), row) for source in sources for row in source.rows())
    while several := list(islice(rows, PART_ROWS)):
        parts.append(folder / f"{len(parts):06d}.parquet")
        pl.DataFrame([migrator(*one) for one in several], schema=SCHEMA).write_parquet(parts[-1])
        told.more(len(several))
    return pl.scan_parquet(parts) if parts else pl.LazyFrame(schema=SCHEMA)


def _one_file_each(opened: Sequence[Catalogue], out: Path) -> dict[Path, list[Catalogue]]:
    files: dict[Path, list[Catalogue]] = {}
    for catalogue in opened:
        name = catalogue.path.resolve().name
        stem = next((name[: -len(end)] for end in SUFFIXES if name.lower().endswith(end)), name)
        file = out / f"{stem}.csv"
        if file in files:
            raise OutputError(
                f"{files[file][0].path} and {catalogue.path} would both be written to {file}",
                "Migrate them one at a time",
            )
        files[file] = [catalogue]
    return files


def _aside(out: Path) -> Path:
    return out.with_name(f"{out.name}.set-aside.csv")


def _sink(rows: pl.LazyFrame, path: Path) -> None:
    if path.suffix == ".csv":
        rows.sink_csv(path)
    elif path.suffix == ".jsonl":
        rows.sink_ndjson(path)
    else:
        rows.sink_parquet(path)
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _publish(drafts: Path, out: Path) -> None:
    if not out.suffix:
        drafts.rename(out)
        return
    if _aside(drafts / out.name).exists():
        _aside(drafts / out.name).replace(_aside(out))
    else:  # what an earlier run set aside is not what this one did
        _aside(out).unlink(missing_ok=True)
    (drafts / out.name).replace(out)
