"""Encoders and heads by name, and from what a model folder says about them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from rayon.encoders.base import ImageEncoder, TextEncoder
from rayon.encoders.deep.extra import require_deep
from rayon.encoders.image_encoders import create_image_encoder, image_encoder_from_spec
from rayon.encoders.onnx_settings import ENCODER_NAME
from rayon.encoders.onnx_text import OnnxTextEncoder
from rayon.encoders.pipeline import available_cores
from rayon.encoders.pretrained import export_pretrained, require_part
from rayon.encoders.text_encoders import create_text_encoder, text_encoder_from_spec
from rayon.encoders.weights import PREFIX, Weights, WeightStore
from rayon.errors import ModelError, TrainingError
from rayon.learning.dense_head import DenseHead
from rayon.learning.finetuning.head import LinearHead
from rayon.learning.finetuning.modality import ImageNetwork, TextNetwork, TrainableModality
from rayon.learning.finetuning.settings import NetworkTraining
from rayon.learning.heads import Head
from rayon.learning.mlp_head import MlpHead
from rayon.learning.modalities import IMAGE, TEXT, ImageModality, Modality, TextModality, part_of
from rayon.learning.text_head import TextHead

NONE = "none"
CONV1D, CNN = "conv1d", "cnn"
_HEADS: dict[str, type[Head]] = {kind.__name__: kind for kind in (TextHead, DenseHead, MlpHead, LinearHead)}
_LONGEST_NAME = 40

Chosen = str | Path | TextEncoder | ImageEncoder
"""An encoder as it was asked for."""


@dataclass(frozen=True)
class NetworkOptions:
    """What concerns networks alone.

    Parameters
    ----------
    workspace
        Folder of pretrained weights, checkpoints and exported networks.
    finetune
        Whether pretrained networks are trained on.
    training
        How networks are trained; its ``precision`` and ``max_length`` hold for those that are not, too.
    """

    workspace: Path
    finetune: bool = False
    training: NetworkTraining = field(default_factory=NetworkTraining)

    @property
    def store(self) -> WeightStore:
        """The pretrained weights."""
        return WeightStore(self.workspace / "pretrained")


@dataclass
class ModelParts:
    """What a classifier is made of before it has learned."""

    modalities: list[Modality] = field(default_factory=list)
    make_head: dict[str, Callable[[], Head]] = field(default_factory=dict)
    networks: list[TrainableModality] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Names of all modalities, those whose network is yet to be trained included."""
        return [m.name for m in self.modalities] + [n.name for n in self.networks]


def make_parts(
    text: Chosen | Sequence[Chosen],
    image: Chosen | Sequence[Chosen],
    options: NetworkOptions,
    *,
    cache: Path | None,
    threads: int | None,
    random_state: int,
) -> ModelParts:
    """The modalities that a classifier was asked for, with a maker of heads for each.

    Raises
    ------
    TrainingError
        When a name is unknown, ``"none"`` is not alone, there is nothing but ``"none"``, or nothing to
        fine-tune.
    ModelError
        When an ONNX encoder or pretrained weights cannot be used.
    MissingDeepExtraError
        When a network is asked for, and what trains it is not installed.
    """
    parts = ModelParts()
    texts, images = _several(text, TEXT), _several(image, IMAGE)
    if options.finetune and not any(map(_is_pretrained, texts + images)):
        raise TrainingError(
            "There is nothing to fine-tune: no encoder has pretrained weights",
            f"Name one as {PREFIX}NAME_OR_FOLDER, or do not ask for it",
        )
    for chosen in texts:
        _add_text(parts, chosen, options, cache, threads, random_state)
    for chosen in images:
        _add_image(parts, chosen, options, cache, threads, random_state)
    if not parts.names:
        raise TrainingError("Neither text nor images are to be used", "Choose at least one encoder")
    return parts


