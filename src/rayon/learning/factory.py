"""Encoders and heads by name, and from what a model folder says about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rayon.encoders.base import ImageEncoder, TextEncoder
from rayon.encoders.image_encoders import create_image_encoder, image_encoder_from_spec
from rayon.encoders.text import NgramEncoder
from rayon.errors import ModelError, TrainingError
from rayon.learning.dense_head import DenseHead
from rayon.learning.heads import Head
from rayon.learning.modalities import ImageModality, Modality, TextModality
from rayon.learning.text_head import TextHead

NONE = "none"
TEXT_ENCODERS = (NgramEncoder.name, NONE)
_HEADS: dict[str, type[Head]] = {kind.__name__: kind for kind in (TextHead, DenseHead)}


def make_modalities(
    text: str | TextEncoder,
    image: str | Path | ImageEncoder,
    *,
    cache: Path | None,
    threads: int | None,
    random_state: int,
) -> tuple[list[Modality], dict[str, Callable[[], Head]]]:
    """The modalities that a classifier was asked for, with a maker of heads for each.

    Raises
    ------
    TrainingError
        When a name is unknown, or both are ``"none"``.
    ModelError
        When an ONNX encoder cannot be used.
    """
    modalities: list[Modality] = []
    make_head: dict[str, Callable[[], Head]] = {}
    if text != NONE:
        modalities.append(TextModality(_text_encoder(text)))
        make_head["text"] = partial(TextHead, random_state=random_state)
    if image != NONE:
        encoder = create_image_encoder(image) if isinstance(image, str | Path) else image
        modalities.append(ImageModality(encoder, cache, threads))
        make_head["image"] = partial(DenseHead, random_state=random_state)
    if not modalities:
        raise TrainingError("Neither text nor images are to be used", "Choose at least one encoder")
    return modalities, make_head


def modality_from_spec(
    name: str, spec: Mapping[str, Any], folder: Path, *, cache: Path | None, threads: int | None
) -> Modality:
    """Make the modality of a stored model again.

    Raises
    ------
    ModelError
        When the specification is not understood, or its file is missing.
    """
    if name == "text":
        return TextModality(NgramEncoder.from_spec(spec))
    if name == "image":
        return ImageModality(image_encoder_from_spec(spec, folder), cache, threads)
    raise ModelError(
        f"The model has an unknown modality {name!r}", "Update Rayon: pip install --upgrade rayon"
    )


def head_from_state(kind: str, arrays: Mapping[str, NDArray[Any]]) -> Head:
    """Make a stored head again.

    Raises
    ------
    ModelError
        When there is no head of this kind.
    """
    if kind not in _HEADS:
        raise ModelError(
            f"The model has an unknown head {kind!r}", "Update Rayon: pip install --upgrade rayon"
        )
    return _HEADS[kind].from_arrays(arrays)


def _text_encoder(text: str | TextEncoder) -> TextEncoder:
    if not isinstance(text, str):
        return text
    if text != NgramEncoder.name:
        raise TrainingError(f"There is no text encoder {text!r}", f"Use one of: {', '.join(TEXT_ENCODERS)}")
    return NgramEncoder()
