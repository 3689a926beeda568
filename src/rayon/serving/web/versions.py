"""What pages of models know of versions: their codes, and when they were the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rayon.serving.services import Services
from rayon.store.models import ModelVersion, Promotion

ALL = 100_000
"""So many promotions are more than there will ever be."""


@dataclass(frozen=True, slots=True)
class Term:
    """A time during which a model was the champion.

    Parameters
    ----------
    began
        The promotion, or the rollback.
    until
        When another came; ``None`` where it is the champion still.
    """

    began: Promotion
    until: datetime | None


def terms(promotions: Sequence[Promotion]) -> list[Term]:
    """The terms of all champions, from the promotions, both newest first."""
    ends = [None, *(one.at for one in promotions)]
    return [Term(one, until) for one, until in zip(promotions, ends, strict=False)]


def version_of(served: Services, name: str | None) -> ModelVersion | None:
    """Find a version; ``None`` where there is no name.

    Raises
    ------
    NotFoundError
        When there is no such version.
    """
    return served.registry.find(name) if name else None


def codes_beyond(one: ModelVersion | None, other: ModelVersion | None) -> dict[str, str]:
    """Codes with their labels that one version knows and the other does not."""
    if one is None or other is None:
        return {}
    known = _labels(other)
    return {code: label for code, label in _labels(one).items() if code not in known}


def _labels(version: ModelVersion) -> dict[str, str]:
    figures: dict[str, Any] = version.figures["figures"]
    unknown = set(figures["unknown_codes"])
    return {one["code"]: one["label"] for one in figures["per_code"] if one["code"] not in unknown}
