"""Where the pictures of a catalogue lie: found by their name, or named by a column."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from pathlib import Path, PureWindowsPath

from rayon.errors import CatalogueError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
CHALLENGE_FOLDERS = ("image_train", "image_test")


class PictureFolder:
    """The pictures of a folder, found by ``image_<imageid>_product_<productid>`` or ``<imageid>``.

    The folder is listed once. Kept are 64-bit hashes of the names, eight bytes a picture instead of the
    hundred that the names take; should two ever collide, a picture is named that is not there, which its
    reader reports.

    Parameters
    ----------
    root
        The folder. The challenge's own sub-folders ``image_train`` and ``image_test`` in it are looked
        into as well.

    Raises
    ------
    CatalogueError
        When the folder is missing or may not be listed.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise CatalogueError(f"There is no image folder {root}", "Check the path given with --images")
        folders = [root, *(root / name for name in CHALLENGE_FOLDERS if (root / name).is_dir())]
        self._suffixes: set[str] = set()
        self._hashes = [(folder, self._scan(folder)) for folder in folders]

    def _scan(self, folder: Path) -> array[int]:
        hashes = array("q")
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    suffix = os.path.splitext(entry.name)[1]  # noqa: PTH122 - a Path per picture costs a second
                    if suffix.lower() in PICTURE_SUFFIXES:
                        self._suffixes.add(suffix)
                        hashes.append(hash(entry.name))
        except PermissionError:
            raise CatalogueError(f"{folder} may not be read", "Check its permissions") from None
        return array("q", sorted(hashes))

    def find(self, productid: str, imageid: str) -> Path | None:
        """The picture of a product, or ``None`` where the folder has none."""
        if not imageid:
            return None
        for stem in picture_stems(productid, imageid):
            for suffix in self._suffixes:
                name = stem + suffix
                key = hash(name)
                for folder, hashes in self._hashes:
                    place = bisect_left(hashes, key)
                    if place < len(hashes) and hashes[place] == key:
                        return folder / name
        return None


def picture_stems(productid: str, imageid: str) -> tuple[str, str]:
    """Names, without their suffix, that the picture of a product may bear."""
    imageid, productid = imageid.removesuffix(".0"), productid.removesuffix(".0")
    return f"image_{imageid}_product_{productid}", imageid


def named_picture(value: str, root: Path) -> tuple[Path | None, str | None]:
    """The file that a column names, and what is wrong with the name.

    A path is taken from `root` and must stay below it, absolute or not: a catalogue that came from
    somebody else must not make this program open any file of the machine.

    Returns
    -------
    tuple
        The file, or ``None`` where there is none; and the problem, or ``None``.
    """
    if "://" in value:
        return None, f"names {value!r}, which is a web address and not a file"
    path = Path(os.path.normpath(root / value))
    base = Path(os.path.normpath(root))
    if not path.is_relative_to(base) or PureWindowsPath(value).drive:
        return None, f"names {value!r}, which is outside of the image folder"
    try:
        there = path.is_file()
    except OSError:  # a name that no file can have
        there = False
    return (path, None) if there else (None, f"names {value[:200]!r}, which is not there")
