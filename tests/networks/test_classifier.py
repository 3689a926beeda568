"""Classifiers with networks in them: learning, answering without torch, explaining, the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rayon.errors import ModelError, TrainingError
from rayon.learning.finetuning.settings import NetworkTraining
from rayon.learning.model import NOTHING_TO_CLASSIFY, ProductClassifier

QUICK = NetworkTraining(epochs=4, batch_size=8, max_length=16, learning_rate=5e-3)

WITHOUT_TORCH = """
import json, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "onnx", "safetensors"}:
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Refuse())
from rayon.learning.model import ProductClassifier
from rayon.data.listings import Listing
model = ProductClassifier.load(sys.argv[1], threads=1)
listings = [Listing(title, "", image) for title, image in json.load(sys.stdin)]
print(json.dumps(model.predict_proba(listings).tolist()))
"""


def fit(listings, tmp_path: Path, n: int = 240, images: bool = False, **options) -> ProductClassifier:
    folder = None
    if images:
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
    items, codes = listings(n, images=folder)
    chosen = {"image": "none", "precision": 0.8, "folds": 2, "threads": 1, "network": QUICK}
    model = ProductClassifier(**{**chosen, "workspace": tmp_path / "networks", **options})
    return model.fit(items, codes)


@pytest.mark.proof
def test_several_encoders_of_a_part_are_stacked_and_served_without_torch(
    listings, text_weights: Path, tmp_path: Path
) -> None:
    told: list[tuple[str, dict[str, float]]] = []
    items, codes = listings(240)
    model = ProductClassifier(
        text=["ngrams", "conv1d", f"hf:{text_weights}"],
        image="none",
        precision=0.8,
        folds=2,
        threads=1,
        network=QUICK,
        workspace=tmp_path / "networks",
    ).fit(items, codes, on_epoch=lambda name, figures: told.append((name, figures)))
    assert list(model.heads_) == ["text", "text-tiny_bert", "text-conv1d"]
    assert model.parts_ == {"text": ["text", "text-tiny_bert", "text-conv1d"]}
    assert {name for name, _ in told} == {"text-conv1d"} == set(model.curves_)
    assert [figures for _, figures in told] == model.curves_["text-conv1d"]
    prediction = model.decide(items[:1])[0]
    assert prediction.modalities == ("text",)
    assert list(prediction.scores) == ["text"]
    assert model.score(*listings(60, seed=9)) > 0.9

    model.save(tmp_path / "model")
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"encoder-text-conv1d.onnx", "tokenizer-text-tiny_bert.json", "head_text-conv1d.npz"} <= names
    again = ProductClassifier.load(tmp_path / "model", threads=1)
    np.testing.assert_array_equal(again.predict_proba(items[:40]), model.predict_proba(items[:40]))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "model")],
        input=json.dumps([(item.designation, None) for item in items[:40]]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), model.predict_proba(items[:40]), atol=1e-12)

    explanation = again.explain(items[0])
    assert len(explanation.words) == 4
    assert list(explanation.scores) == ["text"]
    assert explanation.neighbours
    card = (tmp_path / "model" / "MODEL_CARD.md").read_text()
    assert "- text-conv1d: conv1d" in card
    assert f"- text-tiny_bert: {text_weights}, SHA-256 " in card


@pytest.mark.proof
@pytest.mark.parametrize(("held_out", "refit"), [("split", False), ("split", True), ("folds", False)])
def test_held_out_listings_are_never_shown_to_a_network(
    listings, tmp_path: Path, held_out: str, refit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rayon.learning.finetuning.modality import Lesson, TextNetwork

    shown: list[set[str]] = []
    train = TextNetwork.train

    def remember(self: TextNetwork, lesson: Lesson):
        shown.append({item.productid for item in lesson.listings})
        return train(self, lesson)

    monkeypatch.setattr(TextNetwork, "train", remember)
    training = NetworkTraining(epochs=2, held_out=held_out, refit=refit, max_length=16)  # type: ignore[arg-type]
    model = fit(listings, tmp_path, text=["ngrams", "conv1d"], network=training)
    scored = model.cross_fitted_.y
    if held_out == "split":
        assert len(shown) == 1 + refit
        assert len(shown[-1]) == 240 if refit else True
        assert 0 < len(scored) < 60
        assert len(scored) + len(shown[0]) == 240
    else:
        assert len(shown) == 3  # a network a fold, and one on everything
        assert len(scored) == 240
        assert shown[0] | shown[1] == shown[2]
        assert not shown[0] & shown[1]
    assert "text-conv1d" in model.fusion_.trust_


@pytest.mark.proof
def test_each_code_that_was_held_out_is_scored_by_a_fusion_that_knows_it(
    listings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rayon.learning import fitting

    seen: list[tuple[np.ndarray, np.ndarray]] = []
    cross_fit = fitting._cross_fit_fusion

    def remember(recipe, scores, y, folds, n_classes):
        seen.append((y, folds))
        return cross_fit(recipe, scores, y, folds, n_classes)

    monkeypatch.setattr(fitting, "_cross_fit_fusion", remember)
    training = NetworkTraining(epochs=1, held_out="split", max_length=16)
    items, codes = listings(600)
    rng = np.random.default_rng(0)
    for place, item in enumerate(items):  # no near-duplicates, whose groups would spread the tenth by chance
        words = " ".join("".join(rng.choice(list("abcdefghij"), 6)) for _ in range(12))
        items[place] = replace(item, designation=f"{item.designation} {words}")
    ProductClassifier(
        text=["ngrams", "conv1d"], image="none", threads=1, network=training, workspace=tmp_path
    ).fit(items, codes)
    ((y, folds),) = seen
    for code in range(3):
        spread = np.bincount(folds[y == code], minlength=5)
        assert spread.max() <= 2 * spread.mean()


@pytest.mark.proof
def test_a_network_that_is_left_out_keeps_nothing_from_the_others(listings, tmp_path: Path) -> None:
    model = fit(listings, tmp_path, image="cnn", network=replace(QUICK, held_out="split"))
    assert list(model.heads_) == ["text"]
    assert len(model.cross_fitted_.y) == 240


def test_too_few_to_hold_out_are_refused_before_anything_is_trained(listings, tmp_path: Path) -> None:
    items, codes = listings(60)
    told: list[str] = []
    training = replace(QUICK, held_out="split")
    model = ProductClassifier(text="conv1d", image="none", network=training, workspace=tmp_path)
    with pytest.raises(TrainingError) as caught:
        model.fit(items, codes, progress=lambda stage, *done: told.append(stage))
    assert caught.value.message.startswith("Only 6 trusted listings could be scored, and at least 20")
    assert (
        caught.value.hint == "Add listings whose labels are true, or cross-fit the networks: held_out=folds"
    )
    assert set(told) == {"Finding near-duplicates"}


@pytest.mark.proof
def test_text_that_is_nothing_but_marks_is_nothing_to_classify(listings, tmp_path: Path) -> None:
    model = fit(listings, tmp_path, n=90, text="conv1d")
    found = model.decide(["roman", "&nbsp;"])
    assert [one.error for one in found] == ["", NOTHING_TO_CLASSIFY]


@pytest.mark.proof
def test_a_finetuned_network_serves_as_it_was_scored(listings, text_weights: Path, tmp_path: Path) -> None:
    import torch

    from rayon.encoders.deep.text_networks import PretrainedText

    model = fit(listings, tmp_path, text=f"hf:{text_weights}", finetune=True)
    (modality,) = model.modalities_
    assert modality.spec()["settings"]["source"]["finetuned"] is True
    items, codes = listings(60, seed=5)
    assert model.score(items, codes) > 0.9
    # It is no longer what it was.
    tokens = modality.encoder.token_ids([items[0].designation])
    with torch.inference_mode():
        before = PretrainedText(text_weights).eval()(
            torch.tensor(tokens), torch.ones((1, len(tokens[0])), dtype=torch.int64)
        )
    assert np.abs(modality.encode(items[:1]).features - before.numpy()).max() > 0.01
    assert model.neighbours_.nearest({"text": modality.encode(items[:1]).features})[0].code == codes[0]


@pytest.mark.proof
def test_pictures_and_texts_by_networks_together(listings, image_weights: Path, tmp_path: Path) -> None:
    model = fit(
        listings,
        tmp_path,
        images=True,
        text="conv1d",
        image=["cnn", f"hf:{image_weights}"],
        network=NetworkTraining(epochs=3, batch_size=8, learning_rate=3e-3, held_out="split"),
    )
    assert model.parts_ == {"image": ["image-tiny_vit", "image"], "text": ["text"]}
    items, codes = listings(30, seed=8, images=tmp_path / "images")
    assert model.score(items, codes) > 0.9
    model.save(tmp_path / "model")
    again = ProductClassifier.load(tmp_path / "model", threads=1)
    np.testing.assert_array_equal(again.predict_proba(items), model.predict_proba(items))
    explanation = again.explain(items[0])
    assert explanation.regions is not None
    assert sorted(explanation.scores) == ["image", "text"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "model")],
        input=json.dumps([(item.designation, str(item.image)) for item in items]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), model.predict_proba(items), atol=1e-12)


@pytest.mark.proof
def test_eight_bits_change_few_answers(listings, text_weights: Path, tmp_path: Path) -> None:
    models = [
        fit(
            listings,
            tmp_path,
            text=f"hf:{text_weights}",
            network=NetworkTraining(max_length=16, precision=precision),  # type: ignore[arg-type]
        )
        for precision in ("fp32", "int8")
    ]
    items, _ = listings(300, seed=4)
    found = [model.predict(items) for model in models]
    assert np.mean(found[0] == found[1]) >= 0.99
    sizes = [model.modalities_[0].encoder.path.stat().st_size for model in models]
    assert sizes[1] < sizes[0]


@pytest.mark.proof
def test_the_command_trains_and_the_service_learns_again(
    listings, text_weights: Path, tmp_path: Path
) -> None:
    items, codes = listings(300)
    rows = {"designation": [item.designation for item in items], "prdtypecode": codes}
    pl.DataFrame(rows).write_csv(tmp_path / "shop.csv")
    environment = {**os.environ, "RAYON_HOME": str(tmp_path / "home"), "RAYON_THREADS": "1", "COLUMNS": "300"}

    def rayon(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rayon", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)

    options = ["--text-encoder", "ngrams", "--text-encoder", f"hf:{text_weights}", "--finetune"]
    options += [
        "--image-encoder",
        "none",
        "--folds",
        "2",
        "--network",
        "epochs=1",
        "--network",
        "max-length=16",
    ]
    trained = rayon("train", "shop.csv", "--out", "model", *options, "--network", "held_out=split", "--json")
    assert trained.returncode == 0, trained.stderr
    model = json.loads((tmp_path / "model" / "model.json").read_text())
    assert list(model["encoders"]) == ["text", "text-tiny_bert"]
    assert len(model["curves"]["text-tiny_bert"]) == 1
    told = {name: model["training"][name] for name in ("finetune", "epochs", "max_length", "held_out")}
    assert told == {"finetune": True, "epochs": 1, "max_length": 16, "held_out": "split"}
    again = ProductClassifier.load(tmp_path / "model", threads=1)
    again.save(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "model.json").read_text())["training"] == model["training"]
    assert not list((tmp_path / "home" / "networks" / "training").iterdir())  # the model has it now

    retrained = rayon("retrain", "shop.csv", *options, "--network", "held_out=folds", "--json")
    assert retrained.returncode in (0, 3), retrained.stderr
    recipe = json.loads(retrained.stdout)["recipe"]
    assert recipe["text_encoder"] == ["ngrams", f"hf:{text_weights}"]
    assert (recipe["finetune"], recipe["network"]["epochs"]) == (True, 1)
    again = rayon("retrain", "--json")
    assert json.loads(again.stdout)["recipe"] == recipe
    changed = rayon("retrain", "--network", "max-length=12", "--json")
    assert json.loads(changed.stdout)["recipe"]["network"] == {**recipe["network"], "max_length": 12}

    wrong = rayon("train", "shop.csv", "--out", "other", "--network", "epochs")
    assert wrong.returncode == 2
    assert "Error: The training option 'epochs' is not of the form NAME=VALUE." in wrong.stderr


def test_the_extra_that_is_missing_is_named(tmp_path: Path, text_weights_folder: Path) -> None:
    code = (
        "import sys\n"
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'torch' else find(name, *rest)\n"
        "from rayon.__main__ import main\n"
        "main()"
    )
    (tmp_path / "shop.csv").write_text("designation,prdtypecode\nroman,10\ntable,1560\n")
    for encoder in ("conv1d", f"hf:{text_weights_folder}"):
        done = subprocess.run(
            [sys.executable, "-c", code, "train", "shop.csv", "--out", "m", "--text-encoder", encoder],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "RAYON_HOME": str(tmp_path / "home"), "COLUMNS": "300"},
        )
        assert done.returncode == 2
        assert (
            f"Error: The encoder {encoder} needs the package 'torch', which is not installed." in done.stderr
        )
        assert "Install what is needed with: pip install 'rayon[deep]'" in done.stderr


def test_wrong_encoders_are_named() -> None:
    titles = ["roman", "table"] * 20
    codes = ["10", "1560"] * 20
    with pytest.raises(ModelError, match="There is no text encoder 'bert'"):
        ProductClassifier(text=["ngrams", "bert"]).fit(titles, codes)
    with pytest.raises(ModelError, match="There is no folder /nowhere with pretrained weights"):
        ProductClassifier(text="hf:/nowhere").fit(titles, codes)
    with pytest.raises(TrainingError, match="The image encoders are 'none' and others"):
        ProductClassifier(image=["none", "builtin"]).fit(titles, codes)
    with pytest.raises(TrainingError) as caught:
        ProductClassifier(text=["ngrams", "conv1d"], finetune=True).fit(titles, codes)
    assert caught.value.message == "There is nothing to fine-tune: no encoder has pretrained weights"
    assert caught.value.hint == "Name one as hf:NAME_OR_FOLDER, or do not ask for it"


@pytest.mark.parametrize(
    ("part", "config", "message"),
    [
        ("text", {"model_type": "vit", "image_size": 32}, "holds a vit model, which reads no text"),
        ("image", {"model_type": "bert", "vocab_size": 9}, "holds a bert model, which looks at no pictures"),
    ],
)
def test_weights_for_the_other_part_are_refused_before_anything_is_learned(
    text_weights_folder: Path, part: str, config: dict, message: str
) -> None:
    (text_weights_folder / "config.json").write_text(json.dumps(config))
    told: list[str] = []
    chosen = {"text": "ngrams", "image": "none", part: f"hf:{text_weights_folder}"}
    with pytest.raises(ModelError, match=message):
        ProductClassifier(**chosen, finetune=True).fit(
            ["roman", "table"] * 20, ["10", "1560"] * 20, progress=lambda stage, *done: told.append(stage)
        )
    assert not told


@pytest.fixture
def text_weights_folder(tmp_path: Path) -> Path:
    """As much of a checkpoint as is looked at before torch is."""
    from safetensors.numpy import save_file

    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save_file({"w": np.ones(2, np.float32)}, folder / "model.safetensors")
    return folder
