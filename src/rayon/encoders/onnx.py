"""Any ONNX image encoder, by path: what it takes and gives is read from the file.

A pretrained network cut at its pooled features makes a good encoder. Layout, size and pixel type come from
the shape of its input; what the shape cannot say (normalisation, which output) comes from an optional
``<file>.onnx.json`` beside it, or from the metadata entry ``rayon`` of the file with the same JSON in it::

    {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "output": "pooler_output", "size": 224}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rayon.encoders.onnx_session import first_line, open_network
from rayon.encoders.onnx_settings import check_settings, parse_settings, read_sidecar
from rayon.errors import ModelError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
DEFAULT_SIZE = 224
"""Side in pixels where the file leaves it open."""

_HINT = "Export an image encoder with one picture input and one vector of features a picture as output"
_TYPES: dict[str, type[Any]] = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}


class _Input(NamedTuple):
    name: str
    dtype: type[Any]
    layout: Literal["NCHW", "NHWC"]
    size: int
    batch: int | None


class OnnxImageEncoder:
    """An image encoder in an ONNX file, run on the CPU by ONNX Runtime.

    Pictures go through one at a time (or in the batches that the file fixes), so that a vector never
    depends on what else was encoded with it. `encode` may be called from several threads at once: that is
    how `encode_images` keeps every core busy, and why a single call uses one thread unless told otherwise.

    Parameters
    ----------
    path
        The ONNX file, weights included.
    settings
        What the input's shape cannot say: ``layout`` (``"NCHW"`` or ``"NHWC"``), ``size`` (pixels), ``scale``
        (factor on the 0 to 255 pixels), ``mean`` and ``std`` (three numbers, after scaling), ``input`` and
        ``output`` (names), ``source`` (where the weights come from, for people). Read from the sidecar or the
        file's metadata where it is not given. Without it, floating-point inputs get ImageNet's normalisation
        and uint8 inputs the bare pixels.
    threads
        Threads of a single call.

    Raises
    ------
    ModelError
        When the file is not an ONNX model, not an image encoder, or the settings do not fit it.
    """

    name = "onnx"

    def __init__(
        self, path: Path | str, *, settings: Mapping[str, Any] | None = None, threads: int = 1
    ) -> None:
        self.path = Path(path)
        self._session, self.sha256 = open_network(self.path, "image encoder", _HINT, threads)
        if settings is None:
            settings = read_sidecar(self.path) or self._metadata()
        self._settings = check_settings(settings, self.path)
        self._input = self._read_input()
        self.input_size = self._input.size
        self._read_normalisation()
        self._output = self._choose_output()
        self.dimension = self._try_out()

    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Vectors `float32[n, d]` of `n` pictures `uint8[n, input_size, input_size, 3]` in RGB.

        Raises
        ------
        ModelError
            When the network fails, or gives something other than finite numbers.
        """
        expected = (self.input_size, self.input_size, 3)
        if pictures.ndim != 4 or pictures.shape[1:] != expected:
            raise ValueError(f"pictures must be [n, {expected[0]}, {expected[1]}, 3], not {pictures.shape}")
        step = self._input.batch or 1
        vectors = np.empty((len(pictures), self.dimension), np.float32)
        for start in range(0, len(pictures), step):
            part = pictures[start : start + step]
            vectors[start : start + step] = self._run(part)
        return vectors

    def spec(self) -> dict[str, Any]:
        """JSON-ready description: the file's SHA-256 and every setting that was used."""
        source = {"source": self._settings["source"]} if "source" in self._settings else {}
        return {
            "name": self.name,
            "file": self.path.name,
            "sha256": self.sha256,
            "settings": {
                **source,
                "layout": self._input.layout,
                "size": self._input.size,
                "scale": self._scale,
                "mean": self._mean,
                "std": self._std,
                "input": self._input.name,
                "output": self._output,
            },
            "dimension": self.dimension,
        }

    def _run(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        batch = self._input.batch
        count = len(pictures)
        if batch and count < batch:
            filler = np.zeros((batch - count, *pictures.shape[1:]), np.uint8)
            pictures = np.concatenate([pictures, filler])
        try:
            result = self._session.run([self._output], {self._input.name: self._prepare(pictures)})[0]
        except Exception as error:  # ONNX Runtime's exceptions share no public base
            raise self._error(f"fails on a picture ({first_line(error)})") from None
        return self._pool(np.asarray(result))[:count]

    def _prepare(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        values: NDArray[Any] = pictures
        if self._input.dtype is not np.uint8:
            factor = np.asarray(self._scale / np.asarray(self._std), np.float32)
            offset = np.asarray(np.asarray(self._mean) / np.asarray(self._std), np.float32)
            values = (pictures.astype(np.float32) * factor - offset).astype(self._input.dtype, copy=False)
        if self._input.layout == "NCHW":
            values = values.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(values)

    def _pool(self, result: NDArray[Any]) -> NDArray[np.float32]:
        """Average a feature map over space, or a sequence of tokens over the tokens."""
        if result.ndim == 4:
            result = result.mean(axis=(2, 3) if self._input.layout == "NCHW" else (1, 2), dtype=np.float32)
        elif result.ndim == 3:
            result = result.mean(axis=1, dtype=np.float32)
        vectors = result.astype(np.float32, copy=False)
        if not np.isfinite(vectors).all():
            raise self._error("gives vectors with values that are not finite numbers")
        return vectors

    def _metadata(self) -> Mapping[str, Any]:
        text = self._session.get_modelmeta().custom_metadata_map.get("rayon", "{}")
        return parse_settings(text, f"The metadata entry 'rayon' of {self.path}")

    def _read_input(self) -> _Input:
        inputs = {node.name: node for node in self._session.get_inputs()}
        wanted = self._settings.get("input")
        if wanted is None and len(inputs) != 1:
            raise self._error(f"takes {len(inputs)} inputs instead of one picture")
        if wanted is not None and (wanted not in inputs or len(inputs) != 1):
            raise self._error(f"has the inputs {sorted(inputs)}, and the settings name {wanted!r}")
        node = inputs[wanted] if wanted is not None else next(iter(inputs.values()))
        if node.type not in _TYPES:
            raise self._error(f"takes {node.type}, not pixels as uint8 or floating-point numbers")
        shape = [side if isinstance(side, int) and side > 0 else None for side in node.shape]
        if len(shape) != 4:
            raise self._error(f"takes an input of shape {node.shape}, not a batch of pictures")
        layout = self._layout(shape)
        height, width = shape[2:] if layout == "NCHW" else shape[1:3]
        size = self._size(height, width)
        return _Input(node.name, _TYPES[node.type], layout, size, shape[0])

    def _layout(self, shape: list[int | None]) -> Literal["NCHW", "NHWC"]:
        chosen = self._settings.get("layout")
        if chosen == "NHWC" or (chosen is None and shape[3] == 3 and shape[1] != 3):
            channels, layout = shape[3], "NHWC"
        elif chosen == "NCHW" or shape[1] == 3:
            channels, layout = shape[1], "NCHW"
        else:
            raise self._error(f"takes an input of shape {shape}, whose channels cannot be told")
        if channels not in (3, None):
            raise self._error(f"takes {channels} channels as {layout}, not 3")
        return "NHWC" if layout == "NHWC" else "NCHW"

    def _size(self, height: int | None, width: int | None) -> int:
        sides = {side for side in (height, width) if side is not None}
        if len(sides) > 1:
            raise self._error(f"takes pictures of {height} × {width} pixels, not squares")
        chosen = self._settings.get("size")
        if sides and chosen is not None and chosen not in sides:
            raise self._error(f"takes pictures of {sides.pop()} pixels, and the settings say {chosen}")
        return int(sides.pop() if sides else chosen or DEFAULT_SIZE)

    def _read_normalisation(self) -> None:
        raw = self._input.dtype is np.uint8
        given = {key for key in ("scale", "mean", "std") if key in self._settings}
        plain = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        mean, std = plain if raw else (IMAGENET_MEAN, IMAGENET_STD)
        self._scale = float(self._settings.get("scale", 1.0 if raw else 1 / 255))
        self._mean = [float(value) for value in self._settings.get("mean", mean)]
        self._std = [float(value) for value in self._settings.get("std", std)]
        identity = (self._scale, tuple(self._mean), tuple(self._std)) == (1.0, *plain)
        if raw and given and not identity:
            raise self._error("takes uint8 pixels, which cannot be normalised before it")

    def _choose_output(self) -> str:
        outputs = {node.name: node for node in self._session.get_outputs()}
        chosen = self._settings.get("output")
        if chosen is not None:
            if not isinstance(chosen, str) or chosen not in outputs:
                raise self._error(f"has the outputs {sorted(outputs)}, and the settings name {chosen!r}")
            return str(chosen)
        floating = [node for node in outputs.values() if node.type in ("tensor(float)", "tensor(float16)")]
        for dimensions in (2, 4, 3):
            for node in floating:
                if len(node.shape) == dimensions:
                    return str(node.name)
        raise self._error("gives no vector of features")

    def _try_out(self) -> int:
        picture = np.full((1, self.input_size, self.input_size, 3), 255, np.uint8)
        vector = self._run(picture)
        if vector.ndim != 2 or vector.shape[0] != 1 or vector.shape[1] == 0:
            raise self._error(f"gives an array of shape {vector.shape} for one picture, not one vector")
        return int(vector.shape[1])

    def _error(self, what: str) -> ModelError:
        return ModelError(f"The image encoder {self.path} {what}", _HINT)
