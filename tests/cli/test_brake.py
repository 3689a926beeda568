"""The brake and recalibration from the command line, beside a service that runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from rayon.data.loading import read_catalogue
from rayon.store.database import Database
from rayon.store.tables import predictions, validations


def validate_all(url: str, codes: dict[str, str]) -> None:
    """Have somebody say of all predictions what is right, by their titles."""
    database, now = Database(url), datetime.now(UTC)
    with database.write() as connection:
        rows = connection.execute(select(predictions.c.id, predictions.c.designation)).all()
        for id, title in rows:
            said = {"prediction_id": id, "at": now, "verdict": "wrong", "comment": "", "code": codes[title]}
            connection.execute(insert(validations).values(said))
            connection.execute(
                update(predictions)
                .where(predictions.c.id == id)
                .values(validated_at=now, true_code=codes[title])
            )
    database.close()


def test_without_a_champion_there_is_nothing_to_do(rayon: Callable[..., Any]) -> None:
    for arguments, what in (
        (("brake", "show"), "brake"),
        (("brake", "set", "--reason", "x"), "brake"),
        (("recalibrate",), "recalibrate"),
    ):
        done = rayon(*arguments)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-2:] == [
            f"Error: There is no champion to {what}.",
            "Register one: rayon models import MODEL_DIR --promote.",
        ]


@pytest.mark.proof
def test_the_commands(rayon: Callable[..., Any], better_trained: Path) -> None:
    name = json.loads(rayon("models", "import", better_trained, "--promote", "--json").stdout)["name"]
    assert rayon("brake", "show").stdout == f"No brake is on {name}.\n"
    assert json.loads(rayon("brake", "show", "--json").stdout) == {"model": name, "brake": None}
    tight = rayon("brake", "set", "--reason", "shoes")
    assert tight.returncode == 0, tight.stderr
    assert re.fullmatch(
        rf"{name} accepts from a score of 0\.\d{{4}} on only, since .+ UTC, by command line \(shoes\)\.\n",
        tight.stdout,
    )
    assert rayon("brake", "show").stdout == tight.stdout
    stopped = json.loads(rayon("brake", "set", "--kind", "review", "--reason", "worse", "--json").stdout)
    assert (stopped["brake"]["kind"], stopped["brake"]["threshold"]) == ("review", None)
    assert rayon("brake", "show").stdout.startswith(f"{name} accepts nothing, since ")
    nobody = rayon("brake", "set", "--reason", " ")
    assert nobody.returncode == 2
    assert nobody.stderr.splitlines()[-2:] == [
        "Error: The reason is missing.",
        "Say why, for whoever asks later.",
    ]
    assert rayon("brake", "release", "--reason", "mended").stdout == f"No brake is on {name} any more.\n"
    again = rayon("brake", "release", "--reason", "mended")
    assert again.returncode == 2
    assert f"Error: There is no brake on the model '{name}'." in again.stderr


def test_a_model_that_supports_nothing_stricter_goes_to_review(
    rayon: Callable[..., Any], trained: Path
) -> None:
    rayon("models", "import", trained, "--promote")
    done = rayon("brake", "set", "--kind", "tighten", "--reason", "x")
    assert " accepts nothing, since " in done.stdout
    assert done.stdout.splitlines()[-1] == "Its own listings support no stricter threshold."


@pytest.mark.proof
def test_a_service_is_braked_and_recalibrated_while_it_runs(
    start: Callable[..., Any],
    rayon: Callable[..., Any],
    until: Callable[..., None],
    better_trained: Path,
    held_out: Path,
    sqlite: str,
) -> None:
    name = json.loads(rayon("models", "import", better_trained, "--promote", "--json").stdout)["name"]
    loaded = read_catalogue(held_out)
    rows = {
        one.designation: code
        for one, code in zip(loaded.listings, loaded.codes or [], strict=True)
        if one.designation
    }
    known = json.loads((better_trained / "model.json").read_text(encoding="utf-8"))["codes"]
    rows = {title: code for title, code in list(rows.items())[:400] if code in known}
    assert rayon("brake", "set", "--kind", "review", "--reason", "before it starts").returncode == 0
    service = start(pinned=False, RAYON_AUDIT_SHARE="1")

    def ask(titles: list[str]) -> list[dict[str, Any]]:
        body = {"listings": [{"designation": title} for title in titles]}
        made: list[dict[str, Any]] = service.client.post("/api/v1/predictions/batch", json=body).json()[
            "predictions"
        ]
        return made

    titles = list(rows)
    assert {one["decision"] for one in ask(titles)} == {"review"}  # from the first answer on
    assert service.client.get("/api/v1/model").json()["brake"]["reason"] == "before it starts"
    early = rayon("recalibrate", "--since", "1d")
    assert early.returncode == 2
    assert "Error: 0 validated listings of the random audit since " in early.stderr
    assert f"Validate those that wait ({len(titles):,}), go further back" in early.stderr

    validate_all(sqlite, dict.fromkeys(titles, known[0]))
    refused = rayon("recalibrate", "--json")
    assert refused.returncode == 3
    assert refused.stderr.splitlines()[-1] == f"Nothing was changed; {name} stays the champion."
    figures = json.loads(refused.stdout)
    assert (figures["model"], figures["promoted"], figures["after"]["threshold"]) == (None, False, None)
    assert figures["message"].startswith(f"Nothing is accepted: {len(titles)} calibration listings cannot")
    assert rayon("brake", "show").stdout.startswith(f"{name} accepts nothing, since ")

    answers = {one["designation"]: one["code"] for one in ask(titles)}
    validate_all(sqlite, answers)
    tried = rayon("recalibrate", "--no-promote", "--json")
    assert tried.returncode == 0, tried.stderr
    registered = json.loads(tried.stdout)
    assert registered["promoted"] is False
    assert registered["after"]["precision"] == 1.0
    listed = {one["name"]: one for one in json.loads(rayon("models", "list", "--json").stdout)["models"]}
    assert listed[registered["model"]]["source"] == "recalibrate"
    assert [key for key, one in listed.items() if one["champion"]] == [name]

    done = rayon("recalibrate")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].endswith(", 100.0% answered rightly.")
    assert re.fullmatch(
        r"After: \d+\.\d% accepted from a score of 0\.\d{4} on, 100\.0% of them right\.", lines[2]
    )
    assert lines[3].startswith("Accepted listings keep a precision of 80.0% with 95% confidence: ")
    made = lines[4].split()[0]
    assert lines[4] == f"{made} is the champion; it has the weights of {name}."
    card = rayon("models", "show", made).stdout
    assert "The threshold was set again " in card
    assert re.search(r"promoted \w+ after \w+ \(recalibrated on \d+ audited listings\)\.", card)
    until(lambda: service.client.get("/api/v1/model").json()["version"].startswith(made))
    assert service.client.get("/api/v1/model").json()["brake"] is None
    assert "accept" in {one["decision"] for one in ask(titles[:50])}
    assert rayon("models", "rollback", "--reason", "complaints").returncode == 0
    until(lambda: service.client.get("/api/v1/model").json()["version"].startswith(name))
    assert {one["decision"] for one in ask(titles[:50])} == {"review"}
    assert service.stop() == 0
