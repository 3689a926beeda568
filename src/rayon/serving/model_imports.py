"""Models that come as archives, from a program or from a form."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rayon.errors import StoreUnavailableError
from rayon.operations.model_archives import unpack_model
from rayon.serving.services import Services
from rayon.store.models import ModelVersion


@contextmanager
def new_archive(folder: Path) -> Iterator[IO[bytes]]:
    """Give a file of that folder to write an archive to; it stays if the block comes to its end.

    Raises
    ------
    StoreUnavailableError
        When there is no room for it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".zip", delete=False) as file:
            try:
                yield file
            except BaseException:
                Path(file.name).unlink()
                raise
    except OSError as error:
        raise StoreUnavailableError(
            f"The archive cannot be kept in {folder} ({error.strerror})",
            "Make room, then try again",
            public="There is no room for the archive at the moment",
        ) from None


def register_archive(served: Services, archive: Path, actor: str) -> ModelVersion:
    """Register the model of an archive, which is removed in any case.

    Raises
    ------
    ModelError
        When it is no model, or not a whole one.
    """
    try:
        with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
            folder = Path(scratch) / "model"
            unpack_model(archive, folder)
            made = served.registry.register(folder, actor)
    finally:
        archive.unlink()
    served.mirror()
    return made
