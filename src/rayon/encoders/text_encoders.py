"""Text encoders by name or path, and from what a model folder says about them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rayon.encoders.base import TextEncoder
from rayon.encoders.onnx_session import encoder_file, tokenizer_file
from rayon.encoders.onnx_text import OnnxTextEncoder
from rayon.encoders.text import NgramEncoder
from rayon.errors import ModelError


def create_text_encoder(name_or_path: str | Path, *, threads: int = 1) -> TextEncoder:
    """Make a text encoder that needs no training.

    Parameters
    ----------
    name_or_path
        ``"ngrams"``, or the path of an ONNX file with its tokenizer beside it.
    threads
        Batches that a network encodes side by side.

    Raises
    ------
    ModelError
        When there is no such encoder.
    """
    if str(name_or_path) == NgramEncoder.name:
        return NgramEncoder()
    path = Path(name_or_path)
    if path.suffix.lower() != ".onnx":
        raise ModelError(
            f"There is no text encoder {str(name_or_path)!r}",
            "Use 'ngrams', 'conv1d', 'hf:NAME_OR_FOLDER' or the path of an .onnx file",
        )
    return OnnxTextEncoder(path, threads=threads)


def text_encoder_from_spec(
    spec: Mapping[str, Any], folder: Path, modality: str, *, threads: int = 1
) -> TextEncoder:
    """Make the very encoder again that `spec` describes.

    Parameters
    ----------
    spec
        What the encoder's `spec()` gave.
    folder
        The model folder, which holds an ONNX encoder and its tokenizer.
    modality
        The name of the modality, after which the files are named.
    threads
        As in `create_text_encoder`.

    Raises
    ------
    ModelError
        When the specification is not understood, or a file is missing or another one.
    """
    if spec.get("name") != OnnxTextEncoder.name:
        return NgramEncoder.from_spec(spec)
    path, tokenizer = folder / encoder_file(modality), folder / tokenizer_file(modality)
    encoder = OnnxTextEncoder(path, tokenizer, settings=spec["settings"], threads=threads)
    if (encoder.sha256, encoder.tokenizer_sha256) != (spec["sha256"], spec["tokenizer_sha256"]):
        raise ModelError(f"{path} is not the text encoder of the model", "Restore the folder from a backup")
    return encoder
