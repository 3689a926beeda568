"""Which tracker the settings name, and a training whose MLflow is not there."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rayon.cli.tracking import open_tracking
from rayon.data.sample import make_sample
from rayon.errors import MissingExtraError
from rayon.operations.tracking import MlflowTracker, NoTracker
from rayon.settings import Settings

MISSING = "MLflow is not installed: pip install 'rayon[mlflow]'"
Rayon = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAYON_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_without_mlflow_nobody_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.delenv("RAYON_TRACKING")
    assert Settings().tracking == "auto"
    assert isinstance(open_tracking(Settings()), NoTracker)
    monkeypatch.setenv("RAYON_TRACKING", "on")
    with pytest.raises(MissingExtraError, match="Tracking with MLflow needs the package 'mlflow'"):
        open_tracking(Settings())
    assert not home.exists()


def test_with_mlflow_the_settings_say_who_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason=MISSING, exc_type=ImportError)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert isinstance(open_tracking(Settings()), NoTracker)  # RAYON_TRACKING=off, as in all tests
    for setting in ("on", "auto"):
        monkeypatch.setenv("RAYON_TRACKING", setting)
        tracker = open_tracking(Settings())
        assert isinstance(tracker, MlflowTracker)
        assert tracker.uri == "http://127.0.0.1:9"
    assert not home.exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    tracker = open_tracking(Settings())
    assert isinstance(tracker, MlflowTracker)
    assert tracker.uri == f"sqlite:///{home / 'mlflow.db'}"
    assert home.stat().st_mode & 0o777 == 0o700


def test_training_goes_on_where_mlflow_is_not_there(
    rayon: Rayon, environment: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("mlflow", reason=MISSING, exc_type=ImportError)
    with socket.create_server(("127.0.0.1", 0)) as server:
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
    make_sample(tmp_path / "shop", 100, seed=2)
    environment |= {"RAYON_TRACKING": "auto", "MLFLOW_TRACKING_URI": uri}
    done = rayon("train", "shop", "--out", "model", "--image-encoder", "none", "--folds", 2)
    assert done.returncode == 0, done.stderr
    (warning,) = [line for line in done.stderr.splitlines() if "MLflow" in line]
    assert warning.startswith(f"WARNING: MLflow at {uri} is left out: ConnectionRefusedError: ")
    assert "Saved in model" in done.stdout
    assert (tmp_path / "model" / "model.json").is_file()


@pytest.mark.proof
def test_a_running_server_has_not_loaded_mlflow(start: Callable[..., Any]) -> None:
    pytest.importorskip("mlflow", reason=MISSING, exc_type=ImportError)
    service = start(RAYON_TRACKING="on", PYTHONPROFILEIMPORTTIME="1")  # which names all that is imported
    assert service.client.post("/api/v1/predictions", json={"designation": "Piscine ronde"}).is_success
    assert service.stop() == 0
    service.heard.join()
    names = {line.split("|")[-1].strip().split(".")[0] for line in service.said if line.count("|") == 2}
    assert {"rayon", "fastapi"} < names
    assert "mlflow" not in names
