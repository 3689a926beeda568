"""Models are promoted and rolled back while the service answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from rayon.data.taxonomy import Category, Taxonomy
from rayon.learning.model import ProductClassifier

URL = "/api/v1/predictions"


@pytest.fixture(scope="session")
def other(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that differs in its promise alone."""
    model = ProductClassifier.load(trained)
    model.precision = 0.7
    folder = tmp_path_factory.mktemp("other") / "model"
    model.save(folder)
    return folder


@pytest.mark.proof
@pytest.mark.parametrize(("kind", "workers"), [("sqlite", 1), ("postgresql", 2)])
def test_swapping_under_load_fails_no_request(
    start: Callable[..., Any],
    rayon: Callable[..., Any],
    until: Callable[..., None],
    empty_database: Callable[[str], str],
    environment: dict[str, str],
    trained: Path,
    other: Path,
    kind: str,
    workers: int,
) -> None:
    environment["RAYON_DATABASE"] = empty_database(kind)
    first, second = (
        json.loads(rayon("models", "import", folder, "--json").stdout) for folder in (trained, other)
    )
    assert rayon("models", "promote", first["name"], "--reason", "the first").returncode == 0
    service = start("--workers", workers, pinned=False)
    failed: list[object] = []
    versions: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():  # a connection each time: all processes are asked
            with httpx.Client(
                base_url=service.client.base_url, headers=service.client.headers, timeout=30
            ) as client:
                for _ in range(5):
                    answer = client.post(URL, json={"designation": "Piscine ronde 3 m"})
                    if answer.status_code != 200:
                        failed.append(answer.text)
                    versions.append(answer.json()["model_version"])

    def settled(version: str) -> Callable[[], bool]:
        return lambda: len(versions) > 100 and set(versions[-100:]) == {version}

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(settled(first["version"]))
    moved = rayon("models", "promote", second["name"], "--reason", "better")
    assert moved.returncode == 0, moved.stderr
    until(settled(second["version"]), seconds=20)
    back = rayon("models", "rollback", "--reason", "worse")
    assert back.returncode == 0, back.stderr
    until(settled(first["version"]), seconds=20)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert set(versions) == {first["version"], second["version"]}
    assert service.stop() == 0


@pytest.mark.proof
def test_a_damaged_champion_is_reported_and_the_old_one_goes_on(
    start: Callable[..., Any],
    rayon: Callable[..., Any],
    until: Callable[..., None],
    environment: dict[str, str],
    trained: Path,
    other: Path,
    sqlite: str,
) -> None:
    first = json.loads(rayon("models", "import", trained, "--promote", "--json").stdout)
    second = json.loads(rayon("models", "import", other, "--json").stdout)
    service = start(pinned=False)
    before = service.client.get("/api/v1/model").json()
    assert (before["pinned"], before["champion"], before["problem"]) == (False, first["name"], "")
    file = Path(environment["RAYON_HOME"]) / "models" / second["name"] / "head_text.npz"
    file.write_bytes(file.read_bytes()[:-1])
    refused = rayon("models", "promote", second["name"], "--reason", "better")
    assert refused.returncode == 2
    assert "is missing or has changed" in refused.stderr
    engine = create_engine(sqlite)  # as if it had been damaged a moment after it was promoted
    with engine.begin() as connection:
        connection.execute(text("UPDATE pointers SET model = :name"), {"name": second["name"]})
    engine.dispose()
    until(lambda: service.client.get("/api/v1/model").json()["problem"] != "")
    after = service.client.get("/api/v1/model").json()
    assert (after["version"], after["champion"]) == (first["version"], second["name"])
    assert "head_text.npz has changed" in after["problem"]
    answer = service.client.post(URL, json={"designation": "Lampe"}).json()
    assert answer["model_version"] == first["version"]
    assert service.stop() == 0


