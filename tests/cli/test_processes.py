"""Several server processes as one service: shared work, shared counts, replaced, and never left behind."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

POOL = {"designation": "Piscine ronde 3 m avec pompe"}
URL = "/api/v1/predictions"
pytestmark = pytest.mark.proof


def children(pid: int) -> list[int]:
    """Server processes of a supervisor; Python's own helper process is none."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def counted(client: httpx.Client, name: str) -> float:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


@pytest.fixture
def service(start: Callable[..., Any]) -> Any:
    if not Path("/proc/self/task").is_dir():
        pytest.skip("processes are looked up in /proc, which this system lacks")
    return start("--workers", 2)


def test_they_count_together_and_work_on_jobs_once(service: Any, sqlite: str, kept: Any, until: Any) -> None:
    answered: list[str] = []

    def ask() -> None:  # a connection each: they spread over the processes
        with httpx.Client(
            base_url=service.client.base_url, headers=service.client.headers, timeout=30
        ) as one:
            answered.extend(one.post(URL, json=POOL).json()["id"] for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    rows = "designation\n" + "Lampe rouge\n" * 200
    job = service.client.post("/api/v1/jobs", files={"file": ("shop.csv", rows)}).json()
    until(lambda: service.client.get(f"/api/v1/jobs/{job['id']}").json()["state"] == "done")
    assert service.client.get(f"/api/v1/jobs/{job['id']}").json()["rows_done"] == 200
    assert counted(service.client, "rayon_predictions_total") == 160 + 200
    assert counted(service.client, "rayon_waiting") == 0
    assert service.stop() == 0
    service.heard.join()
    assert service.said[-1] == "Stopped.\n"
    found = kept(sqlite)
    assert set(answered) < found
    assert len(found) == 360


def test_a_killed_process_is_replaced(service: Any, until: Any) -> None:
    first, second = children(service.process.pid)
    service.client.post(URL, json=POOL)
    os.kill(first, signal.SIGKILL)
    until(lambda: first not in (now := children(service.process.pid)) and len(now) == 2)
    assert second in children(service.process.pid)
    for _ in range(20):
        with httpx.Client(
            base_url=service.client.base_url, headers=service.client.headers, timeout=30
        ) as one:
            assert one.post(URL, json=POOL).status_code == 200
    assert counted(service.client, "rayon_predictions_total") == 21
    assert service.stop(signal.SIGINT) == 0


def test_a_killed_supervisor_leaves_no_process_behind(service: Any) -> None:
    pids = children(service.process.pid)
    assert len(pids) == 2
    address = (service.client.base_url.host, service.client.base_url.port)
    service.stop(signal.SIGKILL)
    service.heard.join(60)  # stderr ends once the last process that holds it has ended
    assert not service.heard.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_a_model_that_cannot_be_loaded_stops_them_all(rayon: Callable[..., Any], tmp_path: Path) -> None:
    found = rayon("serve", "--model", tmp_path / "none", "--port", 0, "--workers", 2)
    assert found.returncode == 2
    assert found.stderr.splitlines()[-2:] == [
        "Error: A server process ended before it could answer.",
        "The lines above say why; mend that first.",
    ]
    assert f"Error: There is no model folder {tmp_path / 'none'}.\n" in found.stderr
    assert "Traceback" not in found.stderr


def test_one_that_cannot_come_back_at_once_is_tried_again(
    service: Any, until: Any, environment: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    first, second = children(service.process.pid)
    away = trained.rename(trained.with_name("away"))  # no process can load the model now
    try:
        os.kill(first, signal.SIGKILL)
        until(
            lambda: sum("cannot be loaded" in line or "no model folder" in line for line in service.said) > 1
        )
        assert service.client.post(URL, json=POOL).status_code == 200
    finally:
        away.rename(trained)
    until(lambda: len(children(service.process.pid)) == 2)
    assert second in children(service.process.pid)
    assert service.stop() == 0
