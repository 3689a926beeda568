"""The one door to the champion's place: the gate is asked, its verdict kept, and what it cost counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rayon.data.loading import read_catalogue
from rayon.data.taxonomy_change import TaxonomyChange
from rayon.errors import CatalogueError, ConflictError, ModelError, PromotionRefusedError, RayonError
from rayon.learning.crossfit import Progress, silent
from rayon.learning.gate import GateThresholds
from rayon.learning.model import ProductClassifier
from rayon.learning.spending import level_of, turn_of
from rayon.operations.comparison import Comparison
from rayon.operations.golden_set import GoldenSet
from rayon.operations.judging import Contestant, Judged, compare_contestants, question_key
from rayon.operations.registry import NAME_LENGTH, Registry
from rayon.operations.smoke import run_smoke_set
from rayon.store import verdicts as store
from rayon.store.database import Database
from rayon.store.models import Promotion
from rayon.store.verdicts import StoredVerdict


class Gatekeeper:
    """Judge challengers on the golden set, and promote those that pass.

    Parameters
    ----------
    database, registry, golden
        Where verdicts, models and golden listings are kept.
    cache
        Folder where image vectors are kept between runs; none where not given.
    threads
        Worker threads; all cores where not given.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        golden: GoldenSet,
        *,
        cache: Path | None = None,
        threads: int | None = None,
    ) -> None:
        self._database = database
        self.registry = registry
        self._golden = golden
        self._threads = threads
        self._compare = partial(compare_contestants, cache=cache, threads=threads)

    def has_a_word(self, name: str) -> bool:
        """Whether the gate is asked about this model: there is another champion, and a golden set."""
        champion = self.registry.champion()
        return champion not in (None, self.registry.find(name).name) and len(self._golden) > 0

    def next_turn(self) -> int:
        """The turn that a new question would have now, see `rayon.learning.spending`; asks nothing."""
        line, listings = self._line_of(self.registry.champion()), len(self._golden)
        with self._database.read() as connection:
            return turn_of("", listings, store.asked_under(connection, line))

    def judge(
        self,
        challenger: str | Path,
        actor: str,
        progress: Progress = silent,
        *,
        champion: str | Path | None = None,
        change: TaxonomyChange | None = None,
        forced: bool = False,
    ) -> Judged:
        """Score two models on the golden set, and keep the verdict, whatever it is.

        Each new question is judged at a lower level than the one before; the very same one, about the same
        models and listings, at the same level as before, and it costs nothing.

        Parameters
        ----------
        challenger
            The name of a registered model, or the beginning of it; or a model folder, as a path.
        actor
            Who asks.
        progress
            Told how far each stage is; what it raises ends the judging, and nothing is spent.
        champion
            What to compare it with, likewise; the champion where not given.
        change
            What became of the champion's codes, where the challenger knows others.
        forced
            Whether it is to be promoted all the same; kept with the verdict where it may not be.

        Raises
        ------
        NotFoundError
            When there is no such model.
        ModelError
            When one of them cannot be loaded, or does not answer.
        ConflictError
            When there is no champion, and none is named.
        CatalogueError
            When there is no golden set, or the models have learned from all of it.
        TaxonomyError
            When the change does not fit the models.
        """
        serving = self.registry.champion()
        if champion is None and serving is None:
            raise ConflictError("There is no champion to compare with", "Promote the first one unjudged")
        first = Contestant.of(self.registry, champion if champion is not None else serving or "")
        second = Contestant.of(self.registry, challenger)
        listings, codes = self._golden.listings()
        if not listings:
            raise CatalogueError(
                "There is no golden set to compare on",
                "Name labelled listings with --on, or hold some out: rayon golden fix CATALOGUE",
            )
        key = question_key(first, second, listings, codes, change)
        line = self._line_of(serving)
        with self._database.read() as connection:
            turn = turn_of(key, len(listings), store.asked_under(connection, line))
        asked = GateThresholds(alpha=level_of(turn))
        found = self._compare(first, second, listings, codes, progress, thresholds=asked, change=change)
        with self._database.write() as connection:
            store.hold_verdicts(connection)  # others may have asked meanwhile
            turn = turn_of(key, len(listings), store.asked_under(connection, line))
            alpha = level_of(turn)
            levelled = replace(found, verdict=found.verdict.at_level(alpha))
            judged = Judged(first.name, second.name, levelled, turn, alpha, len(listings))
            store.add_verdict(
                connection,
                datetime.now(UTC),
                actor,
                (first.name, second.name),
                serving,
                len(listings),
                judged.to_dict(),
                question=key,
                turn=turn,
                alpha=alpha,
                forced=forced and not judged.passed,
            )
        return judged

    def promote(
        self,
        name: str,
        actor: str,
        reason: str,
        progress: Progress = silent,
        *,
        force: bool = False,
        change: TaxonomyChange | None = None,
    ) -> Promotion:
        """Make a model the champion if the gate lets it through; processes that serve follow within seconds.

        The first champion is not judged, and nobody is where there is no golden set.

        Parameters
        ----------
        name
            Of the model, or the beginning of it.
        actor, reason
            Who does it, and why.
        progress
            Told how far each stage is; what it raises ends it all, and nothing has changed.
        force
            Promote it whatever the gate says; the verdict is kept all the same, and says so.
        change
            What became of the champion's codes, where the challenger knows others.

        Raises
        ------
        PromotionRefusedError
            When the gate does not let it through; it carries the verdict.
        NotFoundError, ModelError, ConflictError
            See `Registry.promote`; also when another became the champion meanwhile.
        CatalogueError
            When the models have learned from all golden listings, unless it is forced.
        TaxonomyError
            When the change does not fit the models.
        """
        version, champion = self.registry.find(name), self.registry.champion()
        if not reason.strip() or champion is None or not self.has_a_word(version.name):
            return self.registry.promote(version.name, actor, reason)
        try:
            judged = self.judge(version.name, actor, progress, champion=champion, change=change, forced=force)
        except (CatalogueError, ModelError) as error:
            if not force:
                raise
            # It is the champion that is lost, or too old to be compared; the challenger has to answer.
            run_smoke_set(
                ProductClassifier.load(self.registry.folder_of(version.name), threads=self._threads)
            )
            verdict = self._keep_problem(error, champion, version.name, actor)
        else:
            verdict = {**judged.to_dict(), "forced": force and not judged.passed}
            if not judged.passed and not force:
                raise _refusal(judged)
        return self.registry.promote(version.name, actor, reason, verdict, after=champion)

    def look(
        self,
        champion: str | Path,
        challenger: str | Path,
        catalogues: Sequence[Path],
        progress: Progress = silent,
        *,
        reading: Mapping[str, Any] | None = None,
        change: TaxonomyChange | None = None,
    ) -> Comparison:
        """Judge a challenger on labelled catalogues instead of the golden set; nothing is kept or spent.

        Parameters
        ----------
        champion, challenger
            Names of registered models, or model folders, as paths.
        catalogues
            Labelled ones, joined.
        progress
            Told how far each stage is.
        reading
            How to read them, see `rayon.data.loading.read_catalogue`.
        change
            What became of the champion's codes, where the challenger knows others.

        Raises
        ------
        NotFoundError, ModelError, CatalogueError, TaxonomyError
            As for `judge`.
        """
        first, second = (Contestant.of(self.registry, model) for model in (champion, challenger))
        loaded = read_catalogue(catalogues, codes="required", **(reading or {}))
        found = self._compare(first, second, loaded.listings, loaded.codes or [], progress, change=change)
        return replace(found, rejected=len(loaded.rejected))

    def verdicts(self, limit: int = 100) -> list[StoredVerdict]:
        """What was asked of the golden set, and what came of it, newest first."""
        with self._database.read() as connection:
            return store.list_verdicts(connection, limit)

    def _line_of(self, name: str | None) -> list[str]:
        """A model and all that differ from it by a recalibration: the same weights, so one spell goes on."""
        parents = {
            one.name: one.figures["promise"].get("recalibration", {}).get("parent", "")[:NAME_LENGTH]
            for one in self.registry.versions()
        }

        def root(of: str) -> str:
            while parents.get(of):
                of = parents[of]
            return of

        return [one for one in parents if root(one) == root(name)] if name else []

    def _keep_problem(self, error: RayonError, champion: str, challenger: str, actor: str) -> dict[str, Any]:
        """Keep that a model is promoted although the two could not be compared."""
        verdict = {"passed": False, "forced": True, "checks": [], "problem": error.message}
        golden = len(self._golden)
        with self._database.write() as connection:
            store.add_verdict(
                connection,
                datetime.now(UTC),
                actor,
                (champion, challenger),
                champion,
                golden,
                verdict,
                forced=True,
            )
        return verdict


def _refusal(judged: Judged) -> PromotionRefusedError:
    failed = [check.reason for check in judged.comparison.verdict.checks if not check.passed]
    return PromotionRefusedError(
        f"{judged.challenger} is not promoted. {'. '.join(failed)}",
        "Train a better one, or promote it by force, with a reason",
        judged.to_dict(),
    )
