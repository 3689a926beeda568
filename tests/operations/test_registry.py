"""The registry: models kept as they came, one champion, and the way back."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rayon.errors import ConflictError, ModelError, NotFoundError, OutputError, RayonError
from rayon.learning.model import ProductClassifier
from rayon.operations.hot_swap import ModelFollower
from rayon.operations.registry import Registry
from rayon.operations.smoke import run_smoke_set
from rayon.store.audit import entries
from rayon.store.database import Database


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Registry:
    return Registry(database, tmp_path / "models")


@pytest.fixture(scope="session")
def variants(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three models that differ in their promise alone."""
    folders = [trained]
    for precision in (0.7, 0.75):
        model = ProductClassifier.load(trained)
        model.precision = precision
        folder = tmp_path_factory.mktemp("variant") / "model"
        model.save(folder)
        folders.append(folder)
    return folders


def names(registry: Registry, variants: list[Path]) -> list[str]:
    return [registry.register(folder, "ann").name for folder in variants]


def test_a_model_is_kept_as_it_came_and_once(
    registry: Registry, database: Database, trained: Path, model: ProductClassifier, tmp_path: Path
) -> None:
    made = registry.register(trained, "ann")
    assert (made.version, made.name) == (model.version_, model.version_[:12])
    assert (made.source, made.parent, made.registered_by) == ("import", None, "ann")
    assert made.figures["data"]["trusted"] == 400
    kept = registry.folder_of(made.name)
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
        path.name: path.read_bytes() for path in trained.iterdir()
    }
    again = registry.register(trained, "bob")
    assert again == registry.find(made.name[:4]) == made
    assert registry.versions() == [made]
    shutil.rmtree(kept)  # what is lost comes back with the same version
    registry.register(trained, "bob")
    assert ProductClassifier.load(kept).version_ == made.version
    assert [path.name for path in (tmp_path / "models").iterdir()] == [made.name]
    with database.read() as connection:
        assert [(one.actor, one.action) for one in entries(connection)] == [("ann", "model.register")]


def test_what_is_no_model_is_not_kept(registry: Registry, trained: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(trained, broken)
    (broken / "taxonomy.json").write_bytes(b"[]")
    with pytest.raises(ModelError, match=r"taxonomy\.json has changed"):
        registry.register(broken, "ann")
    with pytest.raises(ModelError, match="There is no model folder"):
        registry.register(tmp_path / "none", "ann")
    assert registry.versions() == []
    assert not (tmp_path / "models").exists()


def test_promoting_and_the_way_back(registry: Registry, database: Database, variants: list[Path]) -> None:
    a, b, c = names(registry, variants)
    assert registry.champion() is None
    with pytest.raises(ConflictError, match="There is no champion to go back to"):
        registry.rollback("ann", "x")
    first = registry.promote(a, "ann", "the first")
    assert (first.kind, first.model, first.previous, first.reason) == ("promote", a, None, "the first")
    with pytest.raises(ConflictError, match="There is no champion to go back to"):
        registry.rollback("ann", "x")
    registry.promote(b[:6], "ann", "better")
    registry.promote(c, "ann", "better still")
    assert registry.champion() == c
    assert registry.rollback("bob", "complaints").model == b
    assert registry.rollback("bob", "more complaints").model == a
    with pytest.raises(ConflictError, match="There is no champion to go back to"):
        registry.rollback("bob", "x")
    registry.promote(c, "ann", "mended")
    assert registry.rollback("bob", "not mended").model == a
    assert registry.champion() == a
    history = [(one.kind, one.model, one.previous, one.actor) for one in registry.promotions()]
    assert history[:2] == [("rollback", a, c, "bob"), ("promote", c, a, "ann")]
    assert len(history) == 7
    with database.read() as connection:
        logged = [one.action for one in entries(connection, limit=7)]
    assert logged.count("model.rollback") == 3


def test_what_cannot_be_promoted(registry: Registry, variants: list[Path]) -> None:
    a, b, _ = names(registry, variants)
    registry.promote(a, "ann", "the first")
    with pytest.raises(ConflictError, match=f"The model '{a}' is the champion already"):
        registry.promote(a, "ann", "again")
    with pytest.raises(RayonError, match="The reason is missing"):
        registry.promote(b, "ann", "  ")
    with pytest.raises(NotFoundError, match="There is no model 'none'"):
        registry.promote("none", "ann", "x")
    with pytest.raises(NotFoundError, match="There is no model ''"):
        registry.promote("", "ann", "x")
    file = registry.folder_of(b) / "taxonomy.json"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ModelError, match=f"The folder of the model '{b}' is missing or has changed"):
        registry.promote(b, "ann", "x")
    assert registry.champion() == a


