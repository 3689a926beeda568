"""The registry: model versions that are kept, and the one of them that serves."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rayon.errors import ConflictError, ModelError, NotFoundError, OutputError, RayonError
from rayon.learning.model_files import ModelReader, check_model_target
from rayon.store import audit
from rayon.store import models as store
from rayon.store.database import Database, IntegrityError
from rayon.store.models import ModelVersion, Promotion

NAME_LENGTH = 12
_FIGURES = ("data", "promise", "figures", "rayon")


class Registry:
    """Model folders with their rows in the database, which is the truth for serving.

    Parameters
    ----------
    database
        Its tables up to date.
    folder
        Where the model folders are kept; all processes that serve see it.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def folder_of(self, name: str) -> Path:
        """Where a version lies."""
        return self._folder / name

    def register(self, source: Path, actor: str, origin: str = "import") -> ModelVersion:
        """Check a model folder, keep a copy of it, and register it; the same version is kept once.

        Raises
        ------
        ModelError
            When the folder is not a whole model.
        OutputError
            When the copy cannot be written.
        """
        reader = ModelReader(source)
        version = reader.fingerprint()
        name = version[:NAME_LENGTH]
        kept = self.folder_of(name)
        if not _is_whole(kept, version):
            _copy(source, kept, version)
        document = reader.model
        now = datetime.now(UTC)
        with self._database.read() as connection:
            parent = store.champion(connection)
        made = ModelVersion(
            name=name,
            version=version,
            created_at=datetime.fromisoformat(document["created"]),
            registered_at=now,
            registered_by=actor,
            source=origin,
            parent=parent,
            size_bytes=sum(path.stat().st_size for path in kept.iterdir()),
            figures={key: document[key] for key in _FIGURES},
        )
        try:
            with self._database.write() as connection:
                store.add_version(connection, made)
                audit.record(connection, actor, "model.register", name, now, {"source": origin})
        except IntegrityError:
            return self.find(name)
        return made

    def find(self, name: str) -> ModelVersion:
        """Find a version by its name, or by the beginning of it where that is enough.

        Raises
        ------
        NotFoundError
            When there is none, or more than one.
        """
        matching = [one for one in self.versions() if name and one.name.startswith(name[:NAME_LENGTH])]
        if len(matching) != 1:
            found = "are several models" if matching else "is no model"
            raise NotFoundError(f"There {found} {name[:80]!r}", "List the models to see their names")
        return matching[0]

    def versions(self) -> list[ModelVersion]:
        """All versions, the last registered first."""
        with self._database.read() as connection:
            return store.list_versions(connection)

    def champion(self) -> str | None:
        """The name of the version that serves."""
        with self._database.read() as connection:
            return store.champion(connection)

    def before_champion(self) -> str | None:
        """The name of the version that a rollback would lead to; ``None`` where there is none."""
        served = _stack(self.promotions(limit=100_000))
        return served[-2] if len(served) > 1 else None

    def promotions(self, limit: int = 100) -> list[Promotion]:
        """Changes of the champion, newest first."""
        with self._database.read() as connection:
            return store.list_promotions(connection, limit)

    def promote(
        self,
        name: str,
        actor: str,
        reason: str,
        verdict: Mapping[str, Any] | None = None,
        after: str | None = None,
    ) -> Promotion:
        """Make a version the champion, whatever it is like; processes that serve follow within seconds.

        `rayon.operations.promotion.Gatekeeper` asks the gate first.

        Parameters
        ----------
        name
            Of the version, or the beginning of it.
        actor, reason
            Who does it, and why.
        verdict
            What the gate found, JSON-ready; kept with the promotion.
        after
            The champion that it was compared with, which must be the champion still.

        Raises
        ------
        NotFoundError
            When there is no such version.
        ModelError
            When its folder is not whole.
        ConflictError
            When it is the champion already, or another was promoted at the same moment.
        """
        return self._move(self.find(name), after or self.champion(), "promote", actor, reason, verdict)

    def rollback(self, actor: str, reason: str, leaving: str | None = None) -> Promotion:
        """Go back to the champion before this one; again, and to the one before that.

        Parameters
        ----------
        actor, reason
            Who does it, and why.
        leaving
            The champion that whoever asks has seen; none other gives way then.

        Raises
        ------
        ConflictError
            When there is none before, or another champion than the one that was seen.
        """
        champion = self.champion()
        if leaving is not None and champion != leaving:
            raise ConflictError(
                "Another model was promoted at the same moment", "Look again, and decide anew"
            )
        before = self.before_champion()
        if before is None:
            raise ConflictError("There is no champion to go back to", "Promote a model by its name")
        return self._move(self.find(before), champion, "rollback", actor, reason)

    def export(self, name: str, out: Path) -> None:
        """Copy the folder of a version.

        Raises
        ------
        OutputError
            When something is in the way, or it cannot be written.
        """
        version = self.find(name)
        check_model_target(out, overwrite=False)
        _copy(self.folder_of(version.name), out, version.version)

    def _move(
        self,
        version: ModelVersion,
        previous: str | None,
        kind: store.PromotionKind,
        actor: str,
        reason: str,
        verdict: Mapping[str, Any] | None = None,
    ) -> Promotion:
        name = version.name
        if not reason.strip():
            raise RayonError("The reason is missing", "Say why, for whoever asks later")
        if name == previous:
            raise ConflictError(f"The model {name!r} is the champion already", "There is nothing to do")
        if not _is_whole(self.folder_of(name), version.version):
            raise ModelError(
                f"The folder of the model {name!r} is missing or has changed",
                f"Bring {self.folder_of(name)} back from a backup, or import the model again",
            )
        now = datetime.now(UTC)
        try:
            with self._database.write() as connection:
                moved = store.move_champion(
                    connection, name, previous, kind, actor, reason.strip(), now, verdict
                )
                if moved:
                    audit.record(connection, actor, f"model.{kind}", name, now, {"previous": previous})
                    (promotion,) = store.list_promotions(connection, limit=1)
        except IntegrityError:  # two first champions at once
            moved = False
        if not moved:
            raise ConflictError(
                "Another model was promoted at the same moment", "Look again, and decide anew"
            )
        return promotion


def _stack(newest_first: list[Promotion]) -> list[str]:
    """The champions that a rollback would lead through, the present one last."""
    served: list[str] = []
    for promotion in reversed(newest_first):
        if promotion.kind == "promote":
            served.append(promotion.model)
        else:
            served.pop()
    return served


def _is_whole(folder: Path, version: str) -> bool:
    try:
        return ModelReader(folder).fingerprint() == version
    except ModelError:
        return False


def _copy(source: Path, target: Path, version: str) -> None:
    """Copy a model folder so that it appears as a whole; what was there and is not whole makes room."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
            draft = Path(scratch) / "model"
            shutil.copytree(source, draft)
            if not _is_whole(draft, version):
                raise ModelError(f"The model folder {source} changed while it was copied", "Try again")
            if target.exists():
                target.rename(Path(scratch) / "before")
            draft.rename(target)
    except (OSError, shutil.Error) as error:
        raise OutputError(
            f"The model cannot be kept in {target} ({error})", "Check the permissions and the free space"
        ) from None
