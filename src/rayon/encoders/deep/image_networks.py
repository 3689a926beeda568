"""Networks that turn pictures into vectors: pretrained ones, and one that is trained from scratch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rayon.encoders.deep.loading import blank_dimension, load_backbone
from rayon.encoders.onnx import DEFAULT_SIZE, IMAGENET_MEAN, IMAGENET_STD
from rayon.errors import ModelError

CNN_SIZE = 96
"""Side in pixels of the pictures that the network from scratch looks at."""

_TOWERS = {"clip": "CLIPVisionModel", "siglip": "SiglipVisionModel"}
"""Models of text and pictures, of which only the half that sees is taken."""


class PretrainedImage(nn.Module):
    """A vision model of transformers: its pooled features, or the mean over its last layer.

    Parameters
    ----------
    folder
        An ordinary Hugging Face checkpoint: ``config.json`` and weights as safetensors, and what its
        pictures should look like in ``preprocessor_config.json``.

    Raises
    ------
    ModelError
        When the folder holds no image encoder that transformers can make.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.backbone, self.pooled = load_backbone(folder, "image", _TOWERS)
        if self.backbone.main_input_name != "pixel_values":
            raise ModelError(
                f"{folder} holds a {self.backbone.config.model_type} model, which looks at no pictures", ""
            )
        self.size, self.mean, self.std = _picture_settings(folder, self.backbone.config)
        blank = torch.zeros(1, 3, self.size, self.size)
        self.dimension = blank_dimension(self, folder, "image", blank)

    def forward(self, pixels: Tensor) -> Tensor:
        """Vectors `[n, d]` of normalised pixels `[n, 3, size, size]`."""
        answer = self.backbone(pixel_values=pixels)
        pooled = getattr(answer, "pooler_output", None)
        if pooled is not None and self.pooled:
            return torch.flatten(pooled, 1)
        states = answer.last_hidden_state
        return states.mean(dim=(2, 3)) if states.ndim == 4 else states.mean(dim=1)


class CnnImage(nn.Module):
    """A small residual network, trained from scratch.

    Parameters
    ----------
    widths
        Channels of each stage; every stage halves the picture.
    dropout
        Of the vectors, while training.
    """

    size = CNN_SIZE
    mean, std = IMAGENET_MEAN, IMAGENET_STD

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 256), dropout: float = 0.3) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        self.stages = nn.Sequential(
            *(_Residual(before, after) for before, after in zip((widths[0], *widths), widths, strict=False))
        )
        self.dropout = nn.Dropout(dropout)
        self.dimension = widths[-1]

    def forward(self, pixels: Tensor) -> Tensor:
        """Vectors `[n, d]` of normalised pixels `[n, 3, size, size]`."""
        return self.dropout(self.stages(self.stem(pixels)).mean(dim=(2, 3)))


class _Residual(nn.Module):
    """Two convolutions with a way past them (He et al., 2016); the first halves the picture."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.way = nn.Sequential(
            nn.Conv2d(before, after, 3, 2, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.past = nn.Sequential(nn.Conv2d(before, after, 1, 2, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.way(x) + self.past(x))


def _picture_settings(folder: Path, config: Any) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Side, mean and deviation of the pictures that a checkpoint takes."""
    path = folder / "preprocessor_config.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError):
        settings = None
    if not isinstance(settings, dict):
        raise ModelError(f"{path} cannot be read", "Fetch or copy the weights again")
    if settings.get("do_normalize", True):
        mean = _three_numbers(settings, "image_mean", IMAGENET_MEAN, path)
        std = _three_numbers(settings, "image_std", IMAGENET_STD, path)
        if min(std) <= 0:
            raise ModelError(f"The setting image_std of {path} is not above zero", f"It is {list(std)}")
    else:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    known = getattr(config, "image_size", None)
    crop = settings.get("crop_size") or settings.get("size") or {}
    side = crop.get("height") or crop.get("shortest_edge") if isinstance(crop, dict) else crop
    size = known if isinstance(known, int) else side or DEFAULT_SIZE
    return int(size), mean, std


def _three_numbers(
    settings: dict[str, Any], name: str, usual: tuple[float, ...], path: Path
) -> tuple[float, ...]:
    given = settings.get(name) or usual
    try:
        found = tuple(float(value) for value in given)
    except (TypeError, ValueError):
        found = ()
    if len(found) != 3:
        raise ModelError(f"The setting {name} of {path} is not a list of three numbers", f"It is {given!r}")
    return found
