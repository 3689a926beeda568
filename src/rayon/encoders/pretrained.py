"""Pretrained networks as they come: exported to ONNX once, and fixed from then on."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, overload

from rayon.encoders.leftovers import remove_leftovers
from rayon.encoders.onnx import OnnxImageEncoder
from rayon.encoders.onnx_settings import ENCODER_NAME, Precision
from rayon.encoders.onnx_text import DEFAULT_LENGTH, OnnxTextEncoder
from rayon.encoders.weights import PREFIX, Weights, read_configuration
from rayon.errors import ModelError

_DRAFT = re.compile(r"\.(text|image)-[0-9a-f]{24}-.+-\w{8}")
_FORGOTTEN = 86400.0
"""Seconds after which what was exported in part is removed."""

_VERSION = 2
"""Raised by one whenever the same weights would be exported in another way."""


@overload
def export_pretrained(
    part: Literal["text"],
    weights: Weights,
    workspace: Path,
    precision: Precision = ...,
    max_length: int = ...,
) -> OnnxTextEncoder: ...
@overload
def export_pretrained(
    part: Literal["image"], weights: Weights, workspace: Path, precision: Precision = ...
) -> OnnxImageEncoder: ...


def export_pretrained(
    part: Literal["text", "image"],
    weights: Weights,
    workspace: Path,
    precision: Precision = "fp32",
    max_length: int = DEFAULT_LENGTH,
) -> OnnxTextEncoder | OnnxImageEncoder:
    """The encoder of some weights as an ONNX file; what was exported before is taken again.

    Parameters
    ----------
    part
        ``"text"`` or ``"image"``.
    weights
        Of a transformer, or of a vision model.
    workspace
        Folder of exported networks.
    precision
        ``"int8"`` is smaller and faster.
    max_length
        Tokens of a listing that are read.

    Raises
    ------
    ModelError
        When the weights are no such encoder, or cannot be exported.
    MissingDeepExtraError
        When torch or transformers is not installed.
    """
    length = f"-{max_length}" if part == "text" else ""
    # The name and the revision are written into it, so that other ones of the same weights are another file.
    source = hashlib.sha256(json.dumps(weights.source(), sort_keys=True).encode()).hexdigest()
    name = f"{part}-{source[:24]}-{precision}{length}-v{_VERSION}"
    place = workspace / "exported" / name
    if not place.is_dir():
        remove_leftovers(place.parent, _DRAFT, _FORGOTTEN)
        write_pretrained(part, weights, place, precision, max_length)
    path = place / ENCODER_NAME
    return OnnxTextEncoder(path) if part == "text" else OnnxImageEncoder(path)


def part_of_weights(weights: Weights) -> Literal["text", "image"]:
    """What an encoder of these weights looks at, by their configuration; of both, the picture.

    Raises
    ------
    ModelError
        When the configuration cannot be read.
    """
    return "image" if _sees(read_configuration(weights.folder)) else "text"


def require_part(part: Literal["text", "image"], weights: Weights) -> None:
    """Refuse weights whose configuration says that they are for the other part.

    What it leaves open is seen when they are loaded, which may be long after the training has begun.

    Raises
    ------
    ModelError
        When they are, or the configuration cannot be read.
    """
    config = read_configuration(weights.folder)
    sees, reads = _sees(config), "vocab_size" in config or "text_config" in config
    does_not = {"text": sees and not reads, "image": reads and not sees}[part]
    if does_not:
        what = "reads no text" if part == "text" else "looks at no pictures"
        raise ModelError(f"{weights.folder} holds a {config.get('model_type')} model, which {what}", "")


def _sees(config: Mapping[str, Any]) -> bool:
    return any(name in config for name in ("vision_config", "image_size", "num_channels"))


def write_pretrained(
    part: Literal["text", "image"],
    weights: Weights,
    folder: Path,
    precision: Precision = "fp32",
    max_length: int = DEFAULT_LENGTH,
) -> OnnxTextEncoder | OnnxImageEncoder:
    """Write the encoder of some weights to a folder, as a whole or not at all, and open it.

    Parameters
    ----------
    folder
        Made by this; one that is there already stays as it is, unless it is empty.
    part, weights, precision, max_length
        As in `export_pretrained`, which names the errors as well.
    """
    from rayon.encoders.deep.extra import require_deep

    require_deep(f"The encoder {PREFIX}{weights.name}")
    from rayon.encoders.deep.image_networks import PretrainedImage
    from rayon.encoders.deep.onnx_export import export_image, export_text
    from rayon.encoders.deep.text_networks import PretrainedText, pretrained_tokenizer

    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        if part == "image":
            image = PretrainedImage(weights.folder)
            export_image(image, draft, precision=precision, source=weights.source())
        else:
            text = PretrainedText(weights.folder)
            export_text(
                text,
                pretrained_tokenizer(weights.folder, text),
                draft,
                max_length=min(max_length, text.longest),
                precision=precision,
                source=weights.source(),
            )
        draft.chmod(0o755)
        try:
            draft.rename(folder)
        except OSError:
            if not (folder / ENCODER_NAME).is_file():  # where it is, another process was quicker
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    path = folder / ENCODER_NAME
    return OnnxTextEncoder(path) if part == "text" else OnnxImageEncoder(path)
