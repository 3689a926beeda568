from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from rayon.encoders.base import ImageEncoder
from rayon.encoders.image import BuiltinImageEncoder
from rayon.encoders.image_encoders import ENCODER_FILE, create_image_encoder, image_encoder_from_spec
from rayon.encoders.onnx import OnnxImageEncoder
from rayon.encoders.stack import Part, StackedImageEncoder
from rayon.encoders.views import look


def channel_means(path: Path, side: int = 160) -> Path:
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["pixels"], ["features"], axes=[2, 3], keepdims=0)],
        "encoder",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ("b", 3, side, side))],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ("b", 3))],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def pictures(n: int, side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def test_an_onnx_file_is_shown_two_views_and_stacked_with_the_builtin_features(tmp_path):
    path = channel_means(tmp_path / "e.onnx")
    stack = create_image_encoder(path)
    assert isinstance(stack, ImageEncoder)
    assert isinstance(stack, StackedImageEncoder)
    assert (stack.name, stack.input_size, stack.path) == ("stack", 160, path)
    batch = pictures(3, 160)
    batch[:, :40] = 255
    batch[:, :, :40] = 255
    network, builtin = OnnxImageEncoder(path), BuiltinImageEncoder()
    expected = [
        network.encode(batch),
        network.encode(look(batch, 160, "trimmed")),
        builtin.encode(look(batch, 128, "trimmed")),
    ]
    np.testing.assert_array_equal(stack.encode(batch), np.hstack(expected))
    assert np.abs(expected[0] - expected[1]).max() > 0.05
    assert stack.encode(batch[:0]).shape == (0, 6 + builtin.dimension)


def test_made_again_from_its_spec(tmp_path):
    path = channel_means(tmp_path / "e.onnx", 64)
    stack = create_image_encoder(path)
    assert stack.input_size == 128
    (tmp_path / ENCODER_FILE).write_bytes(path.read_bytes())
    again = image_encoder_from_spec(json.loads(json.dumps(stack.spec())), tmp_path)
    np.testing.assert_array_equal(again.encode(pictures(2, 128)), stack.encode(pictures(2, 128)))


def test_an_empty_stack_is_refused():
    for parts in ([], [Part(BuiltinImageEncoder(), ())]):
        with pytest.raises(ValueError, match="a stack needs at least one encoder, and each encoder a view"):
            StackedImageEncoder(parts)


def test_a_stack_without_a_file_has_no_path():
    assert StackedImageEncoder([Part(BuiltinImageEncoder(), ("whole",))]).path is None
