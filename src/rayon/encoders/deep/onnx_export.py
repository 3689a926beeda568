"""Networks to ONNX files that are served without torch, compared with the network before they are used."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rayon.encoders.onnx import OnnxImageEncoder
from rayon.encoders.onnx_session import first_line
from rayon.encoders.onnx_settings import EIGHT_BITS, ENCODER_NAME, Precision
from rayon.encoders.onnx_text import TOKENIZER_FILE, OnnxTextEncoder
from rayon.errors import ModelError

TOLERANCE = 1e-3
"""Largest relative distance of an exported vector from the network's own."""

ROUNDING = 0.25
"""Largest relative distance of a vector in eight bits from the same in 32."""

_BLOCK = 64
"""Weights that share a scale. With 128, ONNX Runtime 1.32 lets a vector depend on its batch, by up to 3 %."""

_OPSET = 18
_MOST_BYTES = 2_000_000_000
_EXAMPLES = ("a", "lampe de bureau en métal noir, LED, 40 cm", "lot de 12 cartes " * 12)


class PictureNetwork(Protocol):
    """What an image network says of the pictures that it takes."""

    size: int
    mean: Sequence[float]
    std: Sequence[float]


def export_text(
    network: nn.Module,
    tokenizer: str,
    folder: Path,
    *,
    max_length: int,
    precision: Precision = "fp32",
    source: Mapping[str, Any] | None = None,
    threads: int = 1,
) -> OnnxTextEncoder:
    """Write ``encoder.onnx``, its settings and ``tokenizer.json`` into a folder, and open them.

    Parameters
    ----------
    network
        Takes ``input_ids`` and ``attention_mask``, gives vectors.
    tokenizer
        JSON of the tokenizers library.
    folder
        Made where it is missing.
    max_length
        Tokens of a listing that are read.
    precision
        ``"int8"`` keeps the weights of matrix products in eight bits.
    source
        Where the weights come from, JSON-ready.
    threads
        Of the encoder.

    Raises
    ------
    ModelError
        When the network cannot be exported, or the file does not give what the network gives.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = network.float().cpu().train(False)
    path = folder / ENCODER_NAME
    (folder / TOKENIZER_FILE).write_text(tokenizer, encoding="utf-8")
    ids = torch.ones((2, 8), dtype=torch.int64)
    batch, tokens = torch.export.Dim("batch", max=65536), torch.export.Dim("tokens", max=max(16, max_length))
    shapes = {0: batch, 1: tokens}
    _export(network, (ids, torch.ones_like(ids)), path, ["input_ids", "attention_mask"], (shapes, shapes))
    settings = {"max_length": max_length, "output": "vectors", "source": dict(source or {})}
    encoder = OnnxTextEncoder(path, settings=settings, threads=threads)
    ids_of = encoder.token_ids(_EXAMPLES)
    with torch.inference_mode():
        expected = [
            network(torch.tensor([found]), torch.ones((1, len(found)), dtype=torch.int64)).numpy()[0]
            for found in ids_of
        ]
    _compare(encoder.encode_texts(_EXAMPLES), np.stack(expected), path, TOLERANCE)
    path.with_name(f"{path.name}.json").write_text(json.dumps(settings) + "\n", encoding="utf-8")
    if precision == "int8":
        _quantise(path)
    return OnnxTextEncoder(path, threads=threads)


def export_image(
    network: nn.Module,
    folder: Path,
    *,
    precision: Precision = "fp32",
    source: Mapping[str, Any] | None = None,
) -> OnnxImageEncoder:
    """Write ``encoder.onnx`` and its settings into a folder, and open them; see `export_text`."""
    folder.mkdir(parents=True, exist_ok=True)
    network = network.float().cpu().train(False)
    size, mean, std = (getattr(network, name) for name in ("size", "mean", "std"))
    path = folder / ENCODER_NAME
    # Pictures go through one at a time, and some networks cannot be exported otherwise.
    _export(network, (torch.zeros(1, 3, size, size),), path, ["pixels"], None)
    settings = {
        "size": size,
        "mean": list(mean),
        "std": list(std),
        "output": "vectors",
        "source": dict(source or {}),
    }
    encoder = OnnxImageEncoder(path, settings=settings)
    pictures = _pictures(size)
    with torch.inference_mode():
        expected = network(normalised(pictures, mean, std)).numpy()
    _compare(encoder.encode(pictures), expected, path, TOLERANCE)
    path.with_name(f"{path.name}.json").write_text(json.dumps(settings) + "\n", encoding="utf-8")
    if precision == "int8":
        _quantise(path)
    return OnnxImageEncoder(path)


def eight_bits(folder: Path) -> Path:
    """An exported encoder once more, with weights in eight bits: its folder, within the given one."""
    place = folder / EIGHT_BITS
    if not place.is_dir():
        draft = Path(tempfile.mkdtemp(prefix=f".{EIGHT_BITS}-", dir=folder))
        try:
            for path in (folder / ENCODER_NAME, folder / f"{ENCODER_NAME}.json", folder / TOKENIZER_FILE):
                if path.is_file():
                    shutil.copyfile(path, draft / path.name)
            _quantise(draft / ENCODER_NAME)
            if not place.is_dir():  # another process may have been quicker
                draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return place


def normalised(pictures: NDArray[np.uint8], mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Pixels `float32[n, 3, s, s]` as networks take them, of pictures `uint8[n, s, s, 3]`."""
    factor = np.asarray(1 / 255 / np.asarray(std), np.float32)
    offset = np.asarray(np.asarray(mean) / np.asarray(std), np.float32)
    values = pictures.astype(np.float32) * factor - offset
    return torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))


