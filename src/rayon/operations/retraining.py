"""Retraining: training data and feedback to a challenger, which the gate lets through or not.

Whenever it is stopped, nothing has to be undone: a model is registered whole or not at all, and only the
gate's last step changes what serves.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from rayon.data.listings import Listing
from rayon.data.loading import read_catalogue
from rayon.errors import (
    CatalogueError,
    ConflictError,
    PromotionRefusedError,
    RayonError,
    StoreUnavailableError,
)
from rayon.learning.crossfit import Progress
from rayon.learning.model import ProductClassifier
from rayon.operations.archives import remove_folder
from rayon.operations.evaluation import evaluate_on
from rayon.operations.golden_set import GoldenSet
from rayon.operations.mirroring import mirror_registry
from rayon.operations.promotion import Gatekeeper
from rayon.operations.recipe import RetrainingRecipe
from rayon.operations.registry import Registry
from rayon.operations.retrainings import REPORT_FILE, Retrainings
from rayon.operations.snapshot import CATALOGUE_FILE, take_snapshot
from rayon.operations.tracking import NoTracker, Tracker
from rayon.operations.training import READING, train
from rayon.reports.evaluation import write_evaluation_report
from rayon.store import retrainings as store
from rayon.store.database import Database
from rayon.store.images import ImageStore
from rayon.store.retrainings import Retraining, RetrainingState

LEASE = timedelta(seconds=60)
"""How long a run may be silent before it counts as interrupted."""

ORIGIN = "retrain"
_GOLDEN, _FEEDBACK = "Golden set", "Taking feedback"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retrainer:
    """Run what was asked for.

    Parameters
    ----------
    retrainings
        What was asked for, and where it is noted.
    database, images
        Where predictions, golden listings and pictures are.
    registry, golden, gate
        Where the challenger goes, the listings that it must not learn from, and who lets it through.
    tracker
        Told of the training.
    cache
        Folder of image vectors that are kept between runs; none where not given.
    threads
        Worker threads; all cores where not given.
    lease
        How long a run may be silent before it counts as interrupted.
    workspace
        Folder of pretrained weights, checkpoints and exported networks.
    """

    retrainings: Retrainings
    database: Database
    images: ImageStore
    registry: Registry
    golden: GoldenSet
    gate: Gatekeeper
    tracker: Tracker = field(default_factory=NoTracker)
    cache: Path | None = None
    threads: int | None = None
    lease: timedelta = LEASE
    workspace: Path | None = None

    def run(self, id: str, progress: Progress) -> Retraining:
        """Run one, and give what became of it.

        Parameters
        ----------
        id
            Of the one that was requested.
        progress
            Told how far each stage is.

        Raises
        ------
        ConflictError
            When somebody else has started it.
        RayonError
            When a catalogue, the training or a store fails; it is noted, and nothing half made stays behind.
        """
        now = datetime.now(UTC)
        with self.database.write() as connection:
            if not store.start_retraining(connection, id, now, now + self.lease):
                raise ConflictError("This retraining does not wait any more", "See what became of it")
        folder = self.retrainings.folder / id
        try:
            with self._lease(id):
                self._work(self.retrainings.find(id), folder, progress)
        except BaseException as error:
            if not self._end_early(id, error):
                remove_folder(folder)
            raise
        finally:
            remove_folder(folder / "work")
        mirror_registry(self.tracker, self.registry)
        return self.retrainings.find(id)

    def _end_early(self, id: str, error: BaseException) -> bool:
        """Note that a run was stopped, or failed; whether its challenger is registered all the same."""
        steps = {step.step: step.detail for step in self.retrainings.steps(id)}
        model = steps["training"]["model"] if "training" in steps else None
        stopped = not isinstance(error, Exception)
        state: RetrainingState = "interrupted" if stopped else "failed"
        if model is not None and model == self.registry.champion():
            state = "promoted"  # the last that it did
        self._end(id, state, model, "Stopped" if stopped else _words(error))
        return model is not None

    def _work(self, asked: Retraining, folder: Path, progress: Progress) -> None:
        recipe = RetrainingRecipe.from_dict(asked.recipe)
        work = folder / "work"
        work.mkdir(parents=True, exist_ok=True)
        taught = self._read(recipe, recipe.trusted_paths, progress)
        self._note(asked.id, "golden", self._keep_golden(*taught, recipe, asked.actor, progress))
        snapshot = self._snapshot(work, taught, progress)
        self._note(asked.id, "snapshot", snapshot)
        feedback = [work / "feedback" / CATALOGUE_FILE] if snapshot["listings"] else []
        champion = self.registry.champion()
        summary = train(
            recipe.model(self.cache, self.threads, self.workspace),
            recipe.trusted_paths,
            work / "model",
            progress,
            train_only=recipe.train_only_paths,
            reading=recipe.reading,
            teachable=self.golden.teachable,
            feedback=feedback,
            tracker=self.tracker,
            parent=champion,
        )
        challenger = self.registry.register(work / "model", asked.actor, ORIGIN)
        trained = summary.to_dict()
        del trained["out"]
        trained["rejected"] = len(trained["rejected"])
        self._note(asked.id, "training", {"model": challenger.name, **trained})
        self._note(asked.id, "report", self._report(folder, challenger.name, progress))
        self._require_mine(asked.id)
        state, detail = self._promote(challenger.name, champion, asked, progress)
        self._note(asked.id, "gate", detail)
        self._end(asked.id, state, challenger.name)

    def _read(
        self, recipe: RetrainingRecipe, paths: Sequence[Path], progress: Progress
    ) -> tuple[list[Listing], list[str]]:
        loaded = read_catalogue(
            paths,
            codes="required",
            progress=lambda done, expected: progress(READING, done, expected),
            **recipe.reading,
        )
        return loaded.listings, list(loaded.codes or [])

    def _keep_golden(
        self,
        listings: list[Listing],
        codes: list[str],
        recipe: RetrainingRecipe,
        actor: str,
        progress: Progress,
    ) -> dict[str, Any]:
        progress(_GOLDEN, 0, 1)
        if not len(self.golden):
            held = self.golden.fix(listings, codes, actor, random_state=recipe.seed)
            found = {"fixed": int(np.count_nonzero(held))}
        else:
            others = self._read(recipe, recipe.train_only_paths, progress)[0] if recipe.train_only else []
            growth = self.golden.grow([*listings, *others], actor)
            found = {"added": growth.added, "known": growth.known}
        progress(_GOLDEN, 1, 1)
        return {**found, "listings": len(self.golden)}

    def _snapshot(
        self, work: Path, taught: tuple[list[Listing], list[str]], progress: Progress
    ) -> dict[str, Any]:
        progress(_FEEDBACK, 0, 1)
        try:
            made = take_snapshot(
                self.database, self.images, work / "feedback", taught, self.golden.listings()[0]
            )
        except CatalogueError as error:  # nothing to learn from feedback; the training data may have changed
            found: dict[str, Any] = {"listings": 0, "problem": str(error)}
        else:
            found = {
                "listings": made.listings,
                "set_aside": made.set_aside,
                "fingerprint": made.fingerprint,
            }
        progress(_FEEDBACK, 1, 1)
        return found

    def _report(self, folder: Path, name: str, progress: Progress) -> dict[str, Any]:
        """Score the challenger on the golden set, for people; the gate does its own scoring."""
        model = ProductClassifier.load(self.registry.folder_of(name), cache=self.cache, threads=self.threads)
        listings, codes = self.golden.listings()
        evaluated = evaluate_on(model, listings, codes, progress)
        write_evaluation_report(
            folder,
            evaluated.evaluation,
            title="Challenger",
            subtitle=f"Model {name} on {len(codes):,} golden listings",
            promised=model.precision,
            promise_note=model.policy_.report()["message"],
        )
        document = evaluated.to_dict()
        (folder / REPORT_FILE).write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
        return {"listings": len(codes), **document["modalities"]["fused"]}

    def _promote(
        self, name: str, champion: str | None, asked: Retraining, progress: Progress
    ) -> tuple[RetrainingState, dict[str, Any]]:
        if name == champion:
            return "kept", {"promoted": False, "problem": "The challenger is the champion, byte for byte"}
        try:
            moved = self.gate.promote(name, asked.actor, f"retrained: {asked.reason}", progress)
        except PromotionRefusedError as error:
            return "kept", {"promoted": False, **error.verdict}
        except CatalogueError as error:  # the champion has learned from what is golden
            return "kept", {"promoted": False, "problem": str(error)}
        return "promoted", {"promoted": True, "previous": moved.previous, **(moved.verdict or {})}

    def _note(self, id: str, step: str, detail: dict[str, Any]) -> None:
        with self.database.write() as connection:
            store.add_step(connection, id, datetime.now(UTC), step, detail)
        _LOG.info("retraining %s: %s", id, step)

    def _end(self, id: str, state: RetrainingState, model: str | None = None, error: str = "") -> None:
        try:
            with self.database.write() as connection:
                store.end_retraining(connection, id, state, datetime.now(UTC), model, error)
        except StoreUnavailableError as problem:  # its lease will run out
            _LOG.warning("%s", problem)

    def _require_mine(self, id: str) -> None:
        with self.database.write() as connection:
            mine = store.renew_retraining(connection, id, datetime.now(UTC) + self.lease)
        if not mine:
            raise ConflictError(
                "This retraining was given up for lost", "Another may have taken its place; see what it made"
            )

    @contextmanager
    def _lease(self, id: str) -> Iterator[None]:
        """Give signs of life while the block runs."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self.lease.total_seconds() / 4):
                try:
                    with self.database.write() as connection:
                        store.renew_retraining(connection, id, datetime.now(UTC) + self.lease)
                except StoreUnavailableError as error:
                    _LOG.warning("%s", error)

        thread = threading.Thread(target=renew, name="rayon-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, RayonError) else f"Something went wrong ({type(error).__name__})"
