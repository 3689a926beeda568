"""A model travels in a ZIP file, of which no word is believed."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rayon.errors import ModelError
from rayon.learning.model import ProductClassifier
from rayon.operations.model_archives import pack_model, unpack_model

Members = dict[str, bytes]


def members(trained: Path) -> Members:
    return {path.name: path.read_bytes() for path in sorted(trained.iterdir())}


def zipped(files: Members, path: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_a_model_arrives_as_it_left(trained: Path, tmp_path: Path, model: ProductClassifier) -> None:
    pack_model(trained, tmp_path / "model.zip")
    unpack_model(tmp_path / "model.zip", tmp_path / "there")
    assert members(tmp_path / "there") == members(trained)
    assert ProductClassifier.load(tmp_path / "there").version_ == model.version_


def test_a_folder_around_the_files_does_no_harm(trained: Path, tmp_path: Path) -> None:
    around = {"model/": b"", **{f"model/{name}": data for name, data in members(trained).items()}}
    unpack_model(zipped(around, tmp_path / "model.zip"), tmp_path / "there")
    assert members(tmp_path / "there") == members(trained)


def test_what_is_damaged_is_not_packed(trained: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for name, data in members(trained).items():
        (damaged / name).write_bytes(data[:-1] if name == "fusion.npz" else data)
    with pytest.raises(ModelError, match=r"fusion\.npz has changed"):
        pack_model(damaged, tmp_path / "model.zip")
    assert not (tmp_path / "model.zip").exists()


@pytest.mark.parametrize(
    ("sabotage", "message"),
    [
        (
            lambda files: files | {"../evil.json": b"{}"},
            "The archive holds '../evil.json', which no model has",
        ),
        (
            lambda files: files | {"/etc/evil.json": b"{}"},
            "The archive holds '/etc/evil.json', which no model",
        ),
        (
            lambda files: files | {"a/b/evil.json": b"{}"},
            "The archive holds 'a/b/evil.json', which no model has",
        ),
        (
            lambda files: files | {"..\\evil.json": b"{}"},
            "The archive holds '..\\\\evil.json', which no model",
        ),
        (lambda files: files | {"evil.pkl": b"x"}, "The archive holds 'evil.pkl', which no model has"),
        (
            lambda files: files | {".hidden.json": b"x"},
            "The archive holds '.hidden.json', which no model has",
        ),
        (
            lambda files: files | {"evil.json": b"{}"},
            "The archive holds 'evil.json', which is not of the model",
        ),
        (lambda files: files | {"a/model.json": b"{}"}, "The archive holds a file twice"),
        (
            lambda files: files | {f"{n}.json": b"" for n in range(100)},
            "The archive holds more than 100 files",
        ),
        (lambda files: files | {"fusion.npz": b"x"}, "The model file fusion.npz has changed since"),
        (lambda files: files | {"model.json": b"["}, "The model file model.json cannot be read"),
        (
            lambda files: {"fusion.npz": files["fusion.npz"]},
            "The archive holds no model: model.json is missing",
        ),
        (lambda files: {n: d for n, d in files.items() if n != "fusion.npz"}, "fusion.npz is missing"),
        (lambda _files: {}, "The archive holds no model: model.json is missing"),
    ],
)
def test_what_no_export_gives(
    trained: Path, tmp_path: Path, sabotage: Callable[[Members], Members], message: str
) -> None:
    archive = zipped(sabotage(members(trained)), tmp_path / "model.zip")
    there = tmp_path / "inside" / "there"
    there.parent.mkdir()
    with pytest.raises(ModelError) as error:
        unpack_model(archive, there)
    assert message in error.value.message
    assert str(tmp_path) not in error.value.message
    assert [path.name for path in tmp_path.iterdir()] in (["model.zip", "inside"], ["inside", "model.zip"])
    assert not Path("/etc/evil.json").exists()


def test_links_are_no_files(trained: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(zipped(members(trained), tmp_path / "model.zip"), "a") as archive:
        link = zipfile.ZipInfo("link.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ModelError, match=r"'link\.json' in the archive is no plain file"):
        unpack_model(tmp_path / "model.zip", tmp_path / "there")


def test_bytes_are_counted_while_they_are_unpacked(trained: Path, tmp_path: Path) -> None:
    archive = zipped(members(trained) | {"bomb.json": bytes(50_000_000)}, tmp_path / "model.zip")
    assert archive.stat().st_size < 20_000_000
    with pytest.raises(ModelError, match="The model is larger than 20,000,000 bytes"):
        unpack_model(archive, tmp_path / "there", max_total=20_000_000)
    assert sum(path.stat().st_size for path in (tmp_path / "there").iterdir()) <= 20_000_000


def test_what_is_no_archive(trained: Path, tmp_path: Path) -> None:
    archive = tmp_path / "model.zip"
    archive.write_bytes(b"not a ZIP")
    with pytest.raises(ModelError, match=r"The archive of the model cannot be unpacked \(File is not a zip"):
        unpack_model(archive, tmp_path / "a")
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as made:
        for name, data in members(trained).items():
            made.writestr(name, data)
    damaged = bytearray(whole.getvalue())
    damaged[200] ^= 1
    archive.write_bytes(damaged)
    with pytest.raises(ModelError, match=r"The archive of the model cannot be unpacked \(Bad CRC-32"):
        unpack_model(archive, tmp_path / "b")
    zipped(members(trained), archive, zipfile.ZIP_LZMA)
    with pytest.raises(ModelError, match="in the archive is compressed in a rare way"):
        unpack_model(archive, tmp_path / "c")