def _export(
    network: nn.Module, inputs: tuple[Tensor, ...], path: Path, names: list[str], shapes: Any
) -> None:
    def attempt() -> None:
        with _silence():
            program = torch.onnx.export(
                network,
                inputs,
                input_names=names,
                output_names=["vectors"],
                dynamic_shapes=shapes,
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
            if program is None:
                raise RuntimeError("nothing was exported")
            for node in program.model.graph:
                node.metadata_props.clear()  # where in whose folders each line of the network's code lies
            program.save(str(path), external_data=False)

    try:
        try:
            attempt()
        except Exception:  # fused attention cannot be exported of every network: Swin's, for one
            if not _attend_plainly(network):
                raise
            attempt()
    except Exception as error:  # the exporter raises whatever its parts raise
        raise ModelError(
            f"The network cannot be written as ONNX ({first_line(error)})",
            "Use another encoder, and report this",
        ) from error
    if path.stat().st_size > _MOST_BYTES:
        raise ModelError(
            f"The network is {path.stat().st_size / 1e9:.1f} GB as ONNX, and a file holds 2",
            "Use a smaller encoder",
        )


def _attend_plainly(network: nn.Module) -> bool:
    """Have transformers compute attention step by step; whether there is anything that can."""
    backbone = getattr(network, "backbone", None)
    if backbone is None or not hasattr(backbone, "set_attn_implementation"):
        return False
    backbone.set_attn_implementation("eager")
    return True


def _pictures(size: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)


def _example_vectors(path: Path) -> NDArray[np.float32]:
    """What an exported encoder, with its settings beside it, gives for a few examples."""
    if (path.parent / TOKENIZER_FILE).is_file():
        return OnnxTextEncoder(path).encode_texts(_EXAMPLES)
    encoder = OnnxImageEncoder(path)
    return encoder.encode(_pictures(encoder.input_size))


def _compare(given: NDArray[np.float32], expected: NDArray[np.float32], path: Path, tolerance: float) -> None:
    distance = np.linalg.norm(given - expected, axis=1) / (np.linalg.norm(expected, axis=1) + 1e-6)
    if not (distance <= tolerance).all():
        raise ModelError(
            f"{path} does not give what the network gives (distance {distance.max():.2g})",
            "Use another encoder, and report this",
        )


def _quantise(path: Path) -> None:
    """Keep weights of matrix products in eight bits, a scale for each block of them.

    Activations are rounded block by block too, so that a vector does not depend on what else is encoded
    with it, as it would with one scale a batch. What comes out is compared with what went in.
    """
    import onnx
    from onnxruntime.quantization import matmul_nbits_quantizer, quant_utils

    before = _example_vectors(path)
    config = matmul_nbits_quantizer.DefaultWeightOnlyQuantConfig(
        block_size=_BLOCK,
        is_symmetric=True,
        accuracy_level=4,
        quant_format=quant_utils.QuantFormat.QOperator,
        op_types_to_quantize=("MatMul",),
        bits=8,
    )
    with _silence():
        quantizer = matmul_nbits_quantizer.MatMulNBitsQuantizer(onnx.load(path), algo_config=config)
        quantizer.process()
        quantizer.model.save_model_to_file(str(path), False)
    _compare(_example_vectors(path), before, path, ROUNDING)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what exporters print and warn about from people who cannot do anything about it."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
