"""The life of a model, with real processes: drift, feedback, retraining, the gate, hot swap, rollback."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from rayon.learning.model import ProductClassifier
from rayon.learning.model_files import CHECKSUM_FILE, writing_model

CODES = ("10", "40", "50", "60")
URL = "/api/v1/predictions"
Texts = list[tuple[str, str]]


def words(code: str, era: str) -> list[str]:
    """Sixty words that only products of this code and time have in their titles."""
    rng = np.random.default_rng([CODES.index(code), len(era)])
    letters = np.array(list("aeioubcdfglmnprstv" if era == "old" else "äöüaekwzxjyhqkßnt"))
    return ["".join(rng.choice(letters, 7)) for _ in range(60)]


def texts(n: int, era: str, seed: int) -> Texts:
    """Titles with their codes; a fifth of the words say nothing."""
    rng = np.random.default_rng(seed)
    made = []
    for row in range(n):
        code = CODES[row % len(CODES)]
        own = rng.choice(words(code, era), 6, replace=False)
        others = rng.choice([word for one in CODES for word in words(one, era)], 2, replace=False)
        made.append((" ".join([*own, *others]), code))
    return made


def write(path: Path, rows: Sequence[tuple[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("designation", "prdtypecode"))
        writer.writerows(rows)
    return path


@dataclass
class Load:
    """Requests without end, from several clients."""

    base: httpx.URL
    key: str
    failed: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        title = texts(1, "old", 99)[0][0]
        while not self.stop.is_set():  # a connection each time: all processes are asked
            with httpx.Client(base_url=self.base, headers={"Authorization": self.key}, timeout=60) as client:
                for _ in range(5):
                    answer = client.post(URL, json={"designation": title})
                    if answer.status_code == 200:
                        self.versions.append(answer.json()["model_version"][:12])
                    else:
                        self.failed.append(answer.text)

    def settled(self, name: str) -> Callable[[], bool]:
        return lambda: len(self.versions) > 60 and set(self.versions[-60:]) == {name}

    @contextmanager
    def running(self, clients: int = 2) -> Iterator[None]:
        threads = [threading.Thread(target=self.ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(90)


@pytest.mark.proof
@pytest.mark.parametrize(("kind", "workers"), [("sqlite", 1), ("postgresql", 2)])
def test_the_life_of_a_model(
    start: Callable[..., Any],
    rayon: Callable[..., Any],
    until: Callable[..., None],
    empty_database: Callable[[str], str],
    environment: dict[str, str],
    tmp_path: Path,
    kind: str,
    workers: int,
) -> None:
    environment["RAYON_DATABASE"] = empty_database(kind)
    options = ("--image-encoder", "none", "--folds", 3, "--precision", 0.9)
    shop = texts(1_200, "old", 1)
    first = rayon("retrain", write(tmp_path / "shop.csv", shop), *options, "--json")
    assert first.returncode == 0, first.stderr
    old = json.loads(first.stdout)["model"]

    assert rayon("users", "create", "eve", "--role", "admin", "--password-stdin", stdin="battery staple\n")
    service = start("--workers", workers, pinned=False, RAYON_AUDIT_SHARE="0.5")
    admin = {"Authorization": f"Bearer {rayon('keys', 'create', 'eve').stdout.strip()}"}
    client: httpx.Client = service.client
    load = Load(client.base_url, client.headers["Authorization"])
    with load.running():
        until(load.settled(old))

        # New products come, and people say what they are.
        for title, code in texts(400, "new", 2):
            answer = client.post(URL, json={"designation": title}).json()
            if answer["queued_for"] is None:
                continue
            said = {"verdict": "right"} if answer["code"] == code else {"verdict": "wrong", "code": code}
            done = client.post(f"{URL}/{answer['id']}/validations", json=said)
            assert done.status_code == 201, done.text
        looked = client.post("/api/v1/monitoring", json={}, timeout=120)
        assert looked.status_code == 200, looked.text
        seen = {one["kind"]: one["message"] for one in looked.json()["attention"]}
        assert "unknown words against training" in seen["drift"]
        assert looked.json()["actor"] == "ann"

        # The service itself retrains, through the gate, and every process takes the new model up.
        asked = client.post("/api/v1/retrainings", json={"reason": "new products"}, headers=admin)
        assert asked.status_code == 202, asked.text
        place = f"/api/v1/retrainings/{asked.json()['id']}"
        until(lambda: client.get(place).json()["ended_at"] is not None, seconds=180)
        retrained = client.get(place).json()
        assert retrained["state"] == "promoted", retrained
        new = retrained["model"]
        steps = {step["step"]: step["detail"] for step in retrained["steps"]}
        assert steps["golden"]["added"] > 100
        assert steps["snapshot"]["listings"] > 50
        assert all(check["passed"] for check in steps["gate"]["checks"])
        assert client.get(f"{place}/report").json()["modalities"]["fused"]["n"] == steps["golden"]["listings"]
        until(load.settled(new), seconds=20)

        # And back, and forth again: the same question to the golden set costs nothing.
        back = client.post("/api/v1/models/rollback", json={"reason": "to see"}, headers=admin)
        assert back.status_code == 200, back.text
        until(load.settled(old), seconds=20)
        again = rayon("models", "promote", new, "--reason", "it was better")
        assert again.returncode == 0, again.stdout + again.stderr
        until(load.settled(new), seconds=20)

        # Bad challengers are refused, each for what is wrong with it.
        everything = [*shop, *texts(400, "new", 3)]
        shuffled = np.random.default_rng(0).permutation([code for _, code in everything]).tolist()
        titles = [title for title, _ in everything]
        refused = refuse(rayon, tmp_path, "shuffled", list(zip(titles, shuffled, strict=True)), options)
        assert "better" in refused
        assert refused["better"]["figures"]["gain"] < -0.3
        refused = refuse(rayon, tmp_path, "dropped", [row for row in everything if row[1] != "60"], options)
        assert [one["code"] for one in refused["codes"]["figures"]["blocking"]] == ["60"]
        code, said = corrupted(rayon, tmp_path, environment)
        assert code == 2
        assert "fusion.npz has changed since it was written" in said
    assert load.failed == []
    assert set(load.versions) == {old, new}
    assert load.versions[-1] == new
    assert service.stop() == 0


def refuse(
    rayon: Callable[..., Any], folder: Path, name: str, rows: Texts, options: tuple[Any, ...]
) -> dict[str, Any]:
    """Train a challenger, have the gate refuse it, and give the checks that failed, by name."""
    model = folder / name
    trained = rayon(
        "train", write(folder / f"{name}.csv", rows), "--golden", "--out", model, *options, "--json"
    )
    assert trained.returncode == 0, trained.stderr
    challenger = json.loads(rayon("models", "import", model, "--json").stdout)["name"]
    answer = rayon("models", "promote", challenger, "--reason", "sabotage", "--json")
    assert answer.returncode == 3, answer.stdout + answer.stderr
    found = json.loads(answer.stdout)
    assert found["promoted"] is False
    return {check["name"]: check for check in found["checks"] if not check["passed"]}


def corrupted(rayon: Callable[..., Any], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Have a model promoted one byte of which has changed, and say what came of it."""
    changed = folder / "changed"
    with writing_model(changed) as writer:
        for path in (folder / "shuffled").iterdir():
            if path.name not in (CHECKSUM_FILE, "MODEL_CARD.md"):
                writer.copy(path.name, path)
        writer.write_text("MODEL_CARD.md", "Another card makes another version.\n")
    name = json.loads(rayon("models", "import", changed, "--json").stdout)["name"]
    kept = Path(environment["RAYON_HOME"]) / "models" / name / "fusion.npz"
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(content)
    answer = rayon("models", "promote", name, "--reason", "corrupt")
    return answer.returncode, " ".join(answer.stderr.split())


