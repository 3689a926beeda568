"""A TAR file with a list of its content: written as a whole or not at all, and checked before it is used."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from rayon.errors import OutputError, StoreError

MANIFEST = "manifest.json"
"""The last file of the archive: the SHA-256 of every other, and what the writer says of them."""

_CHUNK = 1 << 20


class ArchiveWriter:
    """Adds files; `writing_archive` gives one."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._digests: dict[str, str] = {}
        self.about: dict[str, Any] = {}
        """What is to be said of the content in the manifest."""

    def add(self, name: str, data: bytes) -> None:
        """Add a file with this content."""
        self._add(name, io.BytesIO(data), len(data))

    def add_file(self, name: str, path: Path) -> None:
        """Add a file from disk."""
        with path.open("rb") as file:
            self._add(name, file, path.stat().st_size)

    def close(self) -> None:
        """Add the manifest."""
        manifest = json.dumps({"about": self.about, "files": self._digests}, indent=1).encode()
        self._add(MANIFEST, io.BytesIO(manifest), len(manifest))

    def _add(self, name: str, file: IO[bytes], size: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        hashing = _Hashing(file)
        self._tar.addfile(entry, hashing)  # it reads, and asks for nothing else
        self._digests[name] = hashing.digest.hexdigest()


class ArchiveReader:
    """An archive whose every byte has been checked.

    Parameters
    ----------
    path
        The file.
    progress
        Told how many bytes are checked, and of how many.

    Raises
    ------
    StoreError
        When it is no such archive, or is not exactly as it was written.
    """

    def __init__(self, path: Path, progress: Callable[[int, int], None]) -> None:
        self._path = path
        try:
            digests, manifest = self._read_all(progress)
            self.about: dict[str, Any] = manifest["about"]
            intact = digests == manifest["files"]
        except FileNotFoundError:
            raise StoreError(f"There is no file {path}", "Check the path") from None
        except (OSError, tarfile.TarError, EOFError, ValueError, KeyError, TypeError) as error:
            raise _damaged(path, str(error) or type(error).__name__) from None
        if not intact:
            raise _damaged(path, "its files are not those that were written")

    def files(self) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
        """Give all files but the manifest, in the order in which they were added."""
        with tarfile.open(self._path, "r:") as tar:
            for entry in tar:
                file = tar.extractfile(entry)
                if file is not None and entry.name != MANIFEST:
                    yield PurePosixPath(entry.name), file

    def _read_all(self, progress: Callable[[int, int], None]) -> tuple[dict[str, str], Any]:
        digests: dict[str, str] = {}
        last = b""
        size = self._path.stat().st_size
        with tarfile.open(self._path, "r:") as tar:
            for entry in tar:
                _check_name(entry)
                file = tar.extractfile(entry)
                if file is None or entry.name in digests:
                    raise ValueError(f"{entry.name!r} is there twice, or is no file")
                if entry.name == MANIFEST:
                    last = file.read()
                    break
                digests[entry.name] = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
                progress(entry.offset_data + entry.size, size)
        progress(size, size)
        if not last:
            raise ValueError("its end is missing")
        return digests, json.loads(last)


@contextmanager
def writing_archive(path: Path) -> Iterator[ArchiveWriter]:
    """Give a writer whose archive appears, readable by its owner alone, when the block ends without an error.

    Raises
    ------
    OutputError
        When the file is there already, or cannot be written.
    """
    if path.exists():
        raise OutputError(f"{path} is in the way", "Choose another name")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            draft = Path(file.name)
            try:
                with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as tar:
                    writer = ArchiveWriter(tar)
                    yield writer
                    writer.close()
                file.flush()
                os.fsync(file.fileno())
                draft.rename(path)
            finally:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error})", "Check the folder and the free space"
        ) from None


def _check_name(entry: tarfile.TarInfo) -> None:
    parts = PurePosixPath(entry.name).parts
    if not entry.isreg() or not parts or parts[0] == "/" or ".." in parts or "\\" in entry.name:
        raise ValueError(f"{entry.name!r} is no plain file")


def _damaged(path: Path, why: str) -> StoreError:
    return StoreError(f"{path} is not a whole backup ({why})", "Take another; nothing was restored")


class _Hashing:
    """Reads a file, and keeps the SHA-256 of what went through."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data