def modality_from_spec(
    name: str, spec: Mapping[str, Any], folder: Path, *, cache: Path | None, threads: int | None
) -> Modality:
    """Make the modality of a stored model again.

    Raises
    ------
    ModelError
        When the specification is not understood, or its file is missing.
    """
    if part_of(name) == TEXT:
        encoder = text_encoder_from_spec(spec, folder, name, threads=threads or available_cores())
        return TextModality(encoder, cache, name)
    if part_of(name) == IMAGE:
        return ImageModality(image_encoder_from_spec(spec, folder, name), cache, threads, name)
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


def _several(chosen: Chosen | Sequence[Chosen], part: str) -> list[Chosen]:
    one = isinstance(chosen, str | Path) or not isinstance(chosen, Sequence)
    several: list[Chosen] = [chosen] if one else list(chosen)  # type: ignore[arg-type, list-item]
    if NONE in several and len(several) > 1:
        raise TrainingError(
            f"The {part} encoders are 'none' and others", "Leave out 'none', or give it alone"
        )
    return [] if several == [NONE] else several


def _add_text(
    parts: ModelParts,
    chosen: Any,
    options: NetworkOptions,
    cache: Path | None,
    threads: int | None,
    random_state: int,
) -> None:
    name = _name(TEXT, chosen, parts.names)
    weights = _weights("text", chosen, options)
    if chosen == CONV1D or (weights and options.finetune):
        parts.networks.append(TextNetwork(name, weights, options.training, options.workspace))
        return
    encoder = chosen
    if weights:
        encoder = export_pretrained(
            "text", weights, options.workspace, options.training.precision, options.training.max_length
        )
        encoder.threads = threads or available_cores()
    elif isinstance(chosen, str | Path):
        encoder = create_text_encoder(chosen, threads=threads or available_cores())
    parts.modalities.append(TextModality(encoder, cache, name))
    head = MlpHead if isinstance(encoder, OnnxTextEncoder) else TextHead
    parts.make_head[name] = partial(head, random_state=random_state)


def _add_image(
    parts: ModelParts,
    chosen: Any,
    options: NetworkOptions,
    cache: Path | None,
    threads: int | None,
    random_state: int,
) -> None:
    name = _name(IMAGE, chosen, parts.names)
    weights = _weights("image", chosen, options)
    if chosen == CNN or (weights and options.finetune):
        parts.networks.append(ImageNetwork(name, weights, options.training, options.workspace, threads))
        return
    encoder = chosen
    if weights:
        exported = export_pretrained("image", weights, options.workspace, options.training.precision)
        encoder = create_image_encoder(exported.path)
    elif isinstance(chosen, str | Path):
        encoder = create_image_encoder(chosen)
    parts.modalities.append(ImageModality(encoder, cache, threads, name))
    parts.make_head[name] = partial(DenseHead, random_state=random_state)


def _weights(part: Literal["text", "image"], chosen: Any, options: NetworkOptions) -> Weights | None:
    """Pretrained weights, if asked for; the extra is required before anything is fetched for it."""
    if not _is_pretrained(chosen):
        if chosen in (CONV1D, CNN):
            require_deep(f"The encoder {chosen}")
        return None
    require_deep(f"The encoder {chosen}")
    weights = options.store.find(chosen)
    require_part(part, weights)
    return weights


def _is_pretrained(chosen: Any) -> bool:
    return isinstance(chosen, str) and chosen.startswith(PREFIX)


def _name(part: str, chosen: Any, taken: Sequence[str]) -> str:
    """The part's name for its first encoder, and with a name of its own behind it for the others."""
    if part not in taken:
        return part
    if isinstance(chosen, str | Path):
        path = Path(str(chosen).removeprefix(PREFIX).partition("@")[0])
        word = path.parent.name if path.name == ENCODER_NAME else path.name.removesuffix(".onnx")
    else:
        word = chosen.name
    slug = re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_")[:_LONGEST_NAME] or "other"
    name, number = f"{part}-{slug}", 1
    while name in taken:
        number += 1
        name = f"{part}-{slug}_{number}"
    return name
