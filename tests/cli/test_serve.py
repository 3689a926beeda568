"""The service as a process of its own: started, stopped, killed, and left without its database."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

Start = Callable[..., Any]
Kept = Callable[[str], set[str]]
POOL = {"designation": "Piscine ronde 3 m avec pompe"}
URL = "/api/v1/predictions"


def test_it_starts_answers_and_stops(start: Start, kept: Kept, sqlite: str) -> None:
    service = start()
    answer = service.client.post(URL, json=POOL).json()
    assert service.stop(signal.SIGINT) == 0
    service.heard.join()
    assert service.said[-1] == "Stopped.\n"
    assert kept(sqlite) == {answer["id"]}


@pytest.mark.proof
@pytest.mark.parametrize("arguments", [(), ("--workers", 2)])
def test_sigterm_under_load_loses_no_request(
    start: Start, kept: Kept, sqlite: str, arguments: tuple[object, ...]
) -> None:
    service = start(*arguments)
    answered: list[str] = []
    refused: list[int] = []
    lost: list[str] = []
    enough = threading.Event()

    def ask() -> None:
        with httpx.Client(
            base_url=service.client.base_url, headers=service.client.headers, timeout=30
        ) as client:
            while True:
                try:
                    answer = client.post(URL, json=POOL)
                except httpx.ConnectError:
                    return
                except httpx.HTTPError as error:
                    lost.append(repr(error))
                    return
                if answer.status_code != 200:
                    refused.append(answer.status_code)
                    assert answer.headers["retry-after"]
                    return
                answered.append(answer.json()["id"])
                if len(answered) > 200:
                    enough.set()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    assert service.stop() == 0
    for thread in threads:
        thread.join(60)
    assert lost == []
    assert set(refused) <= {503}
    assert len(refused) == 8
    assert kept(sqlite) == set(answered)


@pytest.mark.proof
def test_whatever_was_answered_survives_kill_9(start: Start, kept: Kept, sqlite: str) -> None:
    service = start()
    answered = []
    killer = threading.Timer(0, lambda: None)
    for turn in range(10_000):
        try:
            answered.append(service.client.post(URL, json=POOL).json()["id"])
        except httpx.HTTPError:
            break
        if turn == 100:
            killer = threading.Timer(0.05, service.process.kill)
            killer.start()
    killer.join()
    assert service.process.wait(60) == -signal.SIGKILL
    assert len(answered) > 100
    assert set(answered) <= kept(sqlite)
    again = start()
    assert again.client.get(f"{URL}/{answered[-1]}").status_code == 200
    assert again.client.post(URL, json=POOL).status_code == 200


@pytest.mark.proof
def test_it_goes_on_by_itself_once_postgresql_is_back(
    start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pgserver = pytest.importorskip("pgserver", reason="pgserver has no wheel for this Python")
    folder = Path(tempfile.mkdtemp())  # a socket's path has to be short
    try:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        service = start(RAYON_DATABASE=server.get_uri())
        before = service.client.post(URL, json=POOL).json()["id"]
        pgserver.pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=server.pgdata, user=server.system_user)
        for _ in range(3):
            gone = service.client.post(URL, json=POOL)
            assert gone.status_code == 503
            assert gone.headers["content-type"] == "application/problem+json"
            assert gone.headers["retry-after"]
        assert service.client.get("/health/ready").status_code == 503
        assert service.client.get("/health/live").status_code == 200
        server.ensure_postgres_running()
        after = service.client.post(URL, json=POOL)
        assert after.status_code == 200
        assert service.client.get("/health/ready").status_code == 200
        listed = {one["id"] for one in service.client.get(URL).json()["items"]}
        assert listed == {before, after.json()["id"]}
        assert service.stop() == 0
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.proof
def test_jobs_survive_kill_9_of_their_worker(
    start: Start, environment: dict[str, str], trained: Path, sqlite: str
) -> None:
    service = start()  # its own worker goes first: it is killed along with the server
    n = 20_000
    rows = "designation,productid\n" + "".join(f"Lampe {i},{i}\n" for i in range(n))
    job = service.client.post("/api/v1/jobs", files={"file": ("shop.csv", rows)}).json()
    path = f"/api/v1/jobs/{job['id']}"
    while service.client.get(path).json()["rows_done"] < 500:
        assert service.process.poll() is None
    service.stop(signal.SIGKILL)
    engine = create_engine(sqlite)
    for _ in range(2):  # the lease of a killed worker would run out by itself, but not soon
        with engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET leased_until = '2000-01-01 00:00:00.000000'"))
            before = connection.execute(text("SELECT rows_done FROM jobs")).scalar_one()
        worker = subprocess.Popen(
            [sys.executable, "-m", "rayon", "worker", "--model", str(trained)], env=environment
        )
        try:
            while before < n:
                with engine.connect() as connection:
                    found = connection.execute(text("SELECT rows_done FROM jobs")).scalar_one()
                if found > before + 2000:
                    break
                assert worker.poll() is None
        finally:
            worker.kill()
            worker.wait()
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET leased_until = '2000-01-01 00:00:00.000000'"))
    engine.dispose()
    again = start()
    while again.client.get(path).json()["state"] == "running":
        assert again.process.poll() is None
    ended = again.client.get(path).json()
    assert (ended["state"], ended["rows_done"], ended["rows_failed"]) == ("done", n, 0)
    results = again.client.get(f"{path}/results", params={"format": "jsonl"}).text.splitlines()
    assert sorted(int(json.loads(line)["productid"]) for line in results) == list(range(n))
    assert again.stop() == 0


@pytest.mark.proof
def test_what_cannot_be_served_is_one_sentence_and_a_hint(
    rayon: Callable[..., subprocess.CompletedProcess[str]], trained: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(trained, broken)
    with (broken / "taxonomy.json").open("ab") as file:
        file.write(b" ")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, sentence in (
            ((), "No model is named"),
            (("--model", tmp_path / "none", "--port", 0), "none"),
            (("--model", broken, "--port", 0), "taxonomy.json"),
            (("--model", trained, "--port", port), "cannot be used"),
        ):
            found = rayon("serve", *arguments)
            assert found.returncode == 2, found.stderr
            assert sentence in found.stderr.splitlines()[-2], found.stderr
            assert "Traceback" not in found.stderr


@pytest.mark.proof
def test_accounts_from_the_command_line(
    rayon: Callable[..., subprocess.CompletedProcess[str]], sqlite: str, tmp_path: Path
) -> None:
    pending = rayon("db", "status")
    assert (pending.returncode, "migrations pending" in pending.stdout) == (3, True)
    assert rayon("db", "upgrade").returncode == 0
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700  # it holds what sellers send
    made = rayon("users", "create", "root", "--role", "admin")
    assert made.returncode == 0
    assert len(made.stdout.strip()) == 20  # a password that was made for them
    refused = rayon("users", "delete", "root")
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (
        2,
        "Error: 'root' is the last administrator.",
    )
    assert rayon("users", "create", "ann", "--password-stdin", stdin="short\n").returncode == 2
    assert rayon("users", "create", "ann", "--password-stdin", stdin="correct horse\n").returncode == 0
    assert rayon("users", "role", "ann", "reviewer").returncode == 0
    assert rayon("users", "disable", "ann").returncode == 0
    listed = rayon("users", "list", "--json").stdout
    assert '"name": "ann"' in listed
    assert '"disabled": true' in listed
    secret = rayon("keys", "create", "ann", "--for", "import").stdout.strip()
    keys = rayon("keys", "list", "--json").stdout
    assert '"for": "import"' in keys
    assert secret not in keys
    pruned = rayon("db", "prune", "--older-than", 1, "--json")
    assert json.loads(pruned.stdout) == {"predictions": 0, "images": 0, "jobs": 0}
    engine = create_engine(sqlite)
    with engine.connect() as connection:
        actors = connection.execute(text("SELECT DISTINCT actor FROM audit_log")).scalars().all()
    engine.dispose()
    assert actors == ["command line"]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("RAYON_MAX_WAITING", "0", "RAYON_MAX_WAITING is '0': input should be greater than or equal to 1."),
        ("RAYON_LOG_FORMAT", "xml", "RAYON_LOG_FORMAT is 'xml': input should be 'text' or 'json'."),
    ],
)
def test_wrong_settings_are_named(
    rayon: Callable[..., subprocess.CompletedProcess[str]],
    environment: dict[str, str],
    name: str,
    value: str,
    sentence: str,
) -> None:
    environment[name] = value
    found = rayon("serve", "--port", 0)
    assert found.returncode == 2
    assert found.stderr == f"Error: {sentence}\ndocs/service.md lists the settings.\n"


def test_what_is_kept_is_for_its_user_alone(
    start: Start, environment: dict[str, str], picture: bytes
) -> None:
    service = start()
    service.client.post(URL, data=POOL, files={"image": picture})
    home = Path(environment["RAYON_HOME"])
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert len(kept) >= 2
    for path in [home, *kept]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert service.stop() == 0
