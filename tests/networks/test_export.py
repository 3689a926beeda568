"""Networks to ONNX files: each kind, compared with torch, and what cannot be loaded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from rayon.encoders.onnx import OnnxImageEncoder
from rayon.encoders.onnx_text import OnnxTextEncoder
from rayon.encoders.pretrained import export_pretrained, part_of_weights, write_pretrained
from rayon.encoders.weights import WeightStore
from rayon.errors import ModelError

TEXTS = ["roman policier", "table de salon en bois, lot12", "piscine " * 40, "x"]

pytestmark = pytest.mark.proof


def weights_of(folder: Path, tmp_path: Path):
    return WeightStore(tmp_path / "store").find(str(folder))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_text_encoder_gives_what_the_network_gives(
    text_weights: Path, tmp_path: Path, precision: str
) -> None:
    import torch

    from rayon.encoders.deep.text_networks import PretrainedText

    weights = weights_of(text_weights, tmp_path)
    assert part_of_weights(weights) == "text"
    encoder = write_pretrained("text", weights, tmp_path / "out", precision, max_length=512)  # type: ignore[call-overload]
    assert isinstance(encoder, OnnxTextEncoder)
    assert encoder.max_length == 64  # more positions the network has not
    network = PretrainedText(text_weights).eval()
    tokens = encoder.token_ids(TEXTS)
    with torch.inference_mode():
        expected = [
            network(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.int64))[0].numpy()
            for ids in tokens
        ]
    found = encoder.encode_texts(TEXTS)
    np.testing.assert_allclose(found, np.stack(expected), atol=1e-4 if precision == "fp32" else 0.05)
    assert (np.abs(found - np.stack(expected)).max() > 1e-4) == (precision == "int8")
    source = encoder.spec()["settings"]["source"]
    assert source == {"name": str(text_weights), "revision": "", "sha256": weights.sha256}
    assert str(Path.cwd()).encode() not in encoder.path.read_bytes()


def test_int8_vectors_do_not_depend_on_the_batch(text_weights: Path, tmp_path: Path) -> None:
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path / "wide"  # several blocks of weights in each row, as real networks have
    shutil.copytree(text_weights, folder)
    size = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(BertConfig(vocab_size=200, **size)).save_pretrained(folder)
    encoder = export_pretrained("text", weights_of(folder, tmp_path), tmp_path, "int8", 64)
    texts = [f"{text} {n}" for n in range(20) for text in TEXTS]
    together = encoder.encode_texts(texts)
    alone = np.concatenate([encoder.encode_texts([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.filterwarnings("ignore:builtin type")  # of the compiled part of protobuf
def test_a_tokenizer_of_sentencepiece_is_converted(tmp_path: Path) -> None:
    import sentencepiece
    from transformers import AutoTokenizer, CamembertConfig, CamembertModel

    folder = tmp_path / "camembert"
    text = tmp_path / "text.txt"
    text.write_text("\n".join(f"roman policier poche auteur {n} table chaise {n * 7}" for n in range(400)))
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    CamembertModel(CamembertConfig(vocab_size=130, **small)).save_pretrained(folder)
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "sentencepiece.bpe"),
        vocab_size=90,
        minloglevel=2,
    )
    encoder = write_pretrained("text", weights_of(folder, tmp_path), tmp_path / "out")
    expected = AutoTokenizer.from_pretrained(folder)(["roman 12, table"])["input_ids"]
    assert encoder.token_ids(["roman 12, table"]) == expected
    assert np.isfinite(encoder.encode_texts(["roman"])).all()


FRENCH = [
    "L'île au trésor – R. L. Stevenson, éd. 2005 (poche)",
    "Lot de 2,5 kg : café « moulu » d’Éthiopie; 100 % arabica...",
    "Porte-clés jusqu'à 12cm. Boîte n°3, etc. et 1.20m de long",
    "S.A.R.L. Dupont & Fils… 3.5/5",
    "Console PS4 1To",
]


@pytest.mark.parametrize("lowercase", [False, True])
def test_flaubert_reads_as_its_own_tokenizer_does(tmp_path: Path, lowercase: bool) -> None:
    import tokenizers as tok
    import torch
    from transformers import FlaubertConfig, FlaubertModel, FlaubertTokenizer

    trained = tok.Tokenizer(tok.models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    trained.pre_tokenizer = tok.pre_tokenizers.WhitespaceSplit()
    marks = ["<s>", "</s>", "<pad>", "<unk>", "<special1>"]
    trainer = tok.trainers.BpeTrainer(
        vocab_size=160, special_tokens=marks, end_of_word_suffix="</w>", show_progress=False
    )
    trained.train_from_iterator([*FRENCH, *map(str.lower, FRENCH)] * 2, trainer)
    model = json.loads(trained.to_str())["model"]
    folder = tmp_path / "flaubert"
    size = {"emb_dim": 32, "n_layers": 1, "n_heads": 2, "vocab_size": len(model["vocab"])}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = FlaubertModel(FlaubertConfig(**size)).train(False)
    network.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    (folder / "merges.txt").write_text("".join(f"{one} {other} 1\n" for one, other in model["merges"]))
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lowercase": lowercase}))

    encoder = write_pretrained("text", weights_of(folder, tmp_path), tmp_path / "out")
    own = FlaubertTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), do_lowercase=lowercase)
    assert isinstance(encoder, OnnxTextEncoder)
    assert encoder.token_ids(FRENCH) == [own(text)["input_ids"] for text in FRENCH]
    with torch.inference_mode():
        states = network(torch.tensor([own(FRENCH[0])["input_ids"]])).last_hidden_state
    np.testing.assert_allclose(encoder.encode_texts(FRENCH)[0], states[0].mean(dim=0), atol=1e-4)

    (folder / "merges.txt").unlink()
    (folder / "vocab.json").write_text("[]")
    with pytest.raises(ModelError) as caught:
        write_pretrained("text", weights_of(folder, tmp_path), tmp_path / "again")
    assert caught.value.message == f"{folder} has no tokenizer that can be used"


def test_as_many_tokens_are_read_as_there_are_positions(tmp_path: Path) -> None:
    import transformers as t

    from rayon.encoders.deep.text_networks import PretrainedText

    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    small |= {"vocab_size": 99, "max_position_embeddings": 40, "pad_token_id": 3}
    special = {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    networks = {
        "bert": (t.BertModel(t.BertConfig(**small)), 40),
        "roberta": (
            t.RobertaModel(t.RobertaConfig(**small)),
            36,
        ),  # its first position is that behind padding
        "modernbert": (t.ModernBertModel(t.ModernBertConfig(**small, **special)), 40),
    }
    for name, (network, positions) in networks.items():
        network.save_pretrained(tmp_path / name)
        assert PretrainedText(tmp_path / name).longest == positions


def _vision_models():
    import transformers as t

    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32}
    deep = {**small, "intermediate_size": 64, "patch_size": 8}
    text = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "vocab_size": 99,
    }
    yield "vit", lambda: t.ViTModel(t.ViTConfig(**deep))
    yield "dinov2", lambda: t.Dinov2Model(t.Dinov2Config(**small, patch_size=8))
    yield (
        "convnext",
        lambda: t.ConvNextModel(
            t.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, image_size=32)
        ),
    )
    yield (
        "swin",
        lambda: t.SwinModel(
            t.SwinConfig(
                image_size=32, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4
            )
        ),
    )
    yield "clip", lambda: t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=deep))
    yield "siglip", lambda: t.SiglipModel(t.SiglipConfig(text_config=text, vision_config=deep))


@pytest.mark.parametrize("kind", ["vit", "dinov2", "convnext", "swin", "clip", "siglip"])
def test_vision_models_give_what_the_network_gives(tmp_path: Path, kind: str) -> None:
    import torch

    from rayon.encoders.deep.image_networks import PretrainedImage
    from rayon.encoders.deep.onnx_export import normalised

    torch.manual_seed(0)
    dict(_vision_models())[kind]().save_pretrained(tmp_path / kind)
    (tmp_path / kind / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "size": {"height": 32}})
    )
    weights = weights_of(tmp_path / kind, tmp_path)
    assert part_of_weights(weights) == "image"
    encoder = write_pretrained("image", weights, tmp_path / "out")
    assert isinstance(encoder, OnnxImageEncoder)
    assert encoder.input_size == 32
    network = PretrainedImage(tmp_path / kind).eval()
    pictures = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = network(normalised(pictures, network.mean, network.std)).numpy()
    np.testing.assert_allclose(encoder.encode(pictures), expected, atol=1e-4)
    assert encoder.spec()["settings"]["mean"] == [0.4, 0.5, 0.6]


def test_what_cannot_be_loaded_is_said(text_weights: Path, image_weights: Path, tmp_path: Path) -> None:
    without = tmp_path / "without"
    shutil.copytree(text_weights, without)
    (without / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=f"{without} has no tokenizer"):
        write_pretrained("text", weights_of(without, tmp_path), tmp_path / "a")
    with pytest.raises(ModelError, match="holds a vit model, which reads no text"):
        write_pretrained("text", weights_of(image_weights, tmp_path), tmp_path / "b")
    with pytest.raises(ModelError, match="holds a bert model, which looks at no pictures"):
        write_pretrained("image", weights_of(text_weights, tmp_path), tmp_path / "c")
    other = tmp_path / "other"
    shutil.copytree(text_weights, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "hidden_size": 48}))
    with pytest.raises(ModelError, match=f"{other} holds no text encoder that can be loaded"):
        write_pretrained("text", weights_of(other, tmp_path), tmp_path / "d")


def test_a_vision_model_that_wants_more_than_pixels_is_refused(tmp_path: Path) -> None:
    import transformers as t

    text = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    seen = {**text, "num_patches": 16, "patch_size": 8}
    folder = tmp_path / "siglip2"
    t.Siglip2Model(
        t.Siglip2Config(text_config={**text, "vocab_size": 99}, vision_config=seen)
    ).save_pretrained(folder)
    with pytest.raises(ModelError, match=f"{folder} holds"):
        write_pretrained("image", weights_of(folder, tmp_path), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_encoder_that_eight_bits_spoil_is_not_written(text_weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "spoilt"
    shutil.copytree(text_weights, folder)
    tensors = load_file(folder / "model.safetensors")
    # An input that is always zero has weights so large that all others of their block are rounded away.
    for layer in (0, 1):
        norm = f"encoder.layer.{layer}.attention.output.LayerNorm"
        tensors[f"{norm}.weight"][0] = tensors[f"{norm}.bias"][0] = 0
        tensors[f"encoder.layer.{layer}.intermediate.dense.weight"] *= 30
        tensors[f"encoder.layer.{layer}.intermediate.dense.weight"][:, 0] = 1e6
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    weights = weights_of(folder, tmp_path)
    write_pretrained("text", weights, tmp_path / "whole")
    with pytest.raises(ModelError, match="does not give what the network gives"):
        write_pretrained("text", weights, tmp_path / "out", "int8")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out-*"))


def changed(folder: Path, tmp_path: Path, name: str, file: str = "config.json", **values: object) -> Path:
    """A copy of a checkpoint with other settings."""
    copy = tmp_path / name
    shutil.copytree(folder, copy)
    settings = json.loads((copy / file).read_text())
    (copy / file).write_text(json.dumps({**settings, **values}))
    return copy


def test_weights_that_are_missing_are_not_made_up(
    text_weights: Path, image_weights: Path, tmp_path: Path
) -> None:
    partly = tmp_path / "partly"
    shutil.copytree(text_weights, partly)
    tensors = load_file(partly / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, partly / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError) as caught:
        write_pretrained("text", weights_of(partly, tmp_path), tmp_path / "a")
    assert caught.value.message == (
        f"{partly} lacks weights of its network: encoder.layer.1.output.dense.weight"
    )
    # A classifier's checkpoint has no pooling layer: its features are averaged instead.
    headless = tmp_path / "headless"
    shutil.copytree(image_weights, headless)
    tensors = load_file(headless / "model.safetensors")
    for name in [name for name in tensors if name.startswith("pooler.")]:
        del tensors[name]
    save_file(tensors, headless / "model.safetensors", {"format": "pt"})
    first, second, pooled = (
        write_pretrained("image", weights_of(folder, tmp_path), tmp_path / out)
        for folder, out in ((headless, "b"), (headless, "c"), (image_weights, "d"))
    )
    pictures = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(first.encode(pictures), second.encode(pictures))
    assert np.abs(first.encode(pictures) - pooled.encode(pictures)).max() > 0.1


def test_networks_that_do_not_fit_are_refused_in_words(
    text_weights: Path, image_weights: Path, tmp_path: Path
) -> None:
    import transformers as t

    both = tmp_path / "t5"
    small = {"vocab_size": 300, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    t.T5Model(t.T5Config(**small, decoder_start_token_id=0)).save_pretrained(both)
    shutil.copyfile(text_weights / "tokenizer.json", both / "tokenizer.json")
    kernel = changed(text_weights, tmp_path, "kernel", attn_implementation="somebody/kernel")
    nested = changed(
        image_weights, tmp_path, "nested", vision={"_attn_implementation": {"": "somebody/kernel"}}
    )
    other = tmp_path / "other"
    shutil.copytree(text_weights, other)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] |= {f"word{n}": 200 + n for n in range(3)}
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    for part, folder, message in (
        ("text", both, f"{both} holds no text encoder that can be loaded"),
        ("text", kernel, "asks for the implementation 'somebody/kernel', which may be code from elsewhere"),
        ("image", nested, "asks for the implementation 'somebody/kernel'"),
        ("text", other, f"The tokenizer of {other} gives 203 kinds of tokens, and its network knows"),
    ):
        with pytest.raises(ModelError) as caught:
            write_pretrained(part, weights_of(folder, tmp_path), tmp_path / "out")  # type: ignore[call-overload]
        assert message in caught.value.message
    pictures = "preprocessor_config.json"
    for values, message in (
        ({"image_mean": 0.5}, "image_mean of {} is not a list of three numbers"),
        ({"image_std": [1, 0, 1]}, "image_std of {} is not above zero"),
    ):
        folder = changed(image_weights, tmp_path, f"pictures-{message[:10]}", pictures, **values)
        with pytest.raises(ModelError) as caught:
            write_pretrained("image", weights_of(folder, tmp_path), tmp_path / "out")
        assert message.format(folder / pictures) in caught.value.message
    assert not (tmp_path / "out").exists()
    plain = changed(image_weights, tmp_path, "plain", pictures, do_normalize=False)
    settings = write_pretrained("image", weights_of(plain, tmp_path), tmp_path / "out").spec()["settings"]
    assert (settings["mean"], settings["std"]) == ([0, 0, 0], [1, 1, 1])


def test_an_export_says_which_weights_it_is_of(text_weights: Path, tmp_path: Path) -> None:
    own = weights_of(text_weights, tmp_path)
    pinned = replace(own, name="shop/tiny", revision="0" * 40)
    for weights in (own, pinned):
        source = export_pretrained("text", weights, tmp_path).spec()["settings"]["source"]
        assert source == weights.source()


def test_code_that_comes_with_weights_is_not_run(text_weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "coded"
    shutil.copytree(text_weights, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "surprise",
        "auto_map": {"AutoModel": "surprise.Surprise", "AutoConfig": "surprise.C"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "surprise.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(ModelError, match="holds no text encoder that can be loaded"):
        write_pretrained("text", weights_of(folder, tmp_path), tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_the_command_writes_an_encoder_and_refuses_a_full_folder(text_weights: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "rayon",
        "encoders",
        "export",
        str(text_weights),
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run([*command, "--int8", "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["part"], document["dimension"]) == ("text", 32)
    assert OnnxTextEncoder(document["file"]).sha256 == document["sha256"]
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 2
    assert "is in the way" in " ".join(again.stderr.split())
