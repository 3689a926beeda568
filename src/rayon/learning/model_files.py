"""A model version on disk: an immutable folder of npz, JSON and ONNX files with checksums.

The folder appears as a whole or not at all, and every byte of it is checked before anything is used.
Arrays are read with ``allow_pickle=False``; nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayon.errors import ModelError, OutputError

FORMAT_VERSION = 1
"""Raised by one whenever an older Rayon could no longer read what this one writes."""

MODEL_FILE = "model.json"
CHECKSUM_FILE = "checksums.json"
_RETRAIN_HINT = "Restore the folder from a backup, or train again"


class ModelWriter:
    """Collects the files of one model version in a folder that is not there yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON document, UTF-8, keys in the given order."""
        self.write_text(name, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, UTF-8."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def write_arrays(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write named arrays as one compressed npz file; object arrays are refused."""
        for key, array in arrays.items():
            if array.dtype.hasobject:
                raise ModelError(f"The array {key!r} of {name} holds Python objects, which are never stored")
        # The same arrays give the same bytes: numpy stamps the members with a constant date.
        np.savez_compressed(self.folder / name, **dict(arrays))  # type: ignore[arg-type]  # keys never clash with file

    def copy(self, name: str, source: Path) -> None:
        """Copy a file, such as an ONNX encoder, into the folder."""
        shutil.copyfile(source, self.folder / name)


@contextmanager
def writing_model(folder: Path, *, overwrite: bool = False) -> Iterator[ModelWriter]:
    """Give a `ModelWriter` whose files become ``folder`` when the block ends without an error.

    Raises
    ------
    OutputError
        When the folder is in the way, or cannot be written.
    """
    check_model_target(folder, overwrite)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise OutputError(
            f"The model folder {folder} cannot be made ({error.strerror})", _SPACE_HINT
        ) from None
    try:
        yield ModelWriter(draft)
        _write_checksums(draft)
        draft.chmod(0o755)  # mkdtemp makes private folders; a model is meant to be served by others
        _take_place(draft, folder)
    except OSError as error:
        raise OutputError(
            f"The model folder {folder} cannot be written ({error.strerror})", _SPACE_HINT
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class ModelReader:
    """A model folder whose every file has been checked.

    Raises
    ------
    ModelError
        When the folder is not a model, a file is missing, changed or added, or the format is newer.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise ModelError(
                f"There is no model folder {folder}", "Train one with: rayon train CATALOGUE --out DIR"
            )
        self._check_format()
        self._check_bytes()
        self.model = self.read_json(MODEL_FILE)

    def read_json(self, name: str) -> Any:
        """Read a JSON document of the folder."""
        try:
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ModelError(f"The model file {self.folder / name} cannot be read", _RETRAIN_HINT) from None

    def read_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Read the named arrays of an npz file of the folder."""
        try:
            with np.load(self.folder / name, allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except (OSError, ValueError, zipfile.BadZipFile):
            raise ModelError(f"The model file {self.folder / name} cannot be read", _RETRAIN_HINT) from None

    def has(self, name: str) -> bool:
        """Whether the folder holds a file of this name."""
        return name in self._checksums

    def names(self) -> list[str]:
        """The files that the model is made of, beside its checksums."""
        return list(self._checksums)

    def fingerprint(self) -> str:
        """SHA-256 over all checksums: the identity of this model version."""
        return _digest_of(self._checksums)

    def _check_format(self) -> None:
        # Read before the checksums: a newer Rayon may write files that this one has never heard of.
        path = self.folder / MODEL_FILE
        if not path.is_file():
            raise ModelError(f"{self.folder} is not a model folder: {MODEL_FILE} is missing", _RETRAIN_HINT)
        try:
            version = json.loads(path.read_text(encoding="utf-8"))["format"]
        except (OSError, ValueError, KeyError, TypeError):
            raise ModelError(f"The model file {path} cannot be read", _RETRAIN_HINT) from None
        if not isinstance(version, int) or version > FORMAT_VERSION:
            raise ModelError(
                f"The model file {path} has format {version}, and this Rayon reads up to {FORMAT_VERSION}",
                "Update Rayon: pip install --upgrade rayon",
            )

    def _check_bytes(self) -> None:
        path = self.folder / CHECKSUM_FILE
        if not path.is_file():
            raise ModelError(f"The model file {path} is missing", _RETRAIN_HINT)
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            self._checksums: dict[str, str] = document["files"]
            intact = document["self"] == _digest_of(self._checksums)
        except (OSError, ValueError, KeyError, TypeError):
            intact = False
        if not intact:
            raise ModelError(f"The model file {path} has changed since it was written", _RETRAIN_HINT)
        for name, expected in self._checksums.items():
            file = self.folder / name
            if not file.is_file():
                raise ModelError(f"The model file {file} is missing", _RETRAIN_HINT)
            if _sha256(file) != expected:
                raise ModelError(f"The model file {file} has changed since it was written", _RETRAIN_HINT)


_SPACE_HINT = "Check the permissions and the free space, or choose another folder"


def check_model_target(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that a model must not be written to.

    Raises
    ------
    OutputError
        When there is a model already and it may not be overwritten, or something else is in the way.
    """
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.is_dir() and (folder / MODEL_FILE).is_file():
        if overwrite:
            return
        raise OutputError(
            f"There is a model in {folder} already", "Choose another folder, or pass --overwrite"
        )
    if folder.exists():
        raise OutputError(f"{folder} is in the way and is not a model", "Choose another folder")


def _take_place(draft: Path, folder: Path) -> None:
    # The old version is moved aside before it is deleted, so that there is a whole model at any moment.
    if not folder.exists():
        draft.rename(folder)
        return
    aside = draft.with_name(f"{draft.name}-old")
    folder.rename(aside)
    draft.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def _write_checksums(folder: Path) -> None:
    checksums = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    document = {"files": checksums, "self": _digest_of(checksums)}
    (folder / CHECKSUM_FILE).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _digest_of(checksums: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(checksums, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
