"""Image encoders by name or path, and from what a model folder says about them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rayon.encoders.base import ImageEncoder
from rayon.encoders.image import BuiltinImageEncoder
from rayon.encoders.onnx import OnnxImageEncoder
from rayon.encoders.onnx_session import encoder_file
from rayon.encoders.stack import Part, StackedImageEncoder
from rayon.errors import ModelError

ENCODER_FILE = encoder_file("image")
"""Name of the only ONNX image encoder inside a model folder."""


def create_image_encoder(name_or_path: str | Path, *, threads: int = 1) -> ImageEncoder:
    """Make an image encoder.

    Parameters
    ----------
    name_or_path
        ``"builtin"``, or the path of an ONNX file, which is shown each picture whole and trimmed, and
        whose vectors the builtin ones are put beside.
    threads
        Threads of a single call of `encode`; `encode_images` makes several calls at once.

    Raises
    ------
    ModelError
        When there is no such encoder.
    """
    if str(name_or_path) == BuiltinImageEncoder.name:
        return BuiltinImageEncoder()
    path = Path(name_or_path)
    if path.suffix.lower() != ".onnx":
        raise ModelError(
            f"There is no image encoder {str(name_or_path)!r}", "Use 'builtin' or the path of an .onnx file"
        )
    network = Part(OnnxImageEncoder(path, threads=threads), ("whole", "trimmed"))
    return StackedImageEncoder([network, Part(BuiltinImageEncoder(), ("trimmed",))])


def image_encoder_from_spec(
    spec: Mapping[str, Any], folder: Path | None = None, modality: str = "image", *, threads: int = 1
) -> ImageEncoder:
    """Make the very encoder again that `spec` describes.

    Parameters
    ----------
    spec
        What the encoder's `spec()` gave.
    folder
        The model folder, which holds the ONNX encoder.
    modality
        The name of the modality, after which that file is named.
    threads
        As in `create_image_encoder`.

    Raises
    ------
    ModelError
        When the specification is not understood, or the ONNX file is missing or another one.
    """
    if spec.get("name") == StackedImageEncoder.name:
        parts = [
            Part(
                image_encoder_from_spec(part["encoder"], folder, modality, threads=threads),
                tuple(part["views"]),
            )
            for part in spec["parts"]
        ]
        return StackedImageEncoder(parts)
    if spec.get("name") == BuiltinImageEncoder.name:
        encoder: ImageEncoder = BuiltinImageEncoder()
        if encoder.spec() != dict(spec):
            raise ModelError("The builtin image encoder of the model is of another version", _UPDATE_HINT)
        return encoder
    if spec.get("name") != OnnxImageEncoder.name or folder is None:
        raise ModelError(f"The model names an unknown image encoder {spec.get('name')!r}", _UPDATE_HINT)
    path = folder / encoder_file(modality)
    encoder = OnnxImageEncoder(path, settings=spec["settings"], threads=threads)
    if encoder.sha256 != spec["sha256"]:
        raise ModelError(f"{path} is not the image encoder of the model", "Restore the folder from a backup")
    return encoder


_UPDATE_HINT = "Use the version of Rayon that trained the model, or train again"
