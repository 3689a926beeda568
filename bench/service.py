"""The real service for as long as a measurement takes, on SQLite or on PostgreSQL."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path

import httpx

BATCH_SECONDS = 60
DATABASES = ("sqlite", "postgresql")


def database_url(kind: str, home: Path) -> AbstractContextManager[str | None]:
    """Give the address of an empty database; ``None`` where there is no PostgreSQL.

    Parameters
    ----------
    kind
        One of ``DATABASES``.
    home
        The folder of the service.
    """
    return _postgresql() if kind == "postgresql" else nullcontext(f"sqlite:///{home / 'rayon.db'}")


@contextmanager
def server(home: Path, url: str, *options: str, **settings: str) -> Iterator[tuple[str, int]]:
    """Start the service with its logs in a file, and give its address and process.

    Parameters
    ----------
    home
        The folder of the service.
    url
        The address of its database.
    *options
        Of ``rayon serve``.
    **settings
        Variables of the environment besides.
    """
    log = home / "server.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "rayon", "serve", "--port", "0", *options],
            env=_environment(home, url) | settings,
            stderr=file,
        )
    try:
        while not (begun := [line for line in log.read_text().splitlines() if line.startswith("Serving on")]):
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        yield begun[0].split()[2], process.pid
    finally:
        process.terminate()
        process.wait(60)


def command(home: Path, url: str, *arguments: str) -> None:
    """Run a command of ``rayon`` beside the service; where it fails, its error ends all."""
    done = subprocess.run(
        [sys.executable, "-m", "rayon", *arguments],
        env=_environment(home, url),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 3):  # 3: something needs attention
        sys.exit(done.stderr)


def send_batch(client: httpx.Client, name: str, data: bytes, *, start: bool = True) -> str:
    """Send a file as its page does, and give the batch's id; one that is started has come to its end."""
    token = re.findall(r'name="csrf" value="([^"]+)"', client.get("/batches").text)[0]
    sent = client.post("/batches", data={"csrf": token}, files={"file": (name, data)}, follow_redirects=False)
    place = str(sent.headers["location"])
    job = place.rpartition("/")[2]
    if start:
        client.post(f"{place}/start", data={"csrf": token})
        end = time.monotonic() + BATCH_SECONDS
        while client.get(f"/api/v1/jobs/{job}").json()["state"] in ("waiting", "running"):
            assert time.monotonic() < end, f"the batch {job} has not come to its end"
            time.sleep(0.1)
    return job


def _environment(home: Path, url: str) -> dict[str, str]:
    """What commands of the service read from the environment."""
    return {**os.environ, "RAYON_HOME": str(home), "RAYON_DATABASE": url}


@contextmanager
def _postgresql() -> Iterator[str | None]:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where the system names no runtime folder
        try:
            pgserver = import_module("pgserver")
        except ImportError:
            print("PostgreSQL is left out: pip install pgserver", file=sys.stderr)
            yield None
            return
        started = pgserver.get_server(folder)
        try:
            yield started.get_uri()
        finally:
            started.cleanup()
