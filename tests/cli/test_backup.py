"""A backup taken while the service works, and a service that goes on from it."""

from __future__ import annotations

import io
import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

URL = "/api/v1/predictions"


def drawn(n: int, turn: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (60 * n, turn % 256, turn // 256 % 256)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.proof
@pytest.mark.parametrize("kinds", [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_a_backup_under_load_is_whole(
    start: Callable[..., Any],
    rayon: Callable[..., Any],
    empty_database: Callable[[str], str],
    environment: dict[str, str],
    trained: Path,
    tmp_path: Path,
    until: Callable[..., None],
    kinds: tuple[str, str],
) -> None:
    service = start(RAYON_DATABASE=empty_database(kinds[0]))
    answered: list[str] = []
    stop = threading.Event()

    def ask(n: int) -> None:
        with httpx.Client(
            base_url=service.client.base_url, headers=service.client.headers, timeout=30
        ) as client:
            turn = 0
            while not stop.is_set():
                turn += 1
                data = {"designation": f"Lampe {n} {turn}"}
                answer = client.post(URL, data=data, files={"image": drawn(n, turn)})
                assert answer.status_code == 200
                answered.append(answer.json()["id"])

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    n = 20_000
    rows = "designation,productid\n" + "".join(f"Lampe {i},{i}\n" for i in range(n))
    job = service.client.post("/api/v1/jobs", files={"file": ("shop.csv", rows)}).json()
    path = f"/api/v1/jobs/{job['id']}"
    until(lambda: len(answered) > 50 and service.client.get(path).json()["rows_done"] > 100)
    before = set(answered)
    taken = rayon("backup", "rayon.tar", "--model", trained, "--json")
    after = set(answered)
    stop.set()
    for thread in threads:
        thread.join(60)
    service.stop(signal.SIGKILL)
    assert taken.returncode == 0, taken.stderr
    summary = json.loads(taken.stdout)
    assert (summary["missing_images"], summary["jobs"]) == (0, 1)
    assert len(after) > len(before), "nothing happened meanwhile, so nothing is proved"

    environment["RAYON_HOME"] = str(tmp_path / "restored")
    environment["RAYON_DATABASE"] = empty_database(kinds[1])
    back = rayon("restore", "rayon.tar")
    assert back.returncode == 0, back.stderr
    model = tmp_path / "restored" / "models" / summary["models"][0]
    assert back.stdout.splitlines()[-1] == f"Serve with: rayon serve --model {model}"
    again = start()
    until(lambda: again.client.get(path).json()["state"] == "done", seconds=180)
    ended = again.client.get(path).json()
    assert (ended["rows_done"], ended["rows_failed"]) == (n, 0)
    results = again.client.get(f"{path}/results", params={"format": "jsonl"}).text.splitlines()
    assert sorted(int(json.loads(line)["productid"]) for line in results) == list(range(n))
    kept: set[str] = set()
    cursor: dict[str, str] = {}
    while True:
        page = again.client.get(URL, params={"limit": 1000, **cursor}).json()
        alone = [one for one in page["items"] if one["job_id"] is None]
        kept |= {one["id"] for one in alone}
        for one in alone[:20]:
            assert again.client.get("/api/v1" + one["image"]).status_code == 200
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert before <= kept
    assert again.stop() == 0


@pytest.mark.proof
def test_the_commands_say_what_they_did(rayon: Callable[..., Any], trained: Path, tmp_path: Path) -> None:
    assert rayon("users", "create", "ann").returncode == 0
    made = rayon("backup", "rayon.tar", "--model", trained)
    assert made.returncode == 0, made.stderr
    assert made.stdout.endswith("holds 0 predictions, 1 users, 0 pictures, 1 models and 0 open jobs.\n")
    twice = rayon("backup", "rayon.tar")
    assert (twice.returncode, twice.stderr) == (
        2,
        "Error: rayon.tar is in the way.\nChoose another name.\n",
    )
    full = rayon("restore", "rayon.tar")
    assert full.returncode == 2
    assert "is not empty.\nRestore into an empty one." in full.stderr
    (tmp_path / "cut.tar").write_bytes((tmp_path / "rayon.tar").read_bytes()[:5000])
    cut = rayon("restore", "cut.tar")
    assert cut.returncode == 2
    assert cut.stderr.startswith("Error: cut.tar is not a whole backup (")
    assert "Traceback" not in cut.stderr
