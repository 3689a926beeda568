"""Networks that turn pictures into vectors: pretrained ones, and one that is trained from scratch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rayon.encoders.deep.extra import quiet_transformers
from rayon.encoders.onnx import DEFAULT_SIZE, IMAGENET_MEAN, IMAGENET_STD
from rayon.encoders.onnx_session import first_line
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
        import transformers

        quiet_transformers()
        try:
            config = transformers.AutoConfig.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
            kind = getattr(transformers, _TOWERS.get(config.model_type, "AutoModel"))
            self.backbone = kind.from_pretrained(
                folder, use_safetensors=True, trust_remote_code=False, local_files_only=True
            )
        except Exception as error:  # transformers raises whatever its parts raise
            raise _not_loaded(folder, error) from None
        if self.backbone.main_input_name != "pixel_values":
            raise ModelError(
                f"{folder} holds a {self.backbone.config.model_type} model, which looks at no pictures", ""
            )
        self.backbone.float()
        self.size, self.mean, self.std = _picture_settings(folder, self.backbone.config)
        try:
            with torch.no_grad():
                blank = torch.zeros(1, 3, self.size, self.size)
                self.dimension = int(self.train(False)(blank).shape[1])
        except Exception as error:  # it wants more than pixels, or other ones
            raise _not_loaded(folder, error) from None

    def forward(self, pixels: Tensor) -> Tensor:
        """Vectors `[n, d]` of normalised pixels `[n, 3, size, size]`."""
        answer = self.backbone(pixel_values=pixels)
        pooled = getattr(answer, "pooler_output", None)
        if pooled is not None:
            return torch.flatten(pooled, 1)
        states = answer.last_hidden_state
        return states.mean(dim=(2, 3)) if states.ndim == 4 else states.mean(dim=1)


def _not_loaded(folder: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{folder} holds no image encoder that can be loaded ({first_line(error)})",
        "Check it with: rayon encoders verify",
    )


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
        raise ModelError(f"{path} cannot be read", "Download the weights again") from None
    mean = tuple(float(value) for value in settings.get("image_mean") or IMAGENET_MEAN)
    std = tuple(float(value) for value in settings.get("image_std") or IMAGENET_STD)
    known = getattr(config, "image_size", None)
    crop = settings.get("crop_size") or settings.get("size") or {}
    side = crop.get("height") or crop.get("shortest_edge") if isinstance(crop, dict) else crop
    size = known if isinstance(known, int) else side or DEFAULT_SIZE
    return int(size), mean, std
