"""Checkpoints of transformers to networks: no code that comes with them, and no weights that do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import transformers
from torch import nn
from transformers.utils import logging

from rayon.encoders.onnx_session import first_line
from rayon.encoders.weights import read_configuration
from rayon.errors import ModelError

_ATTENTIONS = ("eager", "sdpa")
"""Ways to compute that are part of torch and transformers; any other may be fetched from the hub and run."""

_HINT = "Check it with: rayon encoders verify"


def load_backbone(folder: Path, part: Literal["text", "image"], towers: dict[str, str]) -> tuple[Any, bool]:
    """The network of a checkpoint, and whether the weights of its pooling layer are there.

    Parameters
    ----------
    folder
        ``config.json`` and weights as safetensors.
    part
        What it is wanted for, to be said in errors.
    towers
        Kind of a model of several parts to the class that is the wanted one alone.

    Raises
    ------
    ModelError
        When transformers cannot make it, weights are missing, or it asks for code from elsewhere.
    """
    _refuse_other_code(folder)
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    quietly = {"trust_remote_code": False, "local_files_only": True}
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **quietly)
        kind = getattr(transformers, towers.get(config.model_type, "AutoModel"))
        backbone, found = kind.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, **quietly
        )
    except Exception as error:  # transformers raises whatever its parts raise
        raise not_loaded(folder, part, error) from None
    missing = sorted(found["missing_keys"])
    needed = [name for name in missing if "pooler" not in name.split(".")]
    if needed:
        # transformers draws them at random, and each time others.
        raise ModelError(f"{folder} lacks weights of its network: {needed[0]}", _HINT)
    return backbone.float(), not missing


def not_loaded(folder: Path, part: str, error: Exception) -> ModelError:
    """What is said where transformers, or a network, raised an error of its own."""
    return ModelError(f"{folder} holds no {part} encoder that can be loaded ({first_line(error)})", _HINT)


def blank_dimension(network: nn.Module, folder: Path, part: str, *inputs: Any) -> int:
    """Length of the vectors that a network gives, tried out once.

    Raises
    ------
    ModelError
        When it cannot be run: it wants other inputs.
    """
    import torch

    try:
        with torch.no_grad():
            return int(network.train(False)(*inputs).shape[1])
    except Exception as error:  # networks raise whatever their parts raise
        raise not_loaded(folder, part, error) from None


def _refuse_other_code(folder: Path) -> None:
    named = _implementations(read_configuration(folder))
    other = next((value for value in named if value not in _ATTENTIONS), None)
    if other is not None:
        raise ModelError(
            f"The configuration of {folder} asks for the implementation {other!r}, "
            "which may be code from elsewhere",
            f"It may be one of: {', '.join(_ATTENTIONS)}",
        )


def _implementations(config: Any) -> Iterator[Any]:
    """What a configuration, its nested ones included, says of how to compute."""
    if isinstance(config, dict):
        for name, value in config.items():
            if name.endswith(("attn_implementation", "experts_implementation")):
                yield from value.values() if isinstance(value, dict) else [value] * (value is not None)
            else:
                yield from _implementations(value)
