"""What several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data, where there is one."""
    folder = Path(os.environ.get("RAYON_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("the real data is not here: set RAYON_SHARED to its folder")
    return folder


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what Rayon stores between runs out of the home of whoever runs the tests."""
    monkeypatch.setenv("RAYON_HOME", str(tmp_path_factory.getbasetemp() / "rayon-home"))
