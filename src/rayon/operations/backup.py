"""Everything that the service keeps, in one file, taken while it runs; and back, into SQLite or PostgreSQL.

The database is read in one consistent view, the pictures after it: they are written before the rows that name
them, so all of them are there. A backup from SQLite may be restored into PostgreSQL, and the other way round.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from rayon import __version__
from rayon.errors import ConflictError, NotFoundError, StoreError
from rayon.learning.model_files import ModelReader
from rayon.operations.archives import remove_folder
from rayon.operations.backup_file import ArchiveReader, ArchiveWriter, writing_archive
from rayon.store.database import Database
from rayon.store.dump import dump_rows, is_empty, load_rows, table_names
from rayon.store.images import ImageStore
from rayon.store.jobs import open_jobs
from rayon.store.predictions import all_images
from rayon.store.schema import downgrade_schema, known_revisions, schema_status, upgrade_schema

FORMAT = 1
_NAMES = re.compile(r"(?:[0-9a-f]{12}(?: [0-9a-f]{12})*)?")
Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a backup holds.

    Parameters
    ----------
    created_at
        When it was taken, ISO 8601 in UTC.
    rows
        Table to its number of rows.
    images, missing_images
        Pictures that are in it, and those that a prediction names but that are nowhere.
    models
        Their names, which are the beginnings of their versions.
    jobs
        How many jobs that had not ended.
    """

    created_at: str
    rows: dict[str, int]
    images: int
    missing_images: int
    models: list[str]
    jobs: int


def back_up(
    database: Database, images: ImageStore, home: Path, models: Sequence[Path], out: Path, progress: Progress
) -> BackupSummary:
    """Write database, pictures, models and the files of open jobs into one new file.

    Parameters
    ----------
    database, images, home
        Where everything is; the service may run.
    models
        Model folders.
    out
        The file, which appears once it is whole.
    progress
        Told how far it is.

    Raises
    ------
    OutputError
        When the file is there already, or cannot be written.
    ModelError
        When a model folder is damaged.
    """
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    status = schema_status(database)
    with (
        writing_archive(out) as archive,
        tempfile.TemporaryDirectory(dir=out.parent, prefix=".rayon-backup-") as scratch,
        database.snapshot() as connection,
    ):
        jobs = _hold_jobs(home / "jobs", open_jobs(connection), Path(scratch))
        rows = {}
        for done, name in enumerate(table_names(), start=1):
            rows[name] = _add_table(archive, name, dump_rows(connection, name), Path(scratch))
            progress("Tables", done, len(table_names()))
        digests = list(all_images(connection))
        missing = 0
        for done, digest in enumerate(digests, start=1):
            data = _read_whole(images, digest)
            if data is None:
                missing += 1
            else:
                archive.add(f"images/{digest}", data)
            progress("Pictures", done, len(digests))
        names = _add_models(archive, models, progress)
        _add_folder(archive, "jobs", Path(scratch) / "jobs")
        summary = BackupSummary(created_at, rows, len(digests) - missing, missing, names, len(jobs))
        archive.about = {
            "format": FORMAT,
            "rayon": __version__,
            "revision": status.current,
            "created_at": created_at,
            "rows": rows,
            "images": summary.images,
            "missing_images": missing,
            "models": names,
            "jobs": len(jobs),
        }
    return summary


def restore(
    database: Database, images: ImageStore, home: Path, source: Path, progress: Progress
) -> BackupSummary:
    """Bring everything back from a backup, into an empty database of either kind.

    The whole file is checked first. The database comes last and in one transaction, so that whatever stops
    this, it can be run again.

    Raises
    ------
    StoreError
        When the file is not a whole backup, or a newer Rayon wrote it.
    ConflictError
        When there is something in the database.
    """
    archive = ArchiveReader(source, lambda done, total: progress("Checking", done, total))
    _check_format(source, archive)
    with database.read() as connection:
        if not is_empty(connection):
            raise ConflictError(
                f"The database {database.address} is not empty",
                "Restore into an empty one",
            )
    files = len(archive.about["rows"]) + archive.about["images"]
    done = 0
    for name, file in archive.files():
        if name.parts[0] == "images":
            _restore_image(images, name.name, file)
            done += 1
            progress("Restoring", done, files)
        elif name.parts[0] in ("models", "jobs") and len(name.parts) > 2:
            _restore_file(home / name, file)
    for model in archive.about["models"]:
        ModelReader(home / "models" / model)
    _restore_tables(database, archive, lambda more: progress("Restoring", done + more, files))
    about = {name: archive.about[name] for name in BackupSummary.__slots__}
    return BackupSummary(**about)


