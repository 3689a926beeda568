"""Pictures a second, against what decoding and inference need by themselves in the same run.

The reference is a pipeline in which decoding is spread over all cores and inference follows with all cores
on one picture (or with one core, where that is faster): ``decode time / cores + inference time`` a picture,
each measured alone. The ratio is our pictures a second times that; above 1, decoding and inference overlap.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.common import DataMissing, shared_data
from rayon.data.image import decode_image
from rayon.encoders.base import ImageEncoder
from rayon.encoders.image import BuiltinImageEncoder
from rayon.encoders.image_encoders import create_image_encoder
from rayon.encoders.onnx import OnnxImageEncoder
from rayon.encoders.pipeline import available_cores, encode_images

PICTURES = 128
ROUNDS = 3


def measure() -> dict[str, Any]:
    """Ratios and rates on pictures of 192 and 500 pixels, for each kind of encoder."""
    model = shared_data("..", "models", "mobilenet_v2_int8_embedding.onnx")
    cores = available_cores()
    results: dict[str, Any] = {"cores": cores, "rounds": ROUNDS}
    for folder, side in (("train-silver", 192), ("dev-balanced", 500)):
        files = sorted(shared_data("rakuten", folder, "images", "image_train").glob("*.jpg"))[:PICTURES]
        results[f"onnx_{side}"] = _compare(
            OnnxImageEncoder(model), OnnxImageEncoder(model, threads=cores), files, cores
        )
        results[f"stack_{side}"] = _compare(
            create_image_encoder(model), create_image_encoder(model, threads=cores), files, cores
        )
        results[f"builtin_{side}"] = _compare(BuiltinImageEncoder(), BuiltinImageEncoder(), files, cores)
        print(f"  images of {side} pixels: {len(files)}", file=sys.stderr)
    return results


def _compare(
    encoder: ImageEncoder, all_cores: ImageEncoder, files: list[Path], cores: int
) -> dict[str, float]:
    """Measure the parts and the whole in turn, so that a busy machine slows all of them alike."""
    size = encoder.input_size
    pictures = np.stack([decode_image(file, size) for file in files])
    rounds = []
    for _ in range(ROUNDS):
        decode = _seconds(lambda: [decode_image(file, size) for file in files])
        infer = min(
            _seconds(lambda: _one_by_one(all_cores, pictures)),
            _seconds(lambda: _one_by_one(encoder, pictures)),
        )
        ours = _seconds(lambda: encode_images(encoder, files))
        rounds.append((decode / len(files), infer / len(files), ours / len(files)))
    decode, infer, ours = (median(values) for values in zip(*rounds, strict=True))
    return {
        "images_per_second": 1 / ours,
        "decode_ms": 1000 * decode,
        "inference_ms": 1000 * infer,
        "ratio": median((d / cores + i) / o for d, i, o in rounds),
    }


def _one_by_one(encoder: ImageEncoder, pictures: NDArray[np.uint8]) -> None:
    for start in range(len(pictures)):
        encoder.encode(pictures[start : start + 1])


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    try:
        print(json.dumps(measure(), indent=1))
    except DataMissing as missing:
        sys.exit(str(missing))