@pytest.mark.proof
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_retraining_leaves_nothing_but_its_entry(
    rayon: Callable[..., Any],
    environment: dict[str, str],
    tmp_path: Path,
    how: signal.Signals,
) -> None:
    shop = write(tmp_path / "shop.csv", texts(4_000, "old", 1))
    process = subprocess.Popen(
        [sys.executable, "-m", "rayon", "retrain", str(shop), "--image-encoder", "none"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:  # each stage says when it has ended
        if line.startswith("Leaving out golden ones"):
            process.send_signal(how)
            break
    process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 130
    home = Path(environment["RAYON_HOME"])
    assert list((home / "retrainings").iterdir()) == []
    assert not (home / "models").exists()
    again = rayon("retrain", "--folds", 2, "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["recipe"]["catalogues"] == [str(shop)]


@pytest.mark.proof
def test_a_first_retraining_then_a_look_and_nothing_to_do(
    rayon: Callable[..., Any], environment: dict[str, str], tmp_path: Path
) -> None:
    shop = write(tmp_path / "shop.csv", texts(400, "old", 1))
    options = ("--image-encoder", "none", "--folds", 2, "--precision", 0.8)
    none = rayon("retrain")
    assert (none.returncode, none.stderr.count("Name it once: rayon retrain CATALOGUE.")) == (2, 1)
    first = rayon("retrain", "shop.csv", *options, "--reason", "the first")
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert lines[0].startswith("The golden set holds 4")
    assert lines[1] == "Feedback: 0 validated listings, and 0 set aside."
    assert lines[-1].endswith(" is the champion; processes that serve follow within seconds.")
    name = lines[-1].split()[0]
    assert shop.is_file()

    page = tmp_path / "monitoring.html"
    looked = rayon("monitor", "--since", "7d", "--report", page)
    assert looked.returncode == 0, looked.stderr
    assert f"0 by the model {name}; 0 wait for review." in looked.stdout
    assert "Nothing needs attention." in looked.stdout
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    needed = rayon("retrain", "--if-needed", "--json")
    assert needed.returncode == 0, needed.stderr
    assert json.loads(needed.stdout) == {"needed": False, "reason": "nothing needs attention"}
    wrong = rayon("monitor", "--since", "yesterday")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("Error: 'yesterday' is no moment.")
    model = ProductClassifier.load(Path(environment["RAYON_HOME"]) / "models" / name)
    assert model.decide([texts(1, "old", 5)[0][0]])[0].code == CODES[0]


@pytest.mark.proof
def test_a_schedule_without_a_time_zone_is_refused(
    rayon: Callable[..., Any], environment: dict[str, str], trained: Path
) -> None:
    environment["RAYON_MONITOR_SCHEDULE"] = "0 6 * * *"
    for command in ("serve", "worker"):
        refused = rayon(command, "--model", trained)
        assert refused.returncode == 2
        assert "Error: RAYON_MONITOR_SCHEDULE needs RAYON_TIME_ZONE." in refused.stderr
    environment["RAYON_TIME_ZONE"] = "Europe/Atlantis"
    refused = rayon("serve", "--model", trained)
    assert refused.returncode == 2
    assert "Error: There is no time zone 'Europe/Atlantis'." in refused.stderr
