"""A model in one ZIP file, as it travels from one installation to another."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from rayon.errors import ModelError, OutputError, StoreUnavailableError
from rayon.learning.model import ProductClassifier
from rayon.learning.model_files import CHECKSUM_FILE, MODEL_FILE, ModelReader
from rayon.operations.archives import COMPRESSIONS
from rayon.operations.smoke import run_smoke_set

MAX_FILES = 100
MAX_TOTAL = 5 * 1024**3
"""Bytes of all files of a model together."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,80}\.(json|md|npz|onnx|safetensors)")
_CHUNK = 1 << 20
_HINT = "Send what an export gave, or a ZIP of the files of a model folder"


def pack_model(folder: Path, out: Path) -> None:
    """Write a model folder as a ZIP file, after checking every byte of it.

    Raises
    ------
    ModelError
        When the folder is not a whole model.
    OutputError
        When the file cannot be written.
    """
    names = sorted({CHECKSUM_FILE, *ModelReader(folder).names()})
    try:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as zipped:  # most of it is compressed already
            for name in names:
                zipped.write(folder / name, name)
    except OSError as error:
        raise OutputError(
            f"The archive {out} cannot be written ({error.strerror})", "Check the free space"
        ) from None


def unpack_model(archive: Path, folder: Path, *, max_total: int = MAX_TOTAL) -> None:
    """Unpack the model of a ZIP into a folder that is not there yet, and try it.

    Nothing of the archive is trusted: only plain files with a model's names are unpacked, into one flat
    folder, their bytes counted on the way; they have to be exactly those that the checksums name, and the
    model has to load and to answer.

    Raises
    ------
    ModelError
        When it is no such archive, or the model in it is not whole, or does not answer.
    StoreUnavailableError
        When there is no room for it.
    """
    try:
        folder.mkdir()
        _unpack(archive, folder, max_total)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, UnicodeDecodeError) as error:
        # RuntimeError: an encrypted archive, or something in it that the library does not know
        raise ModelError(f"The archive of the model cannot be unpacked ({error})", _HINT) from None
    except FileExistsError:
        raise ModelError("The archive holds a file twice", _HINT) from None
    except OSError as error:
        raise StoreUnavailableError(
            f"The model cannot be unpacked in {archive.parent} ({error.strerror})",
            "Make room, then try again",
            public="There is no room for the model at the moment",
        ) from None
    _try(folder)


def _unpack(archive: Path, folder: Path, max_total: int) -> None:
    total = 0
    with zipfile.ZipFile(archive) as zipped:
        entries = [entry for entry in zipped.infolist() if not entry.is_dir()]
        if len(entries) > MAX_FILES:
            raise ModelError(f"The archive holds more than {MAX_FILES} files", _HINT)
        for entry in entries:
            target = folder / _checked_name(entry)
            with zipped.open(entry) as source, target.open("xb") as file:
                while chunk := source.read(_CHUNK):
                    total += len(chunk)
                    if total > max_total:
                        raise ModelError(f"The model is larger than {max_total:,} bytes", _HINT)
                    file.write(chunk)


def _checked_name(entry: zipfile.ZipInfo) -> str:
    path = PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    # A folder around all files is what most programs pack.
    if len(path.parts) > 2 or ".." in path.parts or path.is_absolute() or not _NAME.fullmatch(path.name):
        raise ModelError(f"The archive holds {entry.filename[:80]!r}, which no model has", _HINT)
    if kind not in (0, stat.S_IFREG):
        raise ModelError(f"{entry.filename[:80]!r} in the archive is no plain file", _HINT)
    if entry.compress_type not in COMPRESSIONS:
        raise ModelError(f"{entry.filename[:80]!r} in the archive is compressed in a rare way", _HINT)
    return path.name


def _try(folder: Path) -> None:
    there = {path.name for path in folder.iterdir()}
    if MODEL_FILE not in there:
        raise ModelError(f"The archive holds no model: {MODEL_FILE} is missing", _HINT)
    try:
        known = {CHECKSUM_FILE, *ModelReader(folder).names()}
        model = ProductClassifier.load(folder)
    except ModelError as error:
        message = error.message.replace(f"{folder}/", "").replace(f"{folder}", "the archive")
        raise ModelError(message, _HINT) from None
    except Exception as error:  # whatever a file can bring about is the sender's fault
        raise ModelError(
            f"The model of the archive cannot be loaded ({type(error).__name__})", _HINT
        ) from error
    if there != known:
        raise ModelError(f"The archive holds {min(there ^ known)!r}, which is not of the model", _HINT)
    run_smoke_set(model)
