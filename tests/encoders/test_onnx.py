from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from rayon.encoders.base import ImageEncoder
from rayon.encoders.image_encoders import ENCODER_FILE, create_image_encoder, image_encoder_from_spec
from rayon.encoders.onnx import IMAGENET_MEAN, IMAGENET_STD, OnnxImageEncoder
from rayon.errors import ModelError

SIDE = 16


def write_encoder(
    path: Path,
    *,
    dtype=TensorProto.FLOAT,
    shape=("batch", 3, SIDE, SIDE),
    nodes=None,
    outputs=(("features", TensorProto.FLOAT, ("batch", 3)),),
    inputs=None,
    metadata=None,
) -> Path:
    """A tiny encoder: by default the mean of each channel."""
    axes = [2, 3] if shape[1] == 3 else [1, 2]
    if nodes is None:
        nodes = [
            helper.make_node("Cast", ["pixels"], ["values"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["values"], ["features"], axes=axes, keepdims=0),
        ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        inputs or [helper.make_tensor_value_info("pixels", dtype, shape)],
        [helper.make_tensor_value_info(name, kind, dims) for name, kind, dims in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if metadata:
        helper.set_model_props(model, metadata)
    onnx.save(model, str(path))
    return path


def pictures(n: int = 5, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def normalised_means(batch: np.ndarray, mean=IMAGENET_MEAN, std=IMAGENET_STD, scale=1 / 255) -> np.ndarray:
    return (batch.mean(axis=(1, 2)) * scale - np.array(mean)) / np.array(std)


def test_float_nchw_gets_imagenet_normalisation(tmp_path):
    encoder = OnnxImageEncoder(write_encoder(tmp_path / "e.onnx"))
    assert isinstance(encoder, ImageEncoder)
    assert (encoder.name, encoder.input_size, encoder.dimension) == ("onnx", SIDE, 3)
    vectors = encoder.encode(pictures())
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, normalised_means(pictures()), atol=1e-4)


def test_float_nhwc(tmp_path):
    encoder = OnnxImageEncoder(write_encoder(tmp_path / "e.onnx", shape=("batch", SIDE, SIDE, 3)))
    assert encoder.spec()["settings"]["layout"] == "NHWC"
    np.testing.assert_allclose(encoder.encode(pictures()), normalised_means(pictures()), atol=1e-4)


@pytest.mark.parametrize("shape", [("b", 3, SIDE, SIDE), ("b", SIDE, SIDE, 3)])
def test_uint8_gets_the_bare_pixels(shape, tmp_path):
    encoder = OnnxImageEncoder(write_encoder(tmp_path / "e.onnx", dtype=TensorProto.UINT8, shape=shape))
    np.testing.assert_allclose(encoder.encode(pictures()), pictures().mean(axis=(1, 2)), rtol=1e-5)


def test_float16(tmp_path):
    encoder = OnnxImageEncoder(write_encoder(tmp_path / "e.onnx", dtype=TensorProto.FLOAT16))
    vectors = encoder.encode(pictures())
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, normalised_means(pictures()), atol=1e-2)


@pytest.mark.parametrize("place", ["sidecar", "metadata"])
def test_settings_beside_or_inside_the_file(place, tmp_path):
    settings = {"mean": [0.5, 0.4, 0.3], "std": [0.5, 0.25, 0.2], "scale": 0.01}
    inside = {"rayon": json.dumps(settings)} if place == "metadata" else None
    path = write_encoder(tmp_path / "e.onnx", metadata=inside)
    if place == "sidecar":
        (tmp_path / "e.onnx.json").write_text(json.dumps(settings))
    expected = normalised_means(pictures(), settings["mean"], settings["std"], settings["scale"])
    np.testing.assert_allclose(OnnxImageEncoder(path).encode(pictures()), expected, atol=1e-4)


def test_open_size_is_224_unless_set(tmp_path):
    path = write_encoder(tmp_path / "e.onnx", shape=("b", 3, "h", "w"))
    assert OnnxImageEncoder(path).input_size == 224
    assert OnnxImageEncoder(path, settings={"size": 32}).input_size == 32


@pytest.mark.parametrize("count", [0, 1, 4, 6])
def test_fixed_batch_is_filled_up(count, tmp_path):
    encoder = OnnxImageEncoder(
        write_encoder(
            tmp_path / "e.onnx",
            shape=(4, 3, SIDE, SIDE),
            outputs=(("features", TensorProto.FLOAT, (4, 3)),),
        )
    )
    vectors = encoder.encode(pictures(count))
    assert vectors.shape == (count, 3)
    np.testing.assert_allclose(vectors, normalised_means(pictures(count)), atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "shape", "layout"),
    [
        ("map", ("b", 3, SIDE, SIDE), "NCHW"),
        ("map", ("b", SIDE, SIDE, 3), "NHWC"),
        ("tokens", ("b", SIDE * SIDE, 3), "NHWC"),
    ],
)
def test_maps_and_tokens_are_averaged(kind, shape, layout, tmp_path):
    nodes = [helper.make_node("Identity", ["pixels"], ["features"])]
    if kind == "tokens":
        size = helper.make_tensor("size", TensorProto.INT64, [3], [0, SIDE * SIDE, 3])
        nodes = [
            helper.make_node("Constant", [], ["size"], value=size),
            helper.make_node("Reshape", ["pixels", "size"], ["features"]),
        ]
    taken = ("b", 3, SIDE, SIDE) if layout == "NCHW" else ("b", SIDE, SIDE, 3)
    path = write_encoder(
        tmp_path / "e.onnx", shape=taken, nodes=nodes, outputs=(("features", TensorProto.FLOAT, shape),)
    )
    np.testing.assert_allclose(
        OnnxImageEncoder(path).encode(pictures()), normalised_means(pictures()), atol=1e-4
    )


def two_outputs(path: Path) -> Path:
    return write_encoder(
        path,
        nodes=[
            helper.make_node("Identity", ["pixels"], ["map"]),
            helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[2, 3], keepdims=0),
            helper.make_node("ReduceMax", ["pixels"], ["max"], axes=[2, 3], keepdims=0),
        ],
        outputs=(
            ("map", TensorProto.FLOAT, ("b", 3, SIDE, SIDE)),
            ("mean", TensorProto.FLOAT, ("b", 3)),
            ("max", TensorProto.FLOAT, ("b", 3)),
        ),
    )


