"""Two models put before the gate with all that it looks at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rayon.data.listings import Listing
from rayon.data.taxonomy_change import TaxonomyChange
from rayon.learning.crossfit import Progress
from rayon.learning.gate import GateThresholds, Verdict
from rayon.learning.model import ProductClassifier
from rayon.learning.model_files import ModelReader
from rayon.operations.comparison import Comparison, compare_on
from rayon.operations.registry import NAME_LENGTH, Registry
from rayon.operations.trials import try_out


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gate found on the golden set, and what it cost.

    Parameters
    ----------
    champion, challenger
        Names: the first 12 digits of their versions.
    comparison
        The verdict at its level, with all checks.
    turn, alpha
        The place of the question in its spell, from 1, and the level that goes with it; see
        `rayon.learning.spending`.
    golden_listings
        How many golden listings there were.
    """

    champion: str
    challenger: str
    comparison: Comparison
    turn: int
    alpha: float
    golden_listings: int

    @property
    def passed(self) -> bool:
        """Whether the challenger may take the champion's place."""
        return self.comparison.verdict.passed

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: the verdict with all figures, and who was compared at what price."""
        names = ("champion", "challenger", "turn", "alpha", "golden_listings")
        return {**self.comparison.to_dict(), **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model that is compared, and where it lies."""

    name: str
    folder: Path

    @classmethod
    def of(cls, registry: Registry, model: str | Path) -> Contestant:
        """Find a registered model by its name, or take a folder, which need not be registered."""
        if isinstance(model, Path):
            return cls(ModelReader(model).fingerprint()[:NAME_LENGTH], model)
        name = registry.find(model).name
        return cls(name, registry.folder_of(name))


def compare_contestants(
    champion: Contestant,
    challenger: Contestant,
    listings: Sequence[Listing],
    codes: Sequence[str],
    progress: Progress,
    *,
    thresholds: GateThresholds | None = None,
    change: TaxonomyChange | None = None,
    cache: Path | None = None,
    threads: int | None = None,
) -> Comparison:
    """Try two models out, and score them on labelled listings, see `compare_on`.

    Parameters
    ----------
    champion, challenger
        Who is compared.
    listings, codes
        N listings with their true codes.
    progress
        Told how far each stage is.
    thresholds
        What the gate asks for.
    change
        What became of the champion's codes, where the challenger knows others.
    cache
        Folder where image vectors are kept between runs; none where not given.
    threads
        Worker threads; all cores where not given.
    """
    folders = (champion.folder, challenger.folder)
    first, second = (ProductClassifier.load(folder, threads=threads) for folder in folders)
    tried = try_out(first, second, folders, listings, progress)
    if cache is not None:  # which would have hidden what pictures cost
        first, second = (ProductClassifier.load(folder, cache=cache, threads=threads) for folder in folders)
    found = compare_on(first, second, listings, codes, progress, change, thresholds)
    return replace(found, verdict=Verdict((*found.verdict.checks, *tried)))


def question_key(
    champion: Contestant,
    challenger: Contestant,
    listings: Sequence[Listing],
    codes: Sequence[str],
    change: TaxonomyChange | None,
) -> str:
    """SHA-256 of all that the answer depends on: who is compared, on which listings, and how."""
    named = sorted((change or TaxonomyChange()).to_dict().items())
    digest = hashlib.sha256(json.dumps([champion.name, challenger.name, named]).encode())
    for listing, code in zip(listings, codes, strict=True):
        image = listing.image if isinstance(listing.image, bytes) else b""  # golden pictures are bytes
        picture = hashlib.sha256(image).hexdigest()
        digest.update(json.dumps([listing.designation, listing.description, picture, code]).encode())
    return digest.hexdigest()
