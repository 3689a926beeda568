"""What the service logs, and what it never does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

PASSWORD = "correct horse"  # of ann, see conftest
SELLER = "Piscine de Madame Inconnue"


def test_every_line_is_json_and_holds_no_secret(start: Callable[..., Any]) -> None:
    service = start(RAYON_LOG_FORMAT="json", RAYON_LOG_LEVEL="debug")
    client = service.client
    key = client.headers["authorization"].removeprefix("Bearer ")
    client.post("/api/v1/predictions?full=true", json={"designation": SELLER})
    client.get("/api/v1/predictions", params={"productid": "0612345678"})
    client.get("/api/v1/users/me", headers={"Authorization": ""}, auth=("ann", PASSWORD))
    client.get("/api/v1/users/me", headers={"Authorization": ""}, auth=("wrong-password-as-name", "x"))
    made = client.post("/api/v1/keys", json={"name": "import"}).json()
    client.put("/api/v1/users/me/password", json={"current": PASSWORD, "new": "battery staple battery"})
    refused = client.get("/api/v1/predictions/none", headers={"X-Request-ID": "mine-1"})
    assert client.get("/health/live").status_code == 200
    assert service.stop() == 0
    service.heard.join()
    lines = [json.loads(line) for line in service.said]
    for line in lines:
        assert {"event", "level", "logger", "timestamp"} <= set(line)
        assert datetime.fromisoformat(line["timestamp"]).tzinfo
    assert lines[-1]["event"] == "Stopped."
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) == 8
    (mine,) = [line for line in requests if line["request_id"] == "mine-1"]
    assert (mine["method"], mine["path"], mine["status"], mine["user"]) == (
        "GET",
        "/api/v1/predictions/none",
        404,
        "ann",
    )
    assert mine["milliseconds"] > 0
    assert refused.json()["request_id"] == "mine-1"
    everything = "".join(service.said)
    for secret in (key, made["secret"], PASSWORD, "battery staple", SELLER, "0612345678", "as-name"):
        assert secret not in everything


@pytest.mark.proof
def test_lines_for_people_and_silence_on_demand(start: Callable[..., Any]) -> None:
    service = start()
    service.client.get("/api/v1/users/me")
    service.client.get("/health/live")
    assert service.stop() == 0
    service.heard.join()
    (line,) = [line for line in service.said if "request" in line]
    assert "path=/api/v1/users/me" in line
    assert "status=200" in line
    quiet = start(RAYON_LOG_LEVEL="warning")
    quiet.client.get("/api/v1/users/me")
    assert quiet.stop() == 0
    quiet.heard.join()
    assert not any("request" in line for line in quiet.said)


@pytest.mark.proof
def test_a_failure_of_the_server_is_logged_without_what_variables_hold(
    start: Callable[..., Any], environment: dict[str, str]
) -> None:
    for form in ("json", "text"):
        service = start(RAYON_LOG_FORMAT=form)
        exports = Path(environment["RAYON_HOME"]) / "exports"
        if not exports.exists():
            exports.write_text("a file where a folder should be")
        key = service.client.headers["authorization"].removeprefix("Bearer ")
        asked = f"{service.client.base_url}/api/v1/predictions/export"
        with httpx.Client(timeout=30) as client:
            by_name = client.get(asked, auth=("ann", PASSWORD), params={"productid": "0612345678"})
        by_key = service.client.get("/api/v1/predictions/export", params={"productid": "0612345678"})
        assert by_name.status_code == by_key.status_code == 500
        assert by_key.json()["detail"] == "Something went wrong on the server."
        assert by_key.headers["x-request-id"] == by_key.json()["request_id"]
        assert service.stop() == 0
        service.heard.join()
        everything = "".join(service.said)
        assert "FileExistsError" in everything
        for secret in (key, PASSWORD, "0612345678", "argon2", "uthorization"):
            assert secret not in everything
