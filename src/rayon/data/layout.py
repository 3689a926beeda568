"""The challenge's folder layout, and where the parts of any other catalogue lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rayon.data.readers import SUFFIXES
from rayon.errors import CatalogueError

_HINT = (
    "A catalogue folder holds X_train_update.csv, Y_train_CVw08PX.csv and images/image_train, "
    "or X_test_update.csv and images/image_test"
)


@dataclass(frozen=True)
class Layout:
    """Where the parts of a catalogue lie.

    Parameters
    ----------
    listings
        The file of listings.
    labels
        The file of codes, where it is a file of its own.
    picture_folder
        Where pictures are looked for by their ids; ``None`` where there is no such folder.
    picture_root
        Where the paths of an ``image`` column begin.
    """

    listings: Path
    labels: Path | None
    picture_folder: Path | None
    picture_root: Path


def find_layout(path: Path, images: Path | None) -> Layout:
    """Find the parts of the catalogue at `path`.

    A folder that has both the training and the test files is read for its training files; name
    ``X_test_update.csv`` itself to read the others.

    Raises
    ------
    CatalogueError
        When there is nothing at `path`, the folder is not in the challenge's layout, or one of its files
        is missing.
    """
    if path.is_dir():
        listings = _only(path, "X_train*.csv") or _only(path, "X_test*.csv")
        if listings is None:
            labels = _only(path, "Y_train*.csv")
            if labels is not None:
                raise CatalogueError(f"{path} has {labels.name} and no X_train_update.csv", _HINT)
            raise CatalogueError(
                f"{path} is not a catalogue folder: it has no X_train_update.csv", _others(path)
            )
    elif path.exists():
        listings = path
    else:
        raise CatalogueError(f"There is no catalogue {path}", "Check the path")
    folder = listings.parent
    part = next((part for part in ("train", "test") if listings.name.startswith(f"X_{part}")), None)
    labels = _only(folder, "Y_train*.csv") if part == "train" else None
    default = folder / "images" / f"image_{part}" if part else folder / "images"
    if images is None and not default.is_dir():
        default = folder / "images"
    found = images if images is not None else (default if default.is_dir() else None)
    return Layout(listings, labels, found, images if images is not None else folder)


def _only(folder: Path, pattern: str) -> Path | None:
    found = sorted(folder.glob(pattern))
    if len(found) > 1:
        raise CatalogueError(
            f"{folder} has several files {pattern}: {', '.join(path.name for path in found)}",
            "Keep the one to read in the folder",
        )
    return found[0] if found else None


def _others(folder: Path) -> str:
    files = sorted(path.name for path in folder.iterdir() if path.name.lower().endswith(SUFFIXES))
    return f"Did you mean {folder / files[0]}?" if files else _HINT
