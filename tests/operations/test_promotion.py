"""Nobody becomes the champion unasked, every verdict is kept, and asking often buys nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from rayon.data.loading import read_catalogue
from rayon.data.taxonomy import Category, Taxonomy
from rayon.data.taxonomy_change import TaxonomyChange
from rayon.errors import CatalogueError, ConflictError, ModelError, PromotionRefusedError, RayonError
from rayon.learning.model import ProductClassifier
from rayon.learning.model_files import ModelReader, writing_model
from rayon.learning.recalibration import recalibrated
from rayon.learning.spending import level_of
from rayon.operations.golden_set import GoldenSet
from rayon.operations.promotion import Gatekeeper
from rayon.operations.registry import Registry
from rayon.store.database import Database
from rayon.store.dump import dump_rows, load_rows
from rayon.store.golden import add_golden, list_golden
from rayon.store.images import FolderImageStore
from rayon.store.schema import upgrade_schema
from rayon.store.verdicts import list_verdicts

CHECKS = ["better", "codes", "promise", "confidence", "latency", "size", "smoke"]


@pytest.fixture
def equals(text_models: dict[str, Path]) -> list[Path]:
    return [text_models[f"equal {number}"] for number in (1, 2, 3)]


@pytest.fixture
def better_trained(text_models: dict[str, Path]) -> Path:
    return text_models["better"]


@pytest.fixture
def trained(text_models: dict[str, Path]) -> Path:
    return text_models["champion"]


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Registry:
    return Registry(database, tmp_path / "models")


@pytest.fixture
def golden(database: Database, held_out: Path, tmp_path: Path) -> GoldenSet:
    loaded = read_catalogue(held_out, codes="required")
    listings, codes = loaded.listings[:250], (loaded.codes or [])[:250]
    golden = GoldenSet(database, FolderImageStore(tmp_path / "images"))
    golden.fix(listings, codes, "ann", share=0.9)
    return golden


@pytest.fixture
def gate(database: Database, registry: Registry, golden: GoldenSet, trained: Path) -> Gatekeeper:
    """A gate before a champion, with a golden set."""
    registry.promote(registry.register(trained, "ann").name, "ann", "the first")
    return Gatekeeper(database, registry, golden)


def failed(error: PromotionRefusedError) -> list[str]:
    return [check["name"] for check in error.verdict["checks"] if not check["passed"]]


def test_a_better_challenger_is_promoted_with_its_verdict(
    gate: Gatekeeper, registry: Registry, golden: GoldenSet, better_trained: Path
) -> None:
    before, better = registry.champion(), registry.register(better_trained, "ann").name
    moved = gate.promote(better[:6], "bob", "more listings")
    assert (moved.model, moved.previous, moved.actor) == (better, before, "bob")
    assert registry.champion() == better
    assert moved.verdict is not None
    assert [check["name"] for check in moved.verdict["checks"]] == CHECKS
    assert all(check["passed"] for check in moved.verdict["checks"])
    assert (moved.verdict["passed"], moved.verdict["forced"]) == (True, False)
    (kept,) = gate.verdicts()
    assert (kept.actor, kept.serving, kept.champion, kept.challenger) == ("bob", before, before, better)
    assert (kept.turn, kept.alpha, kept.golden_listings) == (1, level_of(1), len(golden))
    assert (kept.passed, kept.forced) == (True, False)
    assert kept.verdict == {name: value for name, value in moved.verdict.items() if name != "forced"}
    assert kept.verdict["checks"][0]["figures"]["alpha"] == level_of(1)


def test_asking_again_and_again_buys_nothing(
    gate: Gatekeeper, registry: Registry, equals: Sequence[Path]
) -> None:
    first = registry.champion()
    a, b, c = (registry.register(folder, "ann").name for folder in equals)
    with pytest.raises(PromotionRefusedError) as refused:
        gate.promote(a, "bob", "why not")
    error = refused.value
    assert error.status == 409
    assert failed(error) == ["better"]
    assert error.message.startswith(
        f"{a} is not promoted. The challenger is not shown to be better: weighted F1 +0.0000 on "
    )
    assert error.hint == "Train a better one, or promote it by force, with a reason"
    assert registry.champion() == first

    again = gate.judge(a, "bob")
    assert (again.turn, again.alpha, again.passed) == (1, level_of(1), False)
    assert gate.judge(b, "bob").turn == 2
    assert gate.judge(c, "bob", champion=a).turn == 3  # choosing among challengers costs as well
    assert [check.figures["alpha"] for check in gate.judge(b, "bob").comparison.verdict.checks[:1]] == [
        level_of(2)
    ]

    forced = gate.promote(b, "bob", "it has to be", force=True)
    assert forced.verdict is not None
    assert (forced.verdict["passed"], forced.verdict["forced"], forced.verdict["turn"]) == (False, True, 2)
    assert gate.judge(a, "bob").turn == 1  # another champion, another spell
    registry.rollback("bob", "it was worse")
    assert gate.judge(a, "bob").turn == 1
    assert gate.judge(c, "bob").turn == 4  # the spell of the old champion goes on
    told = [(one.serving, one.challenger, one.turn, one.forced) for one in reversed(gate.verdicts())]
    assert told == [
        (first, a, 1, False),
        (first, a, 1, False),
        (first, b, 2, False),
        (first, c, 3, False),
        (first, b, 2, False),
        (first, b, 2, True),
        (b, a, 1, False),
        (first, a, 1, False),
        (first, c, 4, False),
    ]


def test_a_larger_golden_set_is_another_question(
    gate: Gatekeeper, database: Database, registry: Registry, equals: Sequence[Path]
) -> None:
    name = registry.register(equals[0], "ann").name
    assert gate.judge(name, "ann").turn == 1
    with database.write() as connection:
        add_golden(connection, [replace(list_golden(connection)[0], designation="Autre chose")])
    assert gate.judge(name, "ann").turn == 2


def test_a_folder_is_compared_before_it_is_registered(
    gate: Gatekeeper, registry: Registry, equals: Sequence[Path]
) -> None:
    by_folder = gate.judge(equals[0], "ann")
    name = registry.register(equals[0], "ann").name
    by_name = gate.judge(name, "ann")
    assert by_folder.challenger == by_name.challenger == name
    assert by_folder.turn == by_name.turn == 1


def test_two_questions_at_once_have_two_turns(gate: Gatekeeper, equals: Sequence[Path]) -> None:
    with ThreadPoolExecutor(2) as pool:
        judged = list(pool.map(lambda folder: gate.judge(folder, "ann"), equals[:2]))
    assert sorted(one.turn for one in judged) == [1, 2]
    assert [one.alpha for one in judged] == [level_of(one.turn) for one in judged]
    for one in judged:
        assert one.comparison.verdict.checks[0].figures["alpha"] == one.alpha


def test_what_is_broken_off_costs_nothing(
    gate: Gatekeeper, registry: Registry, equals: Sequence[Path]
) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "Scoring the challenger":
            raise RayonError("It takes too long")

    with pytest.raises(RayonError, match="It takes too long"):
        gate.promote(registry.register(equals[0], "ann").name, "ann", "x", stop)
    assert gate.verdicts() == []


def test_a_champion_that_came_meanwhile_is_not_replaced(
    gate: Gatekeeper, registry: Registry, equals: Sequence[Path], better_trained: Path
) -> None:
    other, better = (registry.register(folder, "ann").name for folder in (equals[0], better_trained))

    def meanwhile(stage: str, done: int, total: int) -> None:
        if stage == "Scoring the challenger" and registry.champion() != other:
            registry.promote(other, "bob", "in between")

    with pytest.raises(ConflictError, match="Another model was promoted at the same moment"):
        gate.promote(better, "ann", "better", meanwhile)
    assert registry.champion() == other


def test_who_is_not_judged(
    database: Database, registry: Registry, tmp_path: Path, trained: Path, equals: Sequence[Path]
) -> None:
    golden = GoldenSet(database, FolderImageStore(tmp_path / "images"))
    gate = Gatekeeper(database, registry, golden)
    a, b = (registry.register(folder, "ann").name for folder in (trained, equals[0]))
    assert not gate.has_a_word(a)
    assert gate.promote(a, "ann", "the first").verdict is None
    assert not gate.has_a_word(b)
    assert gate.promote(b, "ann", "no golden set").verdict is None
    assert gate.verdicts() == []
    with pytest.raises(CatalogueError, match="There is no golden set to compare on"):
        gate.judge(a, "ann")
    with pytest.raises(ConflictError, match=f"The model '{b}' is the champion already"):
        gate.promote(b, "ann", "again")


def test_a_lost_champion_is_replaced_by_force_alone(
    gate: Gatekeeper, registry: Registry, equals: Sequence[Path]
) -> None:
    champion, name = str(registry.champion()), registry.register(equals[0], "ann").name
    shutil.rmtree(registry.folder_of(champion))
    with pytest.raises(ModelError, match="There is no model folder"):
        gate.promote(name, "ann", "the folder is lost")
    with pytest.raises(RayonError, match="The reason is missing"):
        gate.promote(name, "ann", " ", force=True)
    moved = gate.promote(name, "ann", "the folder is lost", force=True)
    assert moved.verdict is not None
    assert moved.verdict["problem"].startswith("There is no model folder")
    (kept,) = gate.verdicts()
    assert (kept.turn, kept.alpha, kept.passed, kept.forced) == (0, 0.0, False, True)
    assert kept.verdict == moved.verdict


def test_a_challenger_that_does_not_answer_is_promoted_by_nobody(
    gate: Gatekeeper, registry: Registry, trained: Path, tmp_path: Path
) -> None:
    reader = ModelReader(trained)
    with writing_model(tmp_path / "silent") as writer:
        for name in reader.names():
            if name.startswith("head_"):
                arrays = reader.read_arrays(name)
                floats = (key for key, array in arrays.items() if array.dtype.kind == "f")
                writer.write_arrays(name, arrays | {key: arrays[key] * np.nan for key in floats})
            else:
                writer.copy(name, trained / name)
    name = registry.register(tmp_path / "silent", "ann").name
    with pytest.raises(ModelError, match=r"The model (does not answer|gives no probabilities)"):
        gate.promote(name, "ann", "x", force=True)
    assert gate.verdicts() == []


def test_codes_that_were_renamed_are_compared_by_the_change(
    gate: Gatekeeper, trained: Path, tmp_path: Path
) -> None:
    model = ProductClassifier.load(trained)
    codes = model.taxonomy_.codes
    model.taxonomy_ = Taxonomy(Category(f"new-{code}") for code in codes)
    model.save(tmp_path / "renamed")
    blind = gate.judge(tmp_path / "renamed", "ann").comparison
    assert blind.verdict.checks[0].figures["differ"] == blind.listings
    change = TaxonomyChange({code: (f"new-{code}",) for code in codes})
    told = gate.judge(tmp_path / "renamed", "ann", change=change)
    assert told.comparison.verdict.checks[0].figures["differ"] == 0
    assert told.turn == 2  # other labels, another question


def test_looking_at_other_listings_costs_nothing(
    gate: Gatekeeper, registry: Registry, held_out: Path, better_trained: Path
) -> None:
    found = gate.look(str(registry.champion()), better_trained, [held_out])
    assert [check.name for check in found.verdict.checks] == CHECKS
    assert found.verdict.passed, found.verdict
    assert found.verdict.checks[0].figures["alpha"] == 0.05
    assert gate.verdicts() == []


def test_verdicts_outlive_the_database(
    gate: Gatekeeper, database: Database, equals: Sequence[Path], empty_database: Callable[[str], str]
) -> None:
    gate.judge(equals[0], "ann")
    other = Database(empty_database("postgresql" if database.is_sqlite else "sqlite"))
    upgrade_schema(other)
    with database.read() as source, other.write() as target:
        assert load_rows(target, "verdicts", dump_rows(source, "verdicts")) == 1
    with other.read() as connection:
        assert list_verdicts(connection) == gate.verdicts()
    other.close()


def test_a_recalibrated_champion_goes_on_with_the_questions_of_its_line(
    gate: Gatekeeper, trained: Path, equals: Sequence[Path], tmp_path: Path
) -> None:
    first = gate.judge(equals[0], "ann")
    model = ProductClassifier.load(trained)
    answers = model.cross_fitted_
    recalibrated(model, answers.fused, answers.y, datetime.now(UTC)).save(tmp_path / "again")
    again = gate.registry.register(tmp_path / "again", "ann").name
    gate.registry.promote(again, "ann", "recalibrated")
    second = gate.judge(equals[0], "ann")
    assert (first.turn, second.turn) == (1, 2)
    gate.registry.rollback("ann", "back")
    assert gate.judge(equals[1], "ann").turn == 3
