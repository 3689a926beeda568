"""The training of networks: what is learned, when it ends, and going on after a kill."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from rayon.data.splits import grouped_holdout
from rayon.encoders.weights import WeightStore
from rayon.errors import ModelError, TrainingError
from rayon.learning.finetuning.augmentation import augment
from rayon.learning.finetuning.modality import ImageNetwork, Lesson, TextNetwork
from rayon.learning.finetuning.settings import NetworkTraining
from rayon.learning.finetuning.trained_files import BEST_FILE, CHECKPOINT_FILE

pytestmark = pytest.mark.proof

SCRIPT = Path(__file__).with_name("_train_once.py")
QUICK = NetworkTraining(epochs=3, batch_size=8, max_length=16, learning_rate=5e-3)


def lesson_of(listings, codes, **others) -> Lesson:
    names = sorted(set(codes))
    values = {"seed": 0, "threads": 1, "progress": lambda done, total: None, "on_epoch": lambda figures: None}
    y = np.array([names.index(code) for code in codes])
    return Lesson(listings, y, len(names), np.arange(len(y)), **(values | others))


def run(weights: str, workspace: Path, data: Path, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), weights, str(workspace), str(data)],
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize("pretrained", [True, False])
def test_a_killed_training_goes_on_to_the_same_result(
    listings, text_weights: Path, tmp_path: Path, pretrained: bool
) -> None:
    items, codes = listings(120)
    data = tmp_path / "data.json"
    y = [sorted(set(codes)).index(code) for code in codes]
    data.write_text(json.dumps({"titles": [item.designation for item in items], "y": y}))
    weights = str(text_weights) if pretrained else ""

    whole = run(weights, tmp_path / "whole", data)
    expected = whole.communicate(timeout=300)[0].splitlines()
    assert whole.returncode == 0

    workspace = tmp_path / "killed"
    for stop in (3, 21, 40):  # in the first epoch, and in later ones
        process = run(weights, workspace, data)
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("done", -1) >= stop:
                break
        process.kill()
        process.communicate(timeout=60)
        assert list(workspace.glob("training/*/checkpoint.safetensors"))
        assert not list(workspace.glob("training/*/finished.json"))
    last = run(weights, workspace, data)
    found = last.communicate(timeout=300)[0].splitlines()
    assert last.returncode == 0
    assert found[-1] == expected[-1]
    assert _first_done(found) > 35  # it went on, and did not begin anew
    assert [line for line in found if "validation_f1" in line] == [
        line for line in expected if "validation_f1" in line
    ]
    (folder,) = workspace.glob("training/*")
    assert sorted(path.name for path in folder.iterdir()) == [
        "encoder.onnx",
        "encoder.onnx.json",
        "finished.json",
        "head.npz",
        "tokenizer.json",
    ]
    again = run(weights, workspace, data)
    assert again.communicate(timeout=300)[0].splitlines() == expected[-1:]  # nothing is trained twice


def _first_done(lines: list[str]) -> int:
    return next(row["done"] for line in lines if "done" in (row := json.loads(line)))


def test_two_processes_do_not_train_in_one_folder(listings, tmp_path: Path) -> None:
    items, codes = listings(30)
    network = TextNetwork("text", None, QUICK, tmp_path)
    begun, go_on = threading.Event(), threading.Event()

    def wait(done: int, total: int) -> None:
        begun.set()
        assert go_on.wait(60)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(network.train, lesson_of(items, codes, progress=wait))
        assert begun.wait(60)
        with pytest.raises(TrainingError) as caught:
            network.train(lesson_of(items, codes))
        go_on.set()
        folder = first.result(60).folder.path
    assert caught.value.message == f"The same training is going on elsewhere, in {folder}"
    assert caught.value.hint == "Wait for it, or end it"
    assert network.train(lesson_of(items, codes)).folder.path == folder


def test_trainings_that_nobody_went_on_with_are_removed(listings, tmp_path: Path) -> None:
    items, codes = listings(30)
    network = TextNetwork("text", None, replace(QUICK, epochs=1), tmp_path)
    old, new, own = (
        tmp_path / "training" / name for name in (f"text-{'0' * 24}", f"text-{'1' * 24}", "photos-2025")
    )
    for folder, days in ((old, 31), (new, 29), (own, 400)):
        folder.mkdir(parents=True)
        (folder / "checkpoint.safetensors").write_bytes(b"")
        os.utime(folder, (time.time() - days * 86400,) * 2)
    made = network.train(lesson_of(items, codes)).folder.path
    assert sorted((tmp_path / "training").iterdir()) == sorted([new, own, made])


def test_what_was_trained_stays_as_long_as_somebody_reads_it(listings, tmp_path: Path) -> None:
    items, codes = listings(30)
    network = TextNetwork("text", None, replace(QUICK, epochs=1), tmp_path)
    first, second = (network.train(lesson_of(items, codes)) for _ in range(2))
    path = first.folder.path
    first.folder.remove()
    assert (path / "encoder.onnx").is_file()
    first.folder.remove()  # it has been given up already
    second.folder.remove()
    assert not path.exists()


def test_eight_bits_are_made_of_a_network_that_another_reads(
    listings, text_weights: Path, tmp_path: Path
) -> None:
    items, codes = listings(30)
    weights = WeightStore(tmp_path).find(str(text_weights))
    training = replace(QUICK, epochs=1)
    whole = TextNetwork("text", weights, training, tmp_path).train(lesson_of(items, codes))
    small = TextNetwork("text", weights, replace(training, precision="int8"), tmp_path)
    rounded = small.train(lesson_of(items, codes))
    assert rounded.folder.path == whole.folder.path
    assert rounded.modality.spec()["sha256"] != whole.modality.spec()["sha256"]


def test_a_finished_training_that_is_damaged_is_said(listings, tmp_path: Path) -> None:
    items, codes = listings(30)
    network = TextNetwork("text", None, replace(QUICK, epochs=1), tmp_path)
    path = network.train(lesson_of(items, codes)).folder.path
    whole = (path / "head.npz").read_bytes()
    for damaged in (b"", whole[:-30]):
        (path / "head.npz").write_bytes(damaged)
        with pytest.raises(ModelError) as caught:
            network.train(lesson_of(items, codes))
        assert caught.value.message == f"The trained network in {path} cannot be read"


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys, torch\n"
        "from pathlib import Path\n"
        "from rayon.errors import OutputError\n"
        "from rayon.learning.finetuning.checkpoint import save_best\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    save_best(Path(sys.argv[1]), torch.nn.Linear(300, 300), torch.nn.Linear(2, 2))\n"
        "except OutputError as error:\n"
        "    print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path / 'best.safetensors'} cannot be written (")


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _with_another_average(path: Path) -> None:
    with safe_open(path, "np") as file:
        state = file.metadata()
    tensors = load_file(path)
    last = max(name for name in tensors if name.startswith("optimizer.") and tensors[name].ndim)
    tensors[last] = np.zeros((7, 7), np.float32)
    save_file(tensors, path, state)


@pytest.mark.parametrize("damage", [_cut_off, _with_another_average])
def test_a_damaged_checkpoint_begins_anew(listings, tmp_path: Path, damage) -> None:
    items, codes = listings(90)
    network = TextNetwork("text", None, QUICK, tmp_path / "a")
    expected = network.train(lesson_of(items, codes)).head.to_arrays()

    def stop(done: int, total: int) -> None:
        if done == total // 2:
            raise KeyboardInterrupt

    begun = replace(network, workspace=tmp_path / "b", training=replace(QUICK, checkpoint_seconds=0.0))
    with pytest.raises(KeyboardInterrupt):
        begun.train(lesson_of(items, codes, progress=stop))
    (checkpoint,) = (tmp_path / "b").glob("training/*/checkpoint.safetensors")
    damage(checkpoint)
    found = begun.train(lesson_of(items, codes)).head.to_arrays()
    np.testing.assert_array_equal(found["weights"], expected["weights"])


def test_best_weights_that_are_gone_are_missed(tmp_path: Path) -> None:
    import torch

    from rayon.learning.finetuning.checkpoint import load_best, save_best

    network, head = torch.nn.Linear(3, 2), torch.nn.Linear(2, 2)
    save_best(tmp_path, network, head)
    load_best(tmp_path, network, head)
    with pytest.raises(TrainingError) as caught:
        load_best(tmp_path, torch.nn.Linear(4, 2), head)
    assert caught.value.message == f"The best weights are gone from {tmp_path}"
    assert caught.value.hint == "Has another training of the same been going on? Train again"
    (tmp_path / BEST_FILE).unlink()
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"")
    with pytest.raises(TrainingError, match="The best weights are gone"):
        load_best(tmp_path, network, head)
    assert not (tmp_path / CHECKPOINT_FILE).exists()  # it would only lead here again


def test_pictures_that_moved_are_the_same_training(listings, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    items, codes = listings(30, images=tmp_path / "images")
    network = ImageNetwork("image", None, replace(QUICK, epochs=1), tmp_path, threads=1)
    first = network.train(lesson_of(items, codes)).folder.path
    moved = shutil.copytree(tmp_path / "images", tmp_path / "moved")
    others = [replace(item, image=moved / item.image.name) for item in items]
    assert network.train(lesson_of(others, codes)).folder.path == first
    shutil.copyfile(others[0].image, others[1].image)
    assert network.train(lesson_of(others, codes)).folder.path != first


def test_a_validation_that_nothing_can_be_read_of_is_left_out(listings, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    items, codes = listings(60, images=tmp_path / "images")
    lesson = lesson_of(items, codes)
    held = grouped_holdout(lesson.y, lesson.groups, QUICK.validation, random_state=lesson.seed)
    for row in np.flatnonzero(held):
        items[row].image.write_bytes(b"no picture")
    network = ImageNetwork("image", None, replace(QUICK, epochs=4, patience=1), tmp_path, threads=1)
    learned = network.train(lesson)
    assert [sorted(figures) for figures in learned.curve] == [["epoch", "learning_rate", "loss"]] * 4
    encoded = learned.modality.encode(items)
    found = learned.head.predict_proba(encoded.features).argmax(axis=1)
    assert np.mean(found == lesson.y[encoded.rows]) > 0.9  # the last weights, and not the first


def test_two_listings_are_both_learned_from(listings, tmp_path: Path) -> None:
    items, codes = listings(2)
    training = replace(QUICK, epochs=30, validation=0.5)  # which would leave one to learn from
    learned = TextNetwork("text", None, training, tmp_path).train(lesson_of(items, codes))
    found = learned.head.predict_proba(learned.modality.encode(items).features)
    assert found.argmax(axis=1).tolist() == [0, 1]


def test_texts_that_no_tokenizer_takes_do_not_end_a_training(listings, tmp_path: Path) -> None:
    items, codes = listings(30)
    items[3] = replace(items[3], designation="roman \ud800 policier")
    items[4] = replace(items[4], designation="<br/>")
    network = TextNetwork("text", None, replace(QUICK, epochs=1), tmp_path)
    assert network.usable(items).tolist() == [n for n in range(30) if n != 4]
    assert len(network.train(lesson_of(items, codes)).curve) == 1


def test_training_ends_when_validation_no_longer_improves(listings, tmp_path: Path) -> None:
    items, codes = listings(120)
    told: list[dict[str, float]] = []
    reached: list[tuple[int, int]] = []
    training = replace(QUICK, epochs=30, patience=2)
    learned = TextNetwork("text", None, training, tmp_path).train(
        lesson_of(items, codes, on_epoch=told.append, progress=lambda *done: reached.append(done))
    )
    assert told == learned.curve
    assert len(told) < 30
    scores = [figures["validation_f1"] for figures in told]
    assert np.argmax(scores) == len(scores) - 3
    assert reached[-1][0] == reached[-1][1]


@pytest.mark.parametrize(
    "options",
    [
        {"balance": "loss"},
        {"balance": "sampling"},
        {"accumulate": 3},
        {"label_smoothing": 0.0, "mixed_precision": "off"},
        {"mixed_precision": "on"},
    ],
)
def test_each_option_still_learns(listings, text_weights: Path, tmp_path: Path, options: dict) -> None:
    items, codes = listings(150)
    weights = WeightStore(tmp_path).find(str(text_weights))
    training = replace(QUICK, epochs=4, **options)
    learned = TextNetwork("text", weights, training, tmp_path).train(lesson_of(items, codes))
    assert learned.curve[-1]["validation_f1"] > 0.9


def test_accumulated_steps_are_those_of_larger_batches(listings, tmp_path: Path) -> None:
    # 114 to learn from: four batches of 32, the last of 18; without dropout both see the same gradients.
    import torch

    from rayon.learning.finetuning.batches import epoch_batches
    from rayon.learning.finetuning.examples import Batch
    from rayon.learning.finetuning.trainer import NetworkTask, train_network

    class Points:
        lengths = np.ones(64, np.int64)

        def batch(self, rows, seed):
            values = np.random.default_rng(0).standard_normal((64, 5)).astype(np.float32)
            return Batch({"points": torch.from_numpy(values[rows])}, rows)

    class Identity(torch.nn.Module):
        dimension = 5

        def forward(self, points):
            return points

    def train(batch_size: int, accumulate: int, order) -> np.ndarray:
        settings = NetworkTraining(batch_size=batch_size, accumulate=accumulate, mixed_precision="off")
        task = NetworkTask(
            Identity(),
            Points(),
            np.arange(64) % 2,
            2,
            order,
            order,
            settings,
            0,
            1,
            0.1,
            False,
            tmp_path / f"{batch_size}",
            lambda done, total: None,
            lambda figures: None,
        )
        return train_network(task).weights

    rows = np.arange(64)
    small = epoch_batches(Points.lengths, 16, seed=0, epoch=0)
    large = epoch_batches(Points.lengths, 64, seed=0, epoch=0)
    assert (len(small), len(large)) == (4, 1)
    np.testing.assert_allclose(train(16, 4, rows), train(64, 1, rows), rtol=1e-4)


def test_lower_layers_learn_more_slowly(text_weights: Path) -> None:
    import torch

    from rayon.encoders.deep.text_networks import PretrainedText
    from rayon.learning.finetuning.optimizer import layer_depths, make_optimizer

    network = PretrainedText(text_weights)
    depths = layer_depths(network)
    assert depths["backbone.encoder.layer.1.output.dense.weight"] == 1
    assert depths["backbone.encoder.layer.0.output.dense.weight"] == 2
    assert depths["backbone.embeddings.word_embeddings.weight"] == 3
    optimizer = make_optimizer(
        network,
        torch.nn.Linear(32, 3),
        NetworkTraining(layer_decay=0.5, head_factor=4),
        1e-3,
        pretrained=True,
    )
    rates = {group["full"] for group in optimizer.param_groups}
    assert rates == {4e-3, 1e-3, 5e-4, 2.5e-4, 1.25e-4}
    assert {g["weight_decay"] for g in optimizer.param_groups if g["params"][0].ndim < 2} == {0.0}


def test_pictures_teach_a_network_and_what_cannot_be_read_is_left_out(
    listings, image_weights: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    items, codes = listings(90, images=folder)
    items[4].image.write_bytes(b"no picture")
    items[5].image.unlink()
    for name, weights in (("cnn", None), ("vit", WeightStore(tmp_path).find(str(image_weights)))):
        training = replace(QUICK, epochs=4, learning_rate=3e-3)
        network = ImageNetwork("image", weights, training, tmp_path / name, threads=2)
        learned = network.train(lesson_of(items, codes))
        assert learned.curve[-1]["validation_f1"] > 0.9
        encoded = learned.modality.encode(items)
        assert sorted(encoded.errors) == [4, 5]
        found = learned.head.predict_proba(encoded.features).argmax(axis=1)
        y = lesson_of(items, codes).y[encoded.rows]
        assert np.mean(found == y) > 0.9


def test_too_few_listings_are_refused(listings, tmp_path: Path) -> None:
    items, _ = listings(4)
    with pytest.raises(TrainingError, match="There are too few listings to train a network"):
        TextNetwork("text", None, QUICK, tmp_path).train(lesson_of(items, ["a"] * 4))


def test_a_training_that_goes_astray_is_ended(listings, text_weights: Path, tmp_path: Path) -> None:
    items, codes = listings(60)
    folder = tmp_path / "broken"
    shutil.copytree(text_weights, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["embeddings.LayerNorm.weight"] *= np.nan
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    network = TextNetwork("text", WeightStore(tmp_path).find(str(folder)), QUICK, tmp_path)
    with pytest.raises(TrainingError) as caught:
        network.train(lesson_of(items, codes))
    assert caught.value.message == "The training went astray: its loss is no number any more"
    assert caught.value.hint == "Give a smaller learning_rate, or mixed_precision=off"


def test_a_gpu_is_not_made_up(listings, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    items, codes = listings(60)
    with pytest.raises(TrainingError, match="There is no GPU that torch can use"):
        TextNetwork("text", None, replace(QUICK, device="cuda"), tmp_path).train(lesson_of(items, codes))


def test_augmented_pictures_keep_their_size_and_follow_their_seed() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    one, same, other = (augment(pixels, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == pixels.shape
    assert one.dtype == np.uint8
    assert (one == same).all()
    assert (one != other).any()
    white = np.full((8, 8, 3), 255, np.uint8)
    assert (augment(white, np.random.default_rng(3)) == 255).all()  # the background stays white


def test_a_picture_does_not_depend_on_how_many_threads_decode(listings, tmp_path: Path) -> None:
    from rayon.learning.finetuning.examples import ImageExamples

    items, _ = listings(20, images=tmp_path)
    batches = []
    for threads in (1, 4):
        with ThreadPoolExecutor(threads) as pool:
            examples = ImageExamples(
                [item.image for item in items], 32, (0.5,) * 3, (0.5,) * 3, pool, augmented=True
            )
            batches.append(examples.batch(np.arange(20), (0, 1)).inputs["pixels"].numpy())
    np.testing.assert_array_equal(*batches)