def test_the_first_vector_is_taken_unless_another_output_is_named(tmp_path):
    path = two_outputs(tmp_path / "e.onnx")
    assert OnnxImageEncoder(path).spec()["settings"]["output"] == "mean"
    chosen = OnnxImageEncoder(path, settings={"output": "max", "mean": [0, 0, 0], "std": [1, 1, 1]})
    np.testing.assert_allclose(chosen.encode(pictures()), pictures().max(axis=(1, 2)) / 255, atol=1e-6)


def test_a_vector_does_not_depend_on_its_batch_or_thread(tmp_path):
    encoder = OnnxImageEncoder(write_encoder(tmp_path / "e.onnx"))
    batch = pictures(40)
    together = encoder.encode(batch)
    alone = np.concatenate([encoder.encode(batch[i : i + 1]) for i in range(40)])
    np.testing.assert_array_equal(together, alone)
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(lambda i: encoder.encode(batch[i : i + 1]), range(40)))
    np.testing.assert_array_equal(together, np.concatenate(threaded))


def test_made_again_from_its_spec(tmp_path):
    settings = {"mean": [0.5, 0.4, 0.3], "std": [0.5, 0.25, 0.2]}
    path = write_encoder(tmp_path / "e.onnx")
    (tmp_path / "e.onnx.json").write_text(json.dumps(settings))
    encoder = OnnxImageEncoder(path)
    spec = json.loads(json.dumps(encoder.spec()))
    assert spec["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / ENCODER_FILE).write_bytes(path.read_bytes())  # without the sidecar
    again = image_encoder_from_spec(spec, folder)
    np.testing.assert_array_equal(again.encode(pictures()), encoder.encode(pictures()))
    assert {**again.spec(), "file": "e.onnx"} == spec


def test_another_file_than_the_spec_names_is_refused(tmp_path):
    spec = OnnxImageEncoder(write_encoder(tmp_path / "e.onnx")).spec()
    write_encoder(tmp_path / ENCODER_FILE, metadata={"rayon": "{}"})
    with pytest.raises(ModelError) as caught:
        image_encoder_from_spec(spec, tmp_path)
    assert caught.value.message == f"{tmp_path / ENCODER_FILE} is not the image encoder of the model"


def test_unknown_names():
    with pytest.raises(ModelError) as caught:
        create_image_encoder("resnet")
    assert str(caught.value) == (
        "There is no image encoder 'resnet'. Use 'builtin' or the path of an .onnx file"
    )
    with pytest.raises(ModelError, match="The model names an unknown image encoder 'resnet'"):
        image_encoder_from_spec({"name": "resnet"})


def test_absent(tmp_path):
    path = tmp_path / "none.onnx"
    with pytest.raises(ModelError) as caught:
        create_image_encoder(path)
    assert str(caught.value) == f"There is no image encoder {path}. Check the path of the ONNX file"


def test_a_folder(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        OnnxImageEncoder(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07\x12\x00"])
def test_not_a_model(content, tmp_path):
    path = tmp_path / "e.onnx"
    path.write_bytes(content)
    with pytest.raises(
        ModelError, match=rf"^The image encoder {path} is not an ONNX model that can be run \("
    ):
        OnnxImageEncoder(path)


def test_truncated_model(tmp_path):
    path = write_encoder(tmp_path / "e.onnx")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError, match=rf"^The image encoder {path} "):
        OnnxImageEncoder(path)


def info(name: str, kind: int, shape: tuple) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"dtype": TensorProto.INT64},
            "takes tensor(int64), not pixels as uint8 or floating-point numbers",
        ),
        (
            {"shape": ("b", 1, SIDE, SIDE)},
            "takes an input of shape [None, 1, 16, 16], whose channels cannot be told",
        ),
        ({"shape": ("b", 3, SIDE, 8)}, "takes pictures of 16 × 8 pixels, not squares"),
        (
            {
                "shape": ("b", 3),
                "nodes": [helper.make_node("Identity", ["pixels"], ["features"])],
            },
            "takes an input of shape ['b', 3], not a batch of pictures",
        ),
        (
            {
                "inputs": [
                    info("pixels", TensorProto.FLOAT, ("b", 3, SIDE, SIDE)),
                    info("mask", TensorProto.FLOAT, ("b", 3)),
                ]
            },
            "takes 2 inputs instead of one picture",
        ),
        (
            {
                "nodes": [helper.make_node("ReduceMean", ["pixels"], ["features"], keepdims=0)],
                "outputs": (("features", TensorProto.FLOAT, ()),),
            },
            "gives no vector of features",
        ),
        (
            {
                "nodes": [
                    helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[2, 3], keepdims=0),
                    helper.make_node("Sub", ["means", "means"], ["zeros"]),
                    helper.make_node("Div", ["means", "zeros"], ["features"]),
                ]
            },
            "gives vectors with values that are not finite numbers",
        ),
    ],
)
def test_models_that_are_no_image_encoders(options, message, tmp_path):
    path = write_encoder(tmp_path / "e.onnx", **options)
    with pytest.raises(ModelError) as caught:
        OnnxImageEncoder(path)
    assert caught.value.message == f"The image encoder {path} {message}"
    assert caught.value.hint.startswith("Export an image encoder with one picture input")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sizes": 3}, "The image encoder {path} has an unknown setting 'sizes'"),
        ({"layout": "CHW"}, "The setting 'layout' of the image encoder {path} is not 'NCHW' or 'NHWC'"),
        (
            {"size": "big"},
            "The setting 'size' of the image encoder {path} is not a whole number from 8 to 4096",
        ),
        ({"scale": 0}, "The setting 'scale' of the image encoder {path} is not a positive number"),
        ({"mean": [1, 2]}, "The setting 'mean' of the image encoder {path} is not a list of three numbers"),
        (
            {"std": [1, 0, 1]},
            "The setting 'std' of the image encoder {path} is not a list of three positive numbers",
        ),
        ({"size": 32}, "The image encoder {path} takes pictures of 16 pixels, and the settings say 32"),
        ({"layout": "NHWC"}, "The image encoder {path} takes 16 channels as NHWC, not 3"),
        ({"input": "x"}, "The image encoder {path} has the inputs ['pixels'], and the settings name 'x'"),
        ({"output": "x"}, "The image encoder {path} has the outputs ['features'], and the settings name 'x'"),
    ],
)
def test_settings_that_do_not_fit(settings, message, tmp_path):
    path = write_encoder(tmp_path / "e.onnx")
    (tmp_path / "e.onnx.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError) as caught:
        OnnxImageEncoder(path)
    assert caught.value.message == message.format(path=path)


def test_uint8_pixels_cannot_be_normalised(tmp_path):
    path = write_encoder(tmp_path / "e.onnx", dtype=TensorProto.UINT8)
    with pytest.raises(ModelError, match="takes uint8 pixels, which cannot be normalised before it"):
        OnnxImageEncoder(path, settings={"mean": [0.5, 0.5, 0.5]})


@pytest.mark.parametrize(("text", "reason"), [("{", "not valid JSON"), ("[]", "not a JSON object")])
def test_broken_sidecar(text, reason, tmp_path):
    path = write_encoder(tmp_path / "e.onnx")
    sidecar = tmp_path / "e.onnx.json"
    sidecar.write_text(text)
    with pytest.raises(ModelError) as caught:
        OnnxImageEncoder(path)
    assert caught.value.message == f"The settings {sidecar} are {reason}"


def test_pictures_of_another_size(tmp_path):
    encoder = OnnxImageEncoder(write_encoder(tmp_path / "e.onnx"))
    with pytest.raises(ValueError, match=r"pictures must be \[n, 16, 16, 3\], not \(2, 8, 8, 3\)"):
        encoder.encode(pictures(2, 8))


def test_onnxruntime_is_only_imported_when_an_onnx_encoder_is_made():
    program = (
        "import sys; from rayon.encoders.image_encoders import create_image_encoder;"
        "create_image_encoder('builtin'); print('onnxruntime' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_the_real_encoder(shared):
    encoder = OnnxImageEncoder(shared / "models" / "mobilenet_v2_int8_embedding.onnx")
    assert (encoder.input_size, encoder.spec()["dimension"]) == (224, 1280)
    vectors = encoder.encode(pictures(3, 224))
    assert vectors.shape == (3, 1280)
    np.testing.assert_array_equal(vectors[1:2], encoder.encode(pictures(3, 224)[1:2]))
