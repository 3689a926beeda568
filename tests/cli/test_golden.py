"""The golden set from the command line, and training that keeps away from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from rayon.data.loading import read_catalogue
from rayon.learning.model import ProductClassifier
from rayon.store.database import Database
from rayon.store.predictions import add_validation
from rayon.store.tables import predictions


@pytest.mark.proof
def test_nothing_golden_is_learned_from(rayon: Callable[..., Any], shop: Path, tmp_path: Path) -> None:
    arguments = ("train", shop, "--out", tmp_path / "model", "--image-encoder", "none", "--golden", "--json")
    early = rayon(*arguments)
    assert early.returncode == 2
    assert "Error: There is no golden set to leave out." in early.stderr
    fixed = rayon("golden", "fix", shop, "--share", 0.2, "--json")
    assert fixed.returncode == 0, fixed.stderr
    counts = json.loads(fixed.stdout)
    assert counts["golden"] + counts["left"] == 400
    again = rayon("golden", "fix", shop)
    assert again.returncode == 2
    assert again.stderr.splitlines()[-2:] == [
        "Error: There is a golden set already.",
        "It only grows, by what the random audit draws.",
    ]
    shown = json.loads(rayon("golden", "show", "--json").stdout)
    assert shown["golden"] == sum(shown["codes"].values()) == counts["golden"]

    trained = rayon(*arguments)
    assert trained.returncode == 0, trained.stderr
    summary = json.loads(trained.stdout)
    assert summary["left_out"] >= counts["golden"]
    assert summary["trusted"] + summary["left_out"] == 400
    model = ProductClassifier.load(tmp_path / "model")
    unseen = sum(not model.neighbours_.was_seen(one) for one in read_catalogue(shop).listings)
    assert unseen >= counts["golden"]


@pytest.mark.proof
def test_it_grows_by_what_the_audit_drew(
    start: Callable[..., Any], rayon: Callable[..., Any], shop: Path, sqlite: str
) -> None:
    service = start(RAYON_AUDIT_SHARE="1")
    made = service.client.post(
        "/api/v1/predictions", json={"designation": "Ocarina bakélite zinzolin"}
    ).json()
    word = service.client.post(f"/api/v1/predictions/{made['id']}/validations", json={"verdict": "right"})
    assert word.status_code == 201
    grown = rayon("golden", "grow", shop, "--json")
    assert json.loads(grown.stdout) == {"added": 1, "known": 0, "golden": 1}
    assert json.loads(rayon("golden", "show", "--json").stdout)["codes"] == {made["code"]: 1}
    known = read_catalogue(shop).listings[0]
    copy = service.client.post(
        "/api/v1/predictions", json={"designation": known.designation, "description": known.description}
    ).json()
    database = Database(sqlite)
    with database.write() as connection:
        add_validation(connection, copy["id"], None, "right", copy["code"], "", datetime.now(UTC))
        connection.execute(update(predictions).values(queued_for="audit"))
    database.close()
    assert rayon("golden", "grow", shop).stdout.splitlines() == [
        "0 audited listings were added; 1 are golden now.",
        "1 stay outside: models have learned from listings like them.",
    ]
    assert service.stop() == 0


@pytest.mark.proof
def test_the_gate_stands_before_the_champion(
    rayon: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    made = rayon("sample", tmp_path / "fresh", "--listings", 600, "--seed", 9)
    assert made.returncode == 0, made.stderr
    first = json.loads(rayon("models", "import", trained, "--promote", "--json").stdout)
    nothing = rayon("models", "compare", first["name"], trained)
    assert nothing.returncode == 2
    assert "Error: There is no golden set to compare on." in nothing.stderr
    model = ProductClassifier.load(trained)
    model.precision = 0.7  # which changes no answer
    model.save(tmp_path / "equal")
    second = json.loads(rayon("models", "import", tmp_path / "equal", "--json").stdout)
    assert rayon("golden", "fix", tmp_path / "fresh", "--share", 0.5).returncode == 0

    compared = rayon("models", "compare", first["name"], second["name"])
    assert compared.returncode == 3
    refused = rayon("models", "promote", second["name"], "--reason", "newer")
    assert refused.returncode == 3
    assert "✗ The challenger is not shown to be better: weighted F1 +0.0000" in refused.stdout
    last = refused.stdout.splitlines()[-1]
    assert last == f"{second['name']} is not promoted; --force would do it all the same."
    champion = json.loads(rayon("models", "list", "--json").stdout)["models"]
    assert [one["name"] for one in champion if one["champion"]] == [first["name"]]

    forced = rayon("models", "promote", second["name"], "--reason", "I know better", "--force", "--json")
    assert forced.returncode == 0, forced.stderr
    verdict = json.loads(forced.stdout)["verdict"]
    assert (verdict["passed"], verdict["forced"]) == (False, True)
    assert [check["name"] for check in verdict["checks"] if not check["passed"]] == ["better"]


@pytest.mark.proof
def test_feedback_becomes_training_data(
    start: Callable[..., Any], rayon: Callable[..., Any], shop: Path, tmp_path: Path
) -> None:
    nothing = rayon("data", "snapshot", "feedback", "--training", shop)
    assert nothing.returncode == 2
    assert "Error: There is nothing to learn from." in nothing.stderr
    service = start(RAYON_AUDIT_SHARE="0")
    made = service.client.post(
        "/api/v1/predictions", json={"designation": "Ocarina bakélite zinzolin"}
    ).json()
    service.client.post(f"/api/v1/predictions/{made['id']}/validations", json={"verdict": "right"})
    taken = rayon("data", "snapshot", "feedback", "--training", shop, "--json")
    assert taken.returncode == 0, taken.stderr
    assert json.loads(taken.stdout)["listings"] == 1
    arguments = (shop, tmp_path / "feedback" / "listings.jsonl", "--out", "model", "--image-encoder", "none")
    trained = rayon("train", *arguments, "--json")
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["trusted"] == 401
    assert service.stop() == 0


@pytest.mark.proof
def test_a_champion_that_knows_all_golden_listings_is_only_replaced_by_force(
    rayon: Callable[..., Any], trained: Path, shop: Path, tmp_path: Path
) -> None:
    rayon("models", "import", trained, "--promote")
    loaded = read_catalogue(shop)  # it was trained on all of it
    rows = [
        {"designation": one.designation, "description": one.description, "prdtypecode": code}
        for one, code in zip(loaded.listings, loaded.codes or [], strict=True)
        if one.has_text
    ]
    known = tmp_path / "known.jsonl"
    known.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert rayon("golden", "fix", known).returncode == 0
    model = ProductClassifier.load(trained)
    model.precision = 0.7
    model.save(tmp_path / "other")
    name = json.loads(rayon("models", "import", tmp_path / "other", "--json").stdout)["name"]
    refused = rayon("models", "promote", name, "--reason", "newer")
    assert refused.returncode == 2
    assert (
        "Error: No listing is left to compare on: the models have learned from all of them." in refused.stderr
    )
    forced = rayon("models", "promote", name, "--reason", "newer", "--force", "--json")
    assert forced.returncode == 0, forced.stderr
    assert json.loads(forced.stdout)["verdict"]["forced"] is True