def _read_whole(images: ImageStore, digest: str) -> bytes | None:
    """A picture as it was put; ``None`` where it is nowhere, or is another also when it is read again."""
    for _ in range(3):
        try:
            data = images.get(digest)
        except NotFoundError:
            return None
        if hashlib.sha256(data).hexdigest() == digest:
            return data
    return None


def _hold_jobs(folder: Path, job_ids: Sequence[str], scratch: Path) -> list[str]:
    """Keep the files of jobs for as long as the backup takes, also where the job ends meanwhile."""
    held = []
    for job_id in job_ids:
        target = scratch / "jobs" / job_id
        if not _hold_folder(folder / job_id, target):
            continue
        if (target / "images.zip").is_file():  # whoever goes on unpacks it again
            remove_folder(target / "images")
        held.append(job_id)
    return held


def _hold_folder(folder: Path, target: Path) -> bool:
    for _ in range(3):  # its pictures may be unpacked at this moment
        try:
            shutil.copytree(folder, target, copy_function=_link_or_copy)
        except (OSError, shutil.Error):
            remove_folder(target)
        else:
            return True
    return False  # it has ended since the database was looked at


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _add_table(archive: ArchiveWriter, name: str, lines: Iterable[str], scratch: Path) -> int:
    n = 0
    path = scratch / "table.gz"
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=6) as file:
        for n, line in enumerate(lines, start=1):  # noqa: B007  # the last number is the answer
            file.write(line)
    archive.add_file(f"tables/{name}.jsonl.gz", path)
    return n


def _add_models(archive: ArchiveWriter, models: Sequence[Path], progress: Progress) -> list[str]:
    names: list[str] = []
    for done, folder in enumerate(models, start=1):
        name = ModelReader(folder).fingerprint()[:12]
        if name not in names:
            names.append(name)
            _add_folder(archive, f"models/{name}", folder)
        progress("Models", done, len(models))
    return names


def _add_folder(archive: ArchiveWriter, prefix: str, folder: Path) -> None:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_file():
            archive.add_file(f"{prefix}/{path.relative_to(folder).as_posix()}", path)


def _check_format(source: Path, archive: ArchiveReader) -> None:
    about = archive.about
    needed = set(BackupSummary.__slots__) | {"format", "revision"}
    if (
        not isinstance(about, dict)
        or not needed <= set(about)
        or not _NAMES.fullmatch(" ".join(map(str, about["models"])))
    ):
        raise StoreError(f"{source} is not a backup of Rayon", "Take another; nothing was restored")
    if about["format"] != FORMAT or about["revision"] not in known_revisions():
        raise StoreError(
            f"{source} was written by a newer Rayon ({about.get('rayon')})",
            "Install that version, and restore with it",
        )


def _restore_image(images: ImageStore, digest: str, file: IO[bytes]) -> None:
    if images.put(file.read()) != digest:
        raise StoreError(f"The picture {digest!r} of the backup is another", "Take another backup")


def _restore_file(path: Path, file: IO[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.restoring")
    with draft.open("wb") as target:
        shutil.copyfileobj(file, target)
    draft.replace(path)


def _restore_tables(database: Database, archive: ArchiveReader, progress: Callable[[int], None]) -> None:
    revision = archive.about["revision"]
    if schema_status(database).current is not None:
        downgrade_schema(database, "base")  # it is empty, and the rows fit the tables of their time
    upgrade_schema(database, revision)
    done = 0
    with database.write() as connection:
        for name, file in archive.files():
            if name.parts[0] == "tables":
                with gzip.open(file, "rt", encoding="utf-8") as lines:
                    load_rows(connection, name.name.removesuffix(".jsonl.gz"), lines)
                done += 1
                progress(done)
    upgrade_schema(database)
