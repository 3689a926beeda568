"""Whether the precision that was promised for accepted listings is kept in service."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

from scipy.special import bdtr

from rayon.errors import RayonError
from rayon.learning.bounds import listings_needed


@dataclass(frozen=True, slots=True)
class PromiseThresholds:
    """When a promise counts as broken, and how many listings it takes to see that.

    Parameters
    ----------
    alpha
        How often a promise that is just kept is called broken all the same, each time it is looked at.
    margin
        How far below the promise the precision is that has to be noticed.
    power
        Probability with which it has to be noticed.
    """

    alpha: float = 0.05
    margin: float = 0.03
    power: float = 0.8


@dataclass(frozen=True, slots=True)
class PromiseCheck:
    """What the audited accepted listings say about a promise.

    Parameters
    ----------
    verdict
        ``"broken"`` where so few would rarely be right if the promise were kept; else ``"kept"``, or
        ``"too_few"`` where even a precision clearly below the promise would often have gone unnoticed.
    n_right, n
        How many were right, of how many.
    promise
        The precision that was promised.
    p_value
        Probability that so few or fewer are right when the precision is the promised one.
    needed
        How many more listings it takes before ``"kept"`` can be said; 0 when there are enough.
    """

    verdict: Literal["kept", "broken", "too_few"]
    n_right: int
    n: int
    promise: float
    p_value: float
    needed: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)


def promise_check(
    n_right: int, n: int, promise: float, thresholds: PromiseThresholds | None = None
) -> PromiseCheck:
    """Test a promised precision on listings that the random audit drew among the accepted ones.

    Parameters
    ----------
    n_right, n
        How many of them were right, of how many.
    promise
        The precision that was promised, between 0 and 1.
    thresholds
        What counts as broken, and as too few.

    Raises
    ------
    RayonError
        When the numbers make no sense.

    Notes
    -----
    The exact binomial test. Whoever looks again and again at a growing audit will call a promise broken more
    often than alpha; looks at windows that do not overlap each have that level.
    """
    asked = thresholds or PromiseThresholds()
    if not 0 <= n_right <= n:
        raise RayonError(
            f"{n_right} of {n} listings cannot be right", "Give how many were right, of how many"
        )
    if not 0 < promise < 1:
        raise RayonError(
            f"A precision of {promise:g} cannot be tested", "Promise more than 0 and less than 1"
        )
    p_value = float(bdtr(n_right, n, promise)) if n else 1.0
    needed = max(0, _listings_to_see_it_broken(promise, asked) - n)
    if p_value <= asked.alpha:
        return PromiseCheck("broken", n_right, n, promise, p_value, needed)
    return PromiseCheck("too_few" if needed else "kept", n_right, n, promise, p_value, needed)


@lru_cache(maxsize=64)
def _listings_to_see_it_broken(promise: float, asked: PromiseThresholds) -> int:
    worse = max(promise - asked.margin, 0.0)
    # The test from above with right and wrong exchanged: the share of errors is above 1 - promise.
    found = listings_needed(1.0 - worse, 1.0 - promise, 1.0 - asked.alpha, asked.power)
    if found is None:
        raise RayonError(
            f"No number of listings shows a precision of {worse:g} to be below {promise:g}",
            "Ask for a larger margin or less power",
        )
    return found