def test_of_two_first_champions_one_wins(registry: Registry, variants: list[Path]) -> None:
    candidates = names(registry, variants)

    def promote(name: str) -> str:
        try:
            return registry.promote(name, "ann", "the first").model
        except ConflictError as error:
            return error.message

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(promote, candidates))
    moves = registry.promotions()
    assert registry.champion() == moves[0].model
    # Whoever saw another champion in time comes after it; whoever did not is told.
    assert [one.previous for one in reversed(moves)] == [None, *(one.model for one in reversed(moves[1:]))]
    refused = [one for one in found if one not in candidates]
    assert len(refused) == 3 - len(moves)
    assert set(refused) <= {"Another model was promoted at the same moment"}


def test_a_version_leaves_as_it_came(registry: Registry, trained: Path, tmp_path: Path) -> None:
    made = registry.register(trained, "ann")
    registry.export(made.name, tmp_path / "out")
    assert ProductClassifier.load(tmp_path / "out").version_ == made.version
    with pytest.raises(OutputError, match="There is a model in"):
        registry.export(made.name, tmp_path / "out")


class Process:
    """Something that answers by a model, and follows the champion."""

    def __init__(self, registry: Registry, serving: str) -> None:
        self.model: ProductClassifier | None = None
        self.loads = 0
        self.follower = ModelFollower(registry, self._load, self._swap, serving)

    def _load(self, folder: Path) -> ProductClassifier:
        self.loads += 1
        return ProductClassifier.load(folder)

    def _swap(self, model: ProductClassifier) -> None:
        self.model = model


def test_a_process_follows_the_champion(registry: Registry, variants: list[Path]) -> None:
    a, b, _ = names(registry, variants)
    registry.promote(a, "ann", "the first")
    process = Process(registry, a)
    assert not process.follower.look()
    registry.promote(b, "ann", "better")
    assert process.follower.look()
    assert process.model is not None
    assert process.model.version_[:12] == process.follower.serving == b
    assert not process.follower.look()
    registry.rollback("ann", "worse")
    assert process.follower.look()
    assert process.follower.serving == a


def test_a_champion_that_cannot_be_loaded_leaves_the_old_one_serving(
    registry: Registry, variants: list[Path]
) -> None:
    a, b, c = names(registry, variants)
    registry.promote(a, "ann", "the first")
    process = Process(registry, a)
    registry.promote(b, "ann", "better")
    file = registry.folder_of(b) / "head_text.npz"
    file.write_bytes(file.read_bytes()[:-1])
    assert not process.follower.look()
    assert process.model is None
    assert process.follower.serving == a
    assert f"The champion '{b}' cannot be loaded: " in process.follower.problem
    assert "head_text.npz has changed" in process.follower.problem
    assert not process.follower.look()
    assert process.loads == 1  # not again at once
    registry.promote(c, "ann", "whole")
    assert process.follower.look()
    assert (process.follower.serving, process.follower.problem) == (c, "")


def test_every_model_passes_the_smoke_set_that_answers_at_all(
    model: ProductClassifier, trained: Path
) -> None:
    run_smoke_set(model)
    silent = ProductClassifier.load(trained)
    silent.heads_ = dict.fromkeys(silent.heads_)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="The model does not answer"):
        run_smoke_set(silent)
