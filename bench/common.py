"""What several benchmarks share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


class DataMissing(SystemExit):
    """The data of a benchmark is not here; it is left out, and says so."""


def shared_data(*parts: str) -> Path:
    """A folder of the real data.

    Raises
    ------
    DataMissing
        When it is not there.
    """
    shared = Path(os.environ.get("RAYON_SHARED", REPOSITORY.parent / "shared"))
    folder = (shared / "data").joinpath(*parts).resolve()
    if not folder.exists():
        raise DataMissing(f"There is no {folder}; set RAYON_SHARED to the folder of the real data")
    return folder


def embedding_cache() -> Path:
    """Where image vectors are kept between runs of the benchmarks."""
    return REPOSITORY / "bench" / "results" / "cache"


def progress(stage: str, done: int, total: int) -> None:
    """Say on stderr when a stage has ended."""
    if done == total:
        print(f"  {stage}: {total:,}", file=sys.stderr)
