"""What a classifier is given to learn from, refused before any work where it cannot be right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from rayon.data.listings import Listing
from rayon.data.taxonomy import Taxonomy, sort_codes
from rayon.errors import TrainingError


def check_parameters(precision: float, folds: int = 2) -> None:
    """Refuse parameters that are out of bounds.

    Raises
    ------
    TrainingError
        Naming the parameter.
    """
    if not 0 < precision < 1:
        raise TrainingError(
            f"The promised precision is {precision}", "Give a share between 0 and 1, such as 0.98"
        )
    if folds < 2:
        raise TrainingError(f"Cross-fitting was asked for {folds} folds", "Give at least 2")


def seed_of(random_state: Any) -> int:
    """A seed from 0 on, drawn where `random_state` is a generator or ``None``.

    Raises
    ------
    TrainingError
        When it is below zero.
    """
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        if random_state < 0:
            raise TrainingError(f"The seed is {random_state}", "Give a whole number from 0 on")
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def checked_codes(y: Iterable[Any]) -> list[Any]:
    """The codes as a list.

    Raises
    ------
    TrainingError
        When one is missing.
    """
    codes = list(y)
    for position, code in enumerate(codes):
        if code is None or code != code or str(code).strip() == "":  # NaN is how frames say "missing"
            raise TrainingError(f"Listing {position} has no code", "Leave out the listings without one")
    return codes


def check_sizes(listings: Sequence[Listing], codes: Sequence[Any]) -> None:
    """Refuse, with a `TrainingError`, another number of codes than of listings."""
    if len(listings) != len(codes):
        raise TrainingError(
            f"There are {len(listings)} listings and {len(codes)} codes", "Give exactly one code a listing"
        )


def taxonomy_of(names: Sequence[str], given: Taxonomy | None) -> Taxonomy:
    """Taxonomy of exactly the codes in use.

    Raises
    ------
    TaxonomyError
        When a code is not in the given one.
    """
    if given is None:
        return Taxonomy.of_codes(names)
    given.require(sort_codes(set(names)))
    return given.subset(names)
