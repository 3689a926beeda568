"""What the shape of an ONNX encoder's input cannot say, from a JSON file beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rayon.errors import ModelError

Precision = Literal["fp32", "int8"]
"""Of the weights that are kept."""

ENCODER_NAME = "encoder.onnx"
"""Name of the file in a folder that holds an exported encoder."""

EIGHT_BITS = "int8"
"""Name of the folder within it that holds the same in eight bits."""

KNOWN = frozenset({"layout", "size", "scale", "mean", "std", "input", "output", "source"})
"""The settings that there are; `OnnxImageEncoder` says what they mean."""


def read_sidecar(path: Path) -> Mapping[str, Any]:
    """Settings in ``<path>.json``; none where there is no such file."""
    beside = path.with_name(f"{path.name}.json")
    if not beside.is_file():
        return {}
    try:
        text = beside.read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        raise ModelError(f"The settings {beside} cannot be read", "Write them as JSON in UTF-8") from None
    return parse_settings(text, f"The settings {beside}")


def parse_settings(text: str, name: str) -> Mapping[str, Any]:
    """Settings in a JSON text that errors call `name`."""
    try:
        value = json.loads(text)
    except ValueError:
        raise ModelError(f"{name} are not valid JSON", "Write an object such as {}") from None
    if not isinstance(value, dict):
        raise ModelError(f"{name} are not a JSON object", "Write an object such as {}")
    return value


def check_settings(settings: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The settings of the encoder in `path`, refused with a `ModelError` where they make no sense."""

    def wrong(key: str, expected: str) -> ModelError:
        return ModelError(
            f"The setting {key!r} of the image encoder {path} is not {expected}", f"It is {settings[key]!r}"
        )

    unknown = sorted(set(settings) - KNOWN)
    if unknown:
        raise ModelError(
            f"The image encoder {path} has an unknown setting {unknown[0]!r}",
            f"Known are {', '.join(sorted(KNOWN))}",
        )
    if settings.get("layout", "NCHW") not in ("NCHW", "NHWC"):
        raise wrong("layout", "'NCHW' or 'NHWC'")
    if "size" in settings and not (type(settings["size"]) is int and 8 <= settings["size"] <= 4096):
        raise wrong("size", "a whole number from 8 to 4096")
    if "scale" in settings and not (_is_number(settings["scale"]) and settings["scale"] > 0):
        raise wrong("scale", "a positive number")
    for key in ("mean", "std"):
        values = settings.get(key, [1, 1, 1])
        if not (isinstance(values, list | tuple) and len(values) == 3 and all(map(_is_number, values))):
            raise wrong(key, "a list of three numbers")
    if any(value <= 0 for value in settings.get("std", [1])):
        raise wrong("std", "a list of three positive numbers")
    check_source(settings, f"image encoder {path}")
    return settings


def check_source(settings: Mapping[str, Any], what: str) -> None:
    """Refuse, with a `ModelError`, a ``source`` that does not name the weights; ``what`` has it."""
    source = settings.get("source") or {"name": ""}
    if not isinstance(source, Mapping) or not all(
        isinstance(value, bool if key == "finetuned" else str) for key, value in source.items()
    ):
        raise ModelError(f"The setting 'source' of the {what} is not an object of texts", f"It is {source!r}")
    if "name" not in source:
        raise ModelError(f"The setting 'source' of the {what} has no name", f"It is {source!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