@pytest.mark.proof
def test_the_commands(rayon: Callable[..., Any], trained: Path, other: Path, tmp_path: Path) -> None:
    nothing = rayon("serve", "--port", 0)
    assert nothing.returncode == 2
    assert nothing.stderr.splitlines()[-2:] == [
        "Error: No model is named, and none is registered.",
        "Name one with --model, or register one: rayon models import MODEL_DIR --promote.",
    ]
    name = json.loads(rayon("models", "import", trained, "--json").stdout)["name"]
    assert rayon("models", "import", trained, "--promote").stdout == f"{name} is the champion.\n"
    assert "champion" in rayon("models", "list").stdout
    shown = rayon("models", "show", name[:5])
    assert f"command line promoted {name} (imported)." in shown.stdout
    assert rayon("models", "export", name, "copy").returncode == 0
    assert ProductClassifier.load(tmp_path / "copy").version_.startswith(name)
    back = rayon("models", "rollback", "--reason", "x")
    assert (back.returncode, back.stderr) == (
        2,
        "Error: There is no champion to go back to.\nPromote a model by its name.\n",
    )
    unreasoned = rayon("models", "promote", name)
    assert unreasoned.returncode == 2


@pytest.mark.proof
def test_what_is_imported_passes_the_gate_too(
    rayon: Callable[..., Any],
    trained: Path,
    other: Path,
    better_trained: Path,
    held_out: Path,
    tmp_path: Path,
) -> None:
    first = json.loads(rayon("models", "import", trained, "--promote", "--json").stdout)
    assert first["champion"] is True
    assert rayon("golden", "fix", held_out, "--share", 0.25).returncode == 0

    unreasoned = rayon("models", "import", other, "--promote", "--force")
    assert (unreasoned.returncode, unreasoned.stderr) == (
        2,
        "Error: A promotion by force needs a reason.\nSay why, with --reason.\n",
    )
    refused = rayon("models", "import", other, "--promote", "--json")
    assert refused.returncode == 3
    told = json.loads(refused.stdout)
    assert (told["promoted"], told["passed"], told["turn"]) == (False, False, 1)
    second = told["challenger"]
    listed = json.loads(rayon("models", "list", "--json").stdout)["models"]
    assert {one["name"]: one["champion"] for one in listed} == {first["name"]: True, second: False}

    compared = rayon("models", "compare", first["name"], better_trained)
    assert compared.returncode == 0, compared.stdout
    assert compared.stdout.count("✓ ") == 7
    assert compared.stderr.splitlines()[-1] == (
        "This was question 2 to the golden set, judged at 0.0076; the next one is judged more strictly, this "
        "one again is not."
    )
    taken = rayon("models", "import", better_trained, "--promote")
    assert taken.returncode == 0, taken.stdout
    name = ProductClassifier.load(better_trained).version_[:12]
    assert taken.stdout == f"{name} is the champion.\n"
    forced = rayon("models", "import", other, "--promote", "--force", "--reason", "a try")
    assert forced.stdout == f"{second} is the champion.\n"

    found = json.loads(rayon("models", "verdicts", "--json").stdout)["verdicts"]
    assert [(one["challenger"], one["turn"], one["passed"], one["forced"]) for one in found] == [
        (second, 1, False, True),
        (name, 2, True, False),
        (name, 2, True, False),
        (second, 1, False, False),
    ]
    table = rayon("models", "verdicts").stdout
    assert [word for word in table.split() if word in ("passed", "forced", "refused")] == [
        "forced",
        "passed",
        "passed",
        "refused",
    ]


@pytest.mark.proof
def test_a_change_of_the_taxonomy_is_compared_by_its_file(
    rayon: Callable[..., Any], trained: Path, held_out: Path, tmp_path: Path
) -> None:
    model = ProductClassifier.load(trained)
    codes = model.taxonomy_.codes
    model.taxonomy_ = Taxonomy(Category(f"new-{code}") for code in codes)
    model.save(tmp_path / "renamed")
    middle, last = tmp_path / "middle.json", tmp_path / "last.json"
    middle.write_text(json.dumps({code: f"mid-{code}" for code in codes}))
    last.write_text(json.dumps({f"mid-{code}": f"new-{code}" for code in codes}))
    compared = rayon(
        *("models", "compare", trained, tmp_path / "renamed", "--on", held_out, "--json"),
        *("--change", middle, "--change", last),
    )
    assert compared.returncode == 3, compared.stderr
    figures = json.loads(compared.stdout)["checks"][0]["figures"]
    assert (figures["differ"], figures["alpha"]) == (0, 0.05)
    wrong = rayon("models", "promote", "none", "--reason", "x", "--change", tmp_path / "none.json")
    assert wrong.returncode == 2
    assert "There is no change file" in wrong.stderr
