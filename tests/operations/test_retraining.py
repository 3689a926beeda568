"""Retraining: what goes into a challenger, what becomes of it, and what is left where it fails."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update

from rayon.data.listings import Listing
from rayon.errors import CatalogueError, ConflictError, NotFoundError, RayonError
from rayon.learning.crossfit import silent
from rayon.learning.model import ProductClassifier
from rayon.operations.golden_set import GoldenSet
from rayon.operations.monitoring import Monitor
from rayon.operations.needs import Need, need_of_retraining
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.operations.promotion import Gatekeeper
from rayon.operations.recipe import RetrainingRecipe
from rayon.operations.registry import Registry
from rayon.operations.retraining import Retrainer
from rayon.operations.retrainings import Retrainings
from rayon.store.database import Database
from rayon.store.images import FolderImageStore
from rayon.store.predictions import add_validation
from rayon.store.tables import predictions, retrainings

Labelled = tuple[list[Listing], list[str]]


@pytest.fixture
def catalogue(labelled: Labelled, tmp_path: Path) -> Path:
    return write_catalogue(tmp_path / "shop.csv", *labelled, rows=range(500))


def write_catalogue(
    path: Path, listings: Sequence[Listing], codes: Sequence[str], rows: Sequence[int]
) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("titre", "description", "prdtypecode"))
        for row in rows:
            writer.writerow((listings[row].designation, listings[row].description, codes[row]))
    return path


@pytest.fixture
def recipe(catalogue: Path) -> RetrainingRecipe:
    return RetrainingRecipe(
        (str(catalogue),), image_encoder="none", folds=3, precision=0.8, columns={"designation": "titre"}
    )


@pytest.fixture
def retrainer(database: Database, images: FolderImageStore, tmp_path: Path) -> Retrainer:
    registry = Registry(database, tmp_path / "models")
    golden = GoldenSet(database, images)
    gate = Gatekeeper(database, registry, golden)
    journal = Retrainings(database, tmp_path / "retrainings")
    return Retrainer(journal, database, images, registry, golden, gate)


def validate(retrainer: Retrainer, listings: Sequence[Listing], codes: Sequence[str]) -> None:
    """Have the champion answer listings, and say what is true."""
    champion = retrainer.registry.champion()
    assert champion is not None
    model = ProductClassifier.load(retrainer.registry.folder_of(champion))
    recorder = PredictionRecorder(model, retrainer.database, retrainer.images, audit_share=0)
    made = recorder.record([recorder.prepare(one) for one in listings], [None] * len(listings))
    answered = [
        (one, code) for one, code in zip(made, codes, strict=True) if one.code
    ]  # the others have no text
    with retrainer.database.write() as connection:
        for one, code in answered:
            verdict = "right" if one.code == code else "wrong"
            add_validation(connection, one.id, None, verdict, code, "", datetime.now(UTC))


def test_the_first_retraining_holds_out_a_golden_set_and_makes_the_first_champion(
    retrainer: Retrainer, recipe: RetrainingRecipe
) -> None:
    asked = retrainer.retrainings.request("ann", " the first ", "hand", recipe)
    assert (asked.state, asked.reason, asked.started_at) == ("requested", "the first", None)
    done = retrainer.run(asked.id, silent)
    assert (done.state, done.error, done.leased_until) == ("promoted", "", None)
    assert done.model == retrainer.registry.champion()
    (version,) = retrainer.registry.versions()
    assert (version.source, version.registered_by) == ("retrain", "ann")
    steps = {step.step: step.detail for step in retrainer.retrainings.steps(done.id)}
    assert list(steps) == ["golden", "snapshot", "training", "report", "gate"]
    n = len(retrainer.golden)
    assert 40 <= n <= 60
    assert steps["golden"] == {"fixed": n, "listings": n}
    assert steps["snapshot"]["listings"] == 0
    assert steps["training"]["left_out"] >= n
    assert steps["training"]["trusted"] == 500 - steps["training"]["left_out"] - steps["training"]["rejected"]
    assert steps["gate"] == {"promoted": True, "previous": None}
    model = ProductClassifier.load(retrainer.registry.folder_of(version.name))
    assert not any(model.neighbours_.was_seen(one) for one in retrainer.golden.listings()[0])
    report = json.loads(retrainer.retrainings.report(done.id).read_text(encoding="utf-8"))
    assert report["modalities"]["fused"]["n"] == steps["report"]["listings"] == n
    assert report["seen_in_training"] == 0
    left = {path.name for path in (retrainer.retrainings.folder / done.id).iterdir()}
    assert left == {"report.json", "report.html", "report.txt"}


def test_feedback_is_learned_from_and_a_challenger_that_is_no_better_is_not_promoted(
    retrainer: Retrainer, recipe: RetrainingRecipe, labelled: Labelled
) -> None:
    first = retrainer.run(retrainer.retrainings.request("ann", "first", "hand", recipe).id, silent)
    validate(retrainer, labelled[0][500:540], labelled[1][500:540])
    said = sum(one.has_text for one in labelled[0][500:540])
    second = retrainer.run(retrainer.retrainings.request("bob", "again", "api").id, silent)
    assert second.recipe == recipe.to_dict()
    assert second.state == "kept"
    assert second.model not in (None, first.model)
    assert retrainer.registry.champion() == first.model
    steps = {step.step: step.detail for step in retrainer.retrainings.steps(second.id)}
    assert steps["golden"] == {"added": 0, "known": 0, "listings": len(retrainer.golden)}
    taken = steps["snapshot"]["listings"]
    assert 0 < taken == said - sum(steps["snapshot"]["set_aside"].values())
    before = retrainer.retrainings.steps(first.id)[2].detail["trusted"]
    assert steps["training"]["trusted"] == before + taken
    assert steps["gate"]["promoted"] is False
    assert [check["name"] for check in steps["gate"]["checks"] if not check["passed"]] == ["better"]
    challenger = ProductClassifier.load(retrainer.registry.folder_of(str(second.model)))
    assert not any(challenger.neighbours_.was_seen(one) for one in retrainer.golden.listings()[0])
    assert retrainer.registry.find(str(second.model)).parent == first.model


def test_one_runs_at_a_time(retrainer: Retrainer, recipe: RetrainingRecipe, database: Database) -> None:
    journal = retrainer.retrainings
    waiting = journal.request("ann", "from the web", "api", recipe)
    assert journal.next_waiting() == waiting
    with pytest.raises(ConflictError, match=r"A retraining waits to be started, since 20.* UTC"):
        journal.request("bob", "on schedule", "schedule")
    by_hand = journal.request("bob", "by hand", "hand")
    assert (journal.find(waiting.id).state, journal.find(waiting.id).error) == (
        "interrupted",
        "Another was started by hand",
    )
    with pytest.raises(ConflictError, match="This retraining does not wait any more"):
        retrainer.run(waiting.id, silent)
    until = datetime.now(UTC) + timedelta(minutes=1)
    with database.write() as connection:
        connection.execute(
            update(retrainings)
            .where(retrainings.c.id == by_hand.id)
            .values(state="running", started_at=datetime.now(UTC), leased_until=until)
        )
    with pytest.raises(ConflictError, match=r"A retraining is running, since 20.* UTC"):
        journal.request("carl", "by hand", "hand")


def test_one_whose_process_is_silent_is_cleared_away(
    retrainer: Retrainer, recipe: RetrainingRecipe, database: Database
) -> None:
    journal = retrainer.retrainings
    lost = journal.request("ann", "lost", "hand", recipe)
    work = journal.folder / lost.id / "work"
    work.mkdir(parents=True)
    with database.write() as connection:
        connection.execute(
            update(retrainings)
            .where(retrainings.c.id == lost.id)
            .values(state="running", leased_until=datetime.now(UTC) - timedelta(seconds=1))
        )
    again = journal.request("ann", "again", "schedule")
    found = journal.find(lost.id)
    assert (found.state, found.error) == ("interrupted", "Its process gave no sign of life any more")
    assert found.ended_at is not None
    assert not work.parent.exists()
    assert [one.id for one in journal.newest()] == [again.id, lost.id]


def test_a_lost_run_does_not_promote(
    retrainer: Retrainer, recipe: RetrainingRecipe, database: Database
) -> None:
    asked = retrainer.retrainings.request("ann", "slow", "hand", recipe)

    def give_up(stage: str, done: int, total: int) -> None:
        if stage == "Computing intervals":
            with database.write() as connection:
                connection.execute(update(retrainings).values(state="interrupted"))

    with pytest.raises(ConflictError, match="This retraining was given up for lost"):
        retrainer.run(asked.id, give_up)
    assert retrainer.registry.champion() is None
    assert retrainer.retrainings.find(asked.id).state == "interrupted"


def test_a_failure_is_noted_and_leaves_nothing(retrainer: Retrainer, recipe: RetrainingRecipe) -> None:
    asked = retrainer.retrainings.request("ann", "x", "hand", replace(recipe, catalogues=("/nowhere.csv",)))
    with pytest.raises(CatalogueError, match=r"There is no catalogue /nowhere\.csv"):
        retrainer.run(asked.id, silent)
    found = retrainer.retrainings.find(asked.id)
    assert found.state == "failed"
    assert found.error.startswith("There is no catalogue /nowhere.csv")
    assert not (retrainer.retrainings.folder / asked.id).exists()
    with pytest.raises(NotFoundError, match="There is no report of this retraining"):
        retrainer.retrainings.report(asked.id)
    with pytest.raises(NotFoundError, match="There is no retraining 'nothing'"):
        retrainer.retrainings.find("nothing")


def test_a_recipe_that_failed_is_not_taken_again(retrainer: Retrainer, recipe: RetrainingRecipe) -> None:
    journal = retrainer.retrainings
    first = journal.request("ann", "first", "hand", recipe)
    retrainer.run(first.id, silent)
    misspelt = journal.request("ann", "x", "hand", replace(recipe, catalogues=("/shpo.csv",)))
    with pytest.raises(CatalogueError):
        retrainer.run(misspelt.id, silent)
    assert journal.last_recipe() == recipe


def test_a_stop_after_the_promotion_is_no_interruption(
    retrainer: Retrainer, recipe: RetrainingRecipe, database: Database
) -> None:
    def stop(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "INSERT INTO retraining_steps" in statement and "gate" in str(parameters):
            raise KeyboardInterrupt

    asked = retrainer.retrainings.request("ann", "first", "hand", recipe)
    event.listen(database.engine, "before_cursor_execute", stop)
    with pytest.raises(KeyboardInterrupt):
        retrainer.run(asked.id, silent)
    event.remove(database.engine, "before_cursor_execute", stop)
    found = retrainer.retrainings.find(asked.id)
    assert (found.state, found.model, found.error) == ("promoted", retrainer.registry.champion(), "Stopped")
    assert retrainer.retrainings.report(asked.id).is_file()


def test_what_is_asked_for_without_a_word_or_a_recipe_is_refused(retrainer: Retrainer) -> None:
    with pytest.raises(
        RayonError, match="There was no retraining before, whose training data could be taken"
    ):
        retrainer.retrainings.request("ann", "why not", "hand")
    with pytest.raises(RayonError, match="The reason is missing"):
        retrainer.retrainings.request("ann", "  ", "hand")


def test_it_is_needed_where_something_is_wrong_and_people_have_said_what(
    retrainer: Retrainer, recipe: RetrainingRecipe, labelled: Labelled, database: Database
) -> None:
    done = retrainer.run(retrainer.retrainings.request("ann", "first", "hand", recipe).id, silent)
    folder = retrainer.registry.folder_of(str(done.model))
    watching = Monitor(database, retrainer.images, folder)
    assert need_of_retraining(database, watching.look("ann", silent)) == Need(
        False, "nothing needs attention"
    )
    strange = [Listing(f"Schraubenzieher verchromt Nummer{n} Größe{n}") for n in range(250)]
    validate(retrainer, strange, [labelled[1][0]] * 250)
    found = watching.look("ann", silent)
    assert need_of_retraining(database, found) == Need(
        True, "; ".join(one.message for one in found.attention)
    )
    with database.write() as connection:
        connection.execute(update(predictions).values(validated_at=done.requested_at))
    assert need_of_retraining(database, found) == Need(
        False, "nothing has been validated since the last retraining"
    )
