"""The journal of retrainings: asked for by anybody, run one at a time, however many processes there are.

A run holds a lease in the database, which it renews. Where its process is killed the lease runs out, and
whoever comes next clears its folder away.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from rayon.errors import ConflictError, NotFoundError, RayonError
from rayon.operations.archives import remove_folder
from rayon.operations.recipe import RetrainingRecipe
from rayon.store import retrainings as store
from rayon.store.database import Database
from rayon.store.identifiers import new_id
from rayon.store.retrainings import Retraining, RetrainingStep, Trigger

REPORT_FILE = "report.json"
_SILENT = "Its process gave no sign of life any more"
_SUPERSEDED = "Another was started by hand"


class Retrainings:
    """Ask for retrainings, and see what became of them.

    Parameters
    ----------
    database
        Where their journal is kept.
    folder
        Where their reports are, and their files while they run; all processes see it.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.folder = folder

    def request(
        self, actor: str, reason: str, trigger: Trigger, recipe: RetrainingRecipe | None = None
    ) -> Retraining:
        """Ask for a retraining; one that only waits makes room for one that is started by hand.

        Parameters
        ----------
        actor, reason
            Who wants it, and why.
        trigger
            What it comes from.
        recipe
            How to train; as the last time where it is not given.

        Raises
        ------
        ConflictError
            When one is running, or waits.
        RayonError
            When there is no last time, or the reason is missing.
        """
        if not reason.strip():
            raise RayonError("The reason is missing", "Say why, for whoever asks later")
        now = datetime.now(UTC)
        self.clear_silent()
        with self._database.write() as connection:
            store.hold_retrainings(connection)
            for one in store.open_retrainings(connection):
                if one.state == "running" or trigger != "hand":
                    raise _conflict(one)
                store.end_retraining(connection, one.id, "interrupted", now, error=_SUPERSEDED)
            recipe = recipe or _last_recipe(connection)
            made = Retraining(
                id=new_id(),
                requested_at=now,
                started_at=None,
                ended_at=None,
                state="requested",
                trigger=trigger,
                actor=actor,
                reason=reason.strip(),
                recipe=recipe.to_dict(),
                model=None,
                error="",
                leased_until=None,
            )
            store.add_retraining(connection, made)
        return made

    def clear_silent(self) -> None:
        """Note that those are interrupted whose process gives no sign of life any more, and clear up."""
        now = datetime.now(UTC)
        with self._database.write() as connection:
            silent = [one for one in store.open_retrainings(connection) if _is_silent(one, now)]
            for one in silent:
                store.end_retraining(connection, one.id, "interrupted", now, error=_SILENT)
        for one in silent:
            remove_folder(self.folder / one.id)

    def last_recipe(self) -> RetrainingRecipe:
        """How it was trained the last time.

        Raises
        ------
        RayonError
            When there is no last time.
        """
        with self._database.read() as connection:
            return _last_recipe(connection)

    def find(self, id: str) -> Retraining:
        """Find one by its id.

        Raises
        ------
        NotFoundError
            When there is none.
        """
        with self._database.read() as connection:
            found = store.find_retraining(connection, id[:36])
        if found is None:
            raise NotFoundError(f"There is no retraining {id[:80]!r}", "List them to see their ids")
        return found

    def newest(self, before: str | None = None, limit: int = 100) -> list[Retraining]:
        """The newest ones, newest first."""
        with self._database.read() as connection:
            return store.list_retrainings(connection, before, limit)

    def steps(self, id: str) -> list[RetrainingStep]:
        """What one has done, in order."""
        with self._database.read() as connection:
            return store.list_steps(connection, id)

    def next_waiting(self) -> Retraining | None:
        """The one that is requested and that nobody has started; also clears away what was lost."""
        now = datetime.now(UTC)
        with self._database.read() as connection:
            found = store.open_retrainings(connection)
        if any(_is_silent(one, now) for one in found):
            self.clear_silent()
        return next((one for one in found if one.state == "requested"), None)

    def report(self, id: str) -> Path:
        """The classification report of a challenger.

        Raises
        ------
        NotFoundError
            When there is none.
        """
        path = self.folder / self.find(id).id / REPORT_FILE
        if not path.is_file():
            raise NotFoundError("There is no report of this retraining", "It may not have come so far")
        return path


def _is_silent(one: Retraining, now: datetime) -> bool:
    return one.leased_until is not None and one.leased_until <= now


def _conflict(one: Retraining) -> ConflictError:
    word = "is running" if one.state == "running" else "waits to be started"
    since = one.started_at or one.requested_at
    return ConflictError(
        f"A retraining {word}, since {since:%Y-%m-%d %H:%M} UTC", "There is one at a time; wait for its end"
    )


def _last_recipe(connection: Connection) -> RetrainingRecipe:
    # One that failed may have done so for its recipe.
    found = [one for one in store.list_retrainings(connection) if one.state != "failed"]
    if not found:
        raise RayonError(
            "There was no retraining before, whose training data could be taken",
            "Name it once: rayon retrain CATALOGUE",
        )
    return RetrainingRecipe.from_dict(found[0].recipe)
