"""ZIP files of pictures, unpacked without trusting a word of them."""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePosixPath

from rayon.data.image import MAX_BYTES
from rayon.errors import CatalogueError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Those that are unpacked piece by piece; the others may fill the memory at the first."""

LONGEST_NAME = 255
"""Bytes of a file's name."""
MAX_FILES = 1_000_000
MAX_TOTAL = 50 * 1024**3
"""Bytes of all pictures together."""

MAX_DIRECTORY = 64 * 1024**2
"""Bytes of an archive's list of contents that is looked at; some seven times as many are held in memory."""

_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, struct.error),
    *(IndexError, ValueError, OverflowError),  # lengths and places that cannot be
    RuntimeError,  # an encrypted archive, or something in it that the library does not know
)
"""What broken archives bring about."""


def unpack_images(
    archive: Path,
    folder: Path,
    *,
    max_files: int = MAX_FILES,
    max_total: int = MAX_TOTAL,
    going_on: Callable[[], None] = lambda: None,
) -> int:
    """Unpack the pictures of a ZIP into one flat folder, and say how many there were.

    Only the last part of each name counts, so that nothing lands elsewhere; what is no picture by its name,
    or bears a name that no file can have, is left out. Sizes are counted while unpacking, whatever the
    archive says of them.
    ``going_on`` is called before each picture; what it raises ends the unpacking.

    Raises
    ------
    CatalogueError
        When the archive is broken, or holds too many or too large files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count, total = 0, 0
    try:
        with zipfile.ZipFile(archive) as zipped:
            for name, entry in _pictures(zipped):
                going_on()
                count += 1
                if count > max_files:
                    raise CatalogueError(
                        f"The archive holds more than {max_files:,} pictures", "Send it in parts"
                    )
                total += _unpack(zipped, entry, folder / name, min(MAX_BYTES, max_total - total))
    except _UNREADABLE as error:
        raise _cannot_unpack(error) from None
    return count


class PictureArchive:
    """The pictures of a ZIP by their names, looked at without unpacking it.

    Names are taken, and archives refused, as `unpack_images` does; sizes are those that the archive claims.

    Parameters
    ----------
    archive
        The ZIP.

    Raises
    ------
    CatalogueError
        When it is broken or encrypted, or holds too many or too large files.
    """

    def __init__(self, archive: Path) -> None:
        self._file = _DirectoryReader(io.FileIO(archive))
        try:
            self._zipped = zipfile.ZipFile(self._file)
            self._entries = {name: _readable(name, entry) for name, entry in _pictures(self._zipped)}
        except (*_UNREADABLE, OSError) as error:
            self._file.close()
            raise _cannot_unpack(error) from None
        except BaseException:
            self._file.close()
            raise
        total = sum(entry.file_size for entry in self._entries.values())
        if len(self._entries) > MAX_FILES or total > MAX_TOTAL:
            self._file.close()
            raise CatalogueError("The archive holds too many pictures", "Send it in parts")

    @property
    def names(self) -> Collection[str]:
        """The last parts of the pictures' names."""
        return self._entries.keys()

    def read(self, name: str) -> bytes:
        """The bytes of a picture.

        Raises
        ------
        CatalogueError
            When it cannot be unpacked.
        """
        try:
            with self._zipped.open(self._entries[name]) as source:
                return source.read(MAX_BYTES)
        except (*_UNREADABLE, OSError) as error:
            raise _cannot_unpack(error) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _DirectoryReader(io.BufferedReader):
    """A file of which no more is read at once than the directory of an archive may take."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY:
            raise zipfile.BadZipFile(f"its directory is longer than {MAX_DIRECTORY:,} bytes")
        return super().read(size)


def _pictures(zipped: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """The entries that are pictures by their names, with the last part of these."""
    for entry in zipped.infolist():
        name = PurePosixPath(entry.filename.replace("\\", "/")).name
        if entry.is_dir() or not name.lower().endswith(SUFFIXES) or name.startswith("."):
            continue
        if len(name.encode("utf-8", "replace")) > LONGEST_NAME:
            continue
        if entry.compress_type not in COMPRESSIONS:
            raise zipfile.BadZipFile(f"{name!r} is compressed in a rare way")
        yield name, entry


def _readable(name: str, entry: zipfile.ZipInfo) -> zipfile.ZipInfo:
    if entry.flag_bits & _ENCRYPTED:
        raise zipfile.BadZipFile(f"{name!r} is encrypted")
    if entry.file_size > MAX_BYTES:
        raise _too_large(name)
    return entry


def _cannot_unpack(error: Exception) -> CatalogueError:
    reason = f"The archive of pictures cannot be unpacked ({error})"
    return CatalogueError(reason, "Send an ordinary ZIP file")


def _too_large(name: str) -> CatalogueError:
    return CatalogueError(f"The picture {name!r} of the archive is too large", "Send smaller versions")


def _unpack(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, limit: int) -> int:
    size = 0
    with zipped.open(entry) as source, path.open("wb") as target:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                target.close()
                path.unlink()
                raise _too_large(path.name)
            target.write(chunk)
    return size


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)
