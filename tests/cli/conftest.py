"""The commands as processes of their own, and a server with a client that is signed in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from rayon.store.database import Database
from rayon.store.predictions import PredictionFilter, list_predictions


@dataclass
class Service:
    """A running server with a client that is signed in."""

    process: subprocess.Popen[str]
    client: httpx.Client
    said: list[str]
    heard: threading.Thread

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "RAYON_HOME": str(tmp_path / "home"), "COLUMNS": "200"}


@pytest.fixture
def rayon(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rayon", *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def start(
    environment: dict[str, str],
    trained: Path,
    rayon: Callable[..., subprocess.CompletedProcess[str]],
) -> Iterator[Callable[..., Service]]:
    """Start the server, for the reviewer ann, with more arguments, under a command, and settings by name."""
    with ExitStack() as stack:

        def run(
            *arguments: object, under: Sequence[str] = (), pinned: bool = True, **settings: str
        ) -> Service:
            environment.update(settings)
            if "ann" not in rayon("users", "list").stdout:
                made = rayon(
                    "users",
                    "create",
                    "ann",
                    "--role",
                    "reviewer",
                    "--password-stdin",
                    stdin="correct horse\n",
                )
                assert made.returncode == 0, made.stderr
            key = rayon("keys", "create", "ann").stdout.strip()
            process = subprocess.Popen(
                [
                    *under,
                    *(sys.executable, "-m", "rayon", "serve", "--port", "0"),
                    *(("--model", str(trained)) if pinned else ()),
                    *map(str, arguments),
                ],
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert process.stderr is not None
            stack.callback(process.stderr.close)
            stack.callback(process.wait)
            stack.callback(process.kill)
            said: list[str] = []
            for line in process.stderr:
                said.append(line)
                event = json.loads(line)["event"] if line.startswith("{") else line
                if event.startswith("Serving on "):
                    break
            else:
                pytest.fail("".join(said))
            address = event.split()[2]
            listener = threading.Thread(target=said.extend, args=(process.stderr,))
            listener.start()
            stack.callback(listener.join)
            stack.callback(process.kill)
            headers = {"Authorization": f"Bearer {key}"}
            client = stack.enter_context(httpx.Client(base_url=address, headers=headers, timeout=30))
            return Service(process, client, said, listener)

        yield run


@pytest.fixture
def kept() -> Callable[[str], set[str]]:
    """Give the ids of all predictions in a database."""

    def read(url: str) -> set[str]:
        database = Database(url)
        with database.read() as connection:
            found = {one.id for one in list_predictions(connection, PredictionFilter(), 100_000)}
        database.close()
        return found

    return read


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'home' / 'rayon.db'}"
