"""What is kept of a finished training: the exported network, its classification layer and its curve."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from rayon.encoders.onnx_settings import EIGHT_BITS, ENCODER_NAME, Precision
from rayon.errors import ModelError
from rayon.learning.finetuning.head import LinearHead
from rayon.learning.finetuning.workspace import TrainingFolder

if TYPE_CHECKING:
    from rayon.learning.finetuning.trainer import TrainedNetwork

FINISHED = "finished.json"
HEAD_FILE = "head.npz"
CHECKPOINT_FILE = "checkpoint.safetensors"
BEST_FILE = "best.safetensors"


def train_once(folder: TrainingFolder, precision: Precision, train: Callable[[Path], None]) -> None:
    """Train in a folder and make what is to serve, unless that is there."""
    if not (folder.path / FINISHED).is_file():
        with folder.alone():
            train(folder.path)
    if precision == "int8":
        from rayon.encoders.deep.onnx_export import eight_bits

        eight_bits(folder.path)


def exported(folder: TrainingFolder, precision: Precision) -> Path:
    """The ONNX file of a finished training, in the precision that is to serve."""
    place = folder.path / EIGHT_BITS if precision == "int8" else folder.path
    return place / ENCODER_NAME


def finish(folder: Path, trained: TrainedNetwork) -> None:
    """Say that a training is done, and drop what it needed to go on."""
    head = LinearHead(trained.weights, trained.bias)
    np.savez(folder / HEAD_FILE, **head.to_arrays())  # type: ignore[arg-type]  # keys never clash with file
    draft = folder / f".{FINISHED}.tmp"
    draft.write_text(json.dumps({"curve": trained.curve}) + "\n", encoding="utf-8")
    for path in [*folder.glob("*.onnx*"), folder / HEAD_FILE, draft]:
        _write_through(path)
    draft.replace(folder / FINISHED)
    _write_through(folder)
    for name in (CHECKPOINT_FILE, BEST_FILE):
        (folder / name).unlink(missing_ok=True)


def _write_through(path: Path) -> None:
    """Have a file, or the names in a folder, outlast a power cut."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def read_finished(folder: Path) -> tuple[LinearHead, list[dict[str, float]]]:
    """The classification layer and the figures of each epoch.

    Raises
    ------
    ModelError
        When they cannot be read.
    """
    try:
        with np.load(BytesIO((folder / HEAD_FILE).read_bytes()), allow_pickle=False) as stored:
            head = LinearHead.from_arrays({name: stored[name] for name in stored.files})
        return head, json.loads((folder / FINISHED).read_text(encoding="utf-8"))["curve"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        raise ModelError(
            f"The trained network in {folder} cannot be read", "Remove that folder, and train again"
        ) from None
