"""What is due or asked for is done in a process of its own, by one of many."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rayon.errors import OverloadedError
from rayon.operations.attendant import Attendant, Errand
from rayon.operations.children import run_child
from rayon.operations.recipe import RetrainingRecipe
from rayon.operations.retrainings import Retrainings
from rayon.operations.schedule import Schedule
from rayon.store.database import Database
from rayon.store.schema import upgrade_schema

MINUTELY = Schedule("monitor", "* * * * *", "UTC")
BEGIN, LATER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the processes that are started keep what they keep."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("RAYON_HOME", str(home))
    return home


@pytest.fixture
def database(home: Path) -> Database:
    database = Database(f"sqlite:///{home / 'rayon.db'}")
    upgrade_schema(database)
    return database


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records]


def test_errands_are_run_when_due_and_how_they_end_is_said(
    database: Database, home: Path, caplog: pytest.LogCaptureFixture, until: Callable[..., None]
) -> None:
    caplog.set_level(logging.INFO)
    attendant = Attendant(
        database, Retrainings(database, home / "retrainings"), [Errand(MINUTELY, ("monitor", "--scheduled"))]
    )
    attendant.look(BEGIN)
    assert said(caplog) == []
    attendant.look(LATER)
    attendant.look(LATER)
    assert said(caplog) == ["rayon monitor has begun"]

    def ended() -> bool:
        attendant.look(LATER)
        return len(said(caplog)) > 1

    until(ended)
    assert said(caplog)[1] == (
        "rayon monitor has ended with 2: "
        "Name one with --model, or register one: rayon models import MODEL_DIR --promote."
    )


def test_a_retraining_that_was_asked_for_is_begun_and_its_failure_is_noted(
    database: Database, home: Path, caplog: pytest.LogCaptureFixture, until: Callable[..., None]
) -> None:
    caplog.set_level(logging.INFO)
    journal = Retrainings(database, home / "retrainings")
    asked = journal.request("ann", "new products", "api", RetrainingRecipe(("/nowhere.csv",)))
    attendant = Attendant(database, journal)
    attendant.look(LATER)

    def ended() -> bool:
        attendant.look(LATER)
        return len(said(caplog)) > 1

    until(ended)
    assert said(caplog)[0] == "rayon retrain has begun"
    assert said(caplog)[1].startswith("rayon retrain has ended with 2: ")
    found = journal.find(asked.id)
    assert (found.state, found.error.partition(".")[0]) == ("failed", "There is no catalogue /nowhere")


def test_what_runs_is_ended_with_the_attendant(
    database: Database, home: Path, until: Callable[..., None]
) -> None:
    journal = Retrainings(database, home / "retrainings")
    catalogue = home / "shop.csv"
    catalogue.write_text(
        "designation,prdtypecode\n"
        + "".join(f"Lampe{n} verte{n} ronde{n},{10 + n % 2}\n" for n in range(40_000))
    )
    recipe = RetrainingRecipe((str(catalogue),), image_encoder="none")
    asked = journal.request("ann", "new products", "api", recipe)
    attendant = Attendant(database, journal)
    attendant.look(LATER)
    until(lambda: journal.find(asked.id).state == "running")
    attendant.stop()
    attendant.run()
    assert journal.find(asked.id).state == "interrupted"


def test_what_cannot_be_begun_ends_nothing(
    database: Database, home: Path, caplog: pytest.LogCaptureFixture, until: Callable[..., None]
) -> None:
    looks = []

    def when() -> bool:
        looks.append(1)
        if len(looks) == 1:
            raise OSError(28, "No space left on device")
        attendant.stop()
        return False

    attendant = Attendant(database, Retrainings(database, home / "retrainings"), look_seconds=0.01)
    attendant.run(when)
    assert len(looks) == 2
    assert said(caplog) == ["what is due could not be begun"]


def test_waiting_for_a_command_can_be_broken_off(home: Path) -> None:
    with pytest.raises(OverloadedError, match="It was broken off"):
        run_child(["monitor", "--json"], 60, lambda: False)
    with pytest.raises(OverloadedError, match="It was broken off"):
        run_child(["monitor", "--json"], 0)


def test_a_command_answers_in_json(home: Path) -> None:
    ended = run_child(["monitor", "--json"], 60)
    assert ended.code == 2
    assert ended.answer["error"] == "No model is named, and none is registered"
    assert run_child(["--version"], 60).answer is None
