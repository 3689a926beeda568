"""Text encoders in ONNX files: what serves needs onnxruntime and tokenizers, and no torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from rayon.data.listings import Listing
from rayon.encoders.base import TextEncoder
from rayon.encoders.onnx_text import OnnxTextEncoder, plain_text
from rayon.encoders.text_encoders import create_text_encoder, text_encoder_from_spec
from rayon.encoders.text_pipeline import FEW, encode_texts
from rayon.errors import ModelError

WORDS = ("[PAD]", "[UNK]", "table", "chaise", "roman", "poche", "é")
INT = TensorProto.INT64


def write_encoder(folder: Path, *, inputs=("input_ids", "attention_mask"), rank=3, width=4) -> Path:
    """An encoder that looks each token up in a table; a rank of 2 gives the first token's row."""
    folder.mkdir(parents=True, exist_ok=True)
    table = np.random.default_rng(0).standard_normal((len(WORDS), width)).astype(np.float32)
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["states"], axis=0)]
    if rank == 2:
        nodes.append(helper.make_node("Gather", ["states", "zero"], ["vectors"], axis=1))
    output = "vectors" if rank == 2 else "states"
    shape = ("batch", "tokens", width) if rank == 3 else ("batch", width)
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info(name, INT, ("batch", "tokens")) for name in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array(0), "zero")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(folder / "encoder.onnx"))
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "encoder.onnx"


def table_of(path: Path) -> np.ndarray:
    model = onnx.load(path)
    return numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == "table"))


def test_tokens_are_averaged_and_padding_is_not(tmp_path: Path) -> None:
    path = write_encoder(tmp_path / "e")
    encoder = OnnxTextEncoder(path)
    assert isinstance(encoder, TextEncoder)
    table = table_of(path)
    found = encoder.encode_texts(["table", "", "table chaise roman", "rien"])
    np.testing.assert_allclose(found[0], table[2], rtol=1e-6)
    np.testing.assert_array_equal(found[1], 0)
    np.testing.assert_allclose(found[2], table[[2, 3, 4]].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found[3], table[1], rtol=1e-6)
    many = [" ".join(np.random.default_rng(n).choice(WORDS[2:], 1 + n % 9)) for n in range(200)]
    alone = np.concatenate([encoder.encode_texts([text]) for text in many])
    np.testing.assert_allclose(encoder.encode_texts(many), alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        OnnxTextEncoder(path, threads=4).encode_texts(many), encoder.encode_texts(many)
    )


def test_inputs_and_outputs_are_read_from_the_file(tmp_path: Path) -> None:
    three = write_encoder(
        tmp_path / "three", inputs=("input_ids", "attention_mask", "token_type_ids"), rank=2
    )
    encoder = OnnxTextEncoder(three)
    np.testing.assert_allclose(encoder.encode_texts(["roman poche"])[0], table_of(three)[4], rtol=1e-6)
    assert encoder.spec()["settings"]["output"] == "vectors"
    other = write_encoder(tmp_path / "other", inputs=("input_ids", "position_ids"))
    with pytest.raises(ModelError) as caught:
        OnnxTextEncoder(other)
    assert caught.value.message == (
        f"The text encoder {other} takes input_ids, position_ids, not input_ids and attention_mask"
    )


def test_long_texts_are_cut_off(tmp_path: Path) -> None:
    path = write_encoder(tmp_path / "e")
    path.with_name("encoder.onnx.json").write_text(json.dumps({"max_length": 4}))
    encoder = OnnxTextEncoder(path)
    assert encoder.max_length == 4
    assert encoder.token_ids(["table " * 100]) == [[2, 2, 2, 2]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"max_length": 2},
            "The setting 'max_length' of the text encoder {} is not a whole number from 4 to 8192",
        ),
        ({"length": 9}, "The text encoder {} has an unknown setting 'length'"),
        (
            {"source": {"revision": "1"}},
            "The setting 'source' of the text encoder {} has no name",
        ),
        (
            {"source": {"name": True}},
            "The setting 'source' of the text encoder {} is not an object of texts",
        ),
        (
            {"output": ["vectors"]},
            "The text encoder {} has the outputs ['states'], and the settings name ['vectors']",
        ),
        (
            {"source": "camembert"},
            "The setting 'source' of the text encoder {} is not an object of texts",
        ),
        (
            {"output": "pooled"},
            "The text encoder {} has the outputs ['states'], and the settings name 'pooled'",
        ),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: dict, message: str) -> None:
    path = write_encoder(tmp_path / "e")
    with pytest.raises(ModelError) as caught:
        OnnxTextEncoder(path, settings=settings)
    assert caught.value.message == message.format(path)


def test_a_missing_or_broken_tokenizer_is_named(tmp_path: Path) -> None:
    path = write_encoder(tmp_path / "e")
    tokenizer = path.with_name("tokenizer.json")
    tokenizer.write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json is not a tokenizer"):
        OnnxTextEncoder(path)
    tokenizer.unlink()
    with pytest.raises(ModelError) as caught:
        OnnxTextEncoder(path)
    assert caught.value.message == f"The text encoder {path} has no tokenizer {tokenizer}"


def test_texts_that_no_tokenizer_expects_are_encoded(tmp_path: Path) -> None:
    encoder = OnnxTextEncoder(write_encoder(tmp_path / "e"))
    listings = [Listing("table \ud800"), Listing("", "<br>"), Listing("x" * 100_000), Listing("\x00")]
    assert np.isfinite(encoder.encode(listings)).all()


def test_entities_and_tags_are_not_read() -> None:
    listing = Listing("Caf&eacute;  noir", "Bon<br />marché")
    assert plain_text(listing) == "Café noir. Bon marché"
    assert plain_text(Listing("", "seul")) == "seul"


def test_the_same_encoder_is_made_of_its_description(tmp_path: Path) -> None:
    path = write_encoder(tmp_path / "e")
    encoder = create_text_encoder(path)
    folder = tmp_path / "model"
    folder.mkdir()
    for name, source in (
        ("encoder-text-x.onnx", path),
        ("tokenizer-text-x.json", path.with_name("tokenizer.json")),
    ):
        (folder / name).write_bytes(source.read_bytes())
    again = text_encoder_from_spec(encoder.spec(), folder, "text-x")
    assert again.spec() == encoder.spec()
    (folder / "tokenizer-text-x.json").write_text((folder / "tokenizer-text-x.json").read_text() + "\n")
    with pytest.raises(ModelError, match="is not the text encoder of the model"):
        text_encoder_from_spec(encoder.spec(), folder, "text-x")


def test_vectors_are_kept_by_text(tmp_path: Path) -> None:
    encoder = OnnxTextEncoder(write_encoder(tmp_path / "e"))
    listings = [Listing(f"table {WORDS[2 + n % 4]}") for n in range(FEW)]
    told: list[int] = []
    first = encode_texts(encoder, listings, cache=tmp_path / "cache", progress=told.append)
    assert told == [FEW]
    (file,) = (tmp_path / "cache").glob("onnx-text-*.sqlite")
    encoder.encode_texts = None  # type: ignore[assignment]  # whoever asks now has not looked into the cache
    np.testing.assert_array_equal(encode_texts(encoder, listings, cache=tmp_path / "cache"), first)
    assert file.stat().st_size < 100_000
