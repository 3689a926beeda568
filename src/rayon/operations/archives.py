"""ZIP files of pictures, unpacked without trusting a word of them."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Callable
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

_CHUNK = 1 << 20


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
            for entry in zipped.infolist():
                name = PurePosixPath(entry.filename.replace("\\", "/")).name
                if entry.is_dir() or not name.lower().endswith(SUFFIXES) or name.startswith("."):
                    continue
                if len(name.encode("utf-8", "replace")) > LONGEST_NAME:
                    continue
                if entry.compress_type not in COMPRESSIONS:
                    raise zipfile.BadZipFile(f"{name!r} is compressed in a rare way")
                going_on()
                count += 1
                if count > max_files:
                    raise CatalogueError(
                        f"The archive holds more than {max_files:,} pictures", "Send it in parts"
                    )
                total += _unpack(zipped, entry, folder / name, min(MAX_BYTES, max_total - total))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, UnicodeDecodeError) as error:
        # RuntimeError: an encrypted archive, or something in it that the library does not know
        raise CatalogueError(
            f"The archive of pictures cannot be unpacked ({error})", "Send an ordinary ZIP file"
        ) from None
    return count


def _unpack(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, limit: int) -> int:
    size = 0
    with zipped.open(entry) as source, path.open("wb") as target:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                target.close()
                path.unlink()
                raise CatalogueError(
                    f"The picture {path.name!r} of the archive is too large", "Send smaller versions"
                )
            target.write(chunk)
    return size


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)
