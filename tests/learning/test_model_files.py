from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rayon.errors import ModelError, OutputError
from rayon.learning.model_files import FORMAT_VERSION, ModelReader, writing_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "model"
    with writing_model(target) as writer:
        writer.write_json("model.json", {"format": FORMAT_VERSION, "codes": ["10", "2583"]})
        writer.write_arrays("head.npz", {"weights": np.arange(6.0).reshape(2, 3)})
        writer.write_text("MODEL_CARD.md", "# Carte é\n")
    return target


def test_what_was_written_is_read_back(folder: Path) -> None:
    reader = ModelReader(folder)
    assert reader.model["codes"] == ["10", "2583"]
    np.testing.assert_array_equal(reader.read_arrays("head.npz")["weights"], np.arange(6.0).reshape(2, 3))
    assert reader.has("MODEL_CARD.md")
    assert not reader.has("encoder-image.onnx")


def test_the_same_content_has_the_same_fingerprint(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with writing_model(other) as writer:
        writer.write_json("model.json", {"format": FORMAT_VERSION, "codes": ["10", "2583"]})
        writer.write_arrays("head.npz", {"weights": np.arange(6.0).reshape(2, 3)})
        writer.write_text("MODEL_CARD.md", "# Carte é\n")
    assert ModelReader(other).fingerprint() == ModelReader(folder).fingerprint()


@pytest.mark.parametrize("name", ["model.json", "head.npz", "MODEL_CARD.md", "checksums.json"])
def test_every_changed_byte_is_noticed(folder: Path, name: str) -> None:
    original = (folder / name).read_bytes()
    for position in {0, len(original) // 2, len(original) - 2}:
        changed = bytearray(original)
        changed[position] ^= 1
        (folder / name).write_bytes(bytes(changed))
        with pytest.raises(ModelError, match=name):
            ModelReader(folder)
    (folder / name).write_bytes(original)
    ModelReader(folder)


@pytest.mark.parametrize("name", ["model.json", "head.npz", "MODEL_CARD.md", "checksums.json"])
def test_a_missing_or_truncated_file_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-5])
    with pytest.raises(ModelError, match=name):
        ModelReader(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        ModelReader(folder)


def test_a_newer_format_is_refused_before_anything_else(folder: Path) -> None:
    (folder / "model.json").write_text(json.dumps({"format": FORMAT_VERSION + 1}))
    with pytest.raises(ModelError) as caught:
        ModelReader(folder)
    assert caught.value.message == (
        f"The model file {folder / 'model.json'} has format {FORMAT_VERSION + 1}, "
        f"and this Rayon reads up to {FORMAT_VERSION}"
    )
    assert caught.value.hint == "Update Rayon: pip install --upgrade rayon"


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no model folder"):
        ModelReader(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"is not a model folder: model\.json is missing"):
        ModelReader(tmp_path)


def test_an_existing_model_is_only_replaced_on_purpose(folder: Path) -> None:
    before = ModelReader(folder).fingerprint()
    with pytest.raises(OutputError) as caught, writing_model(folder):
        pass
    assert caught.value.message == f"There is a model in {folder} already"
    assert ModelReader(folder).fingerprint() == before
    with writing_model(folder, overwrite=True) as writer:
        writer.write_json("model.json", {"format": FORMAT_VERSION})
    assert ModelReader(folder).fingerprint() != before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_other_things_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "love.txt").write_text("keep me")
    with (
        pytest.raises(OutputError, match="is in the way and is not a model"),
        writing_model(tmp_path / "letters", overwrite=True),
    ):
        pass
    assert (tmp_path / "letters" / "love.txt").read_text() == "keep me"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> None:
        with writing_model(tmp_path / "model") as writer:
            writer.write_json("model.json", {"format": FORMAT_VERSION})
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_objects_are_never_stored(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds Python objects"), writing_model(tmp_path / "model") as writer:
        writer.write_arrays("head.npz", {"codes": np.array(["a", None], dtype=object)})


def test_pickled_arrays_are_refused(folder: Path) -> None:
    # Even with checksums that fit, an object array inside an npz must never be unpickled.
    with writing_model(folder, overwrite=True) as writer:
        writer.write_json("model.json", {"format": FORMAT_VERSION})
        np.savez(writer.folder / "head.npz", evil=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelError, match="cannot be read"):
        ModelReader(folder).read_arrays("head.npz")


def test_a_closed_folder_is_an_error_with_a_hint(closed: Path) -> None:
    with pytest.raises(OutputError) as caught, writing_model(closed / "model"):
        pass
    assert caught.value.message == f"The model folder {closed / 'model'} cannot be made (Permission denied)"
    assert caught.value.hint
