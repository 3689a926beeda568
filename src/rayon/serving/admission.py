"""How many requests for predictions are under way, so that more of them can be refused at once."""

from __future__ import annotations

from collections.abc import Callable

QUEUED = {("POST", path) for path in ("/api/v1/predictions", "/api/v1/predictions/batch")}
"""Methods and paths of the requests that wait for the model."""


class Admission:
    """Room for so many requests; used by the event loop alone.

    Parameters
    ----------
    most
        How many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way = 0

    @property
    def full(self) -> bool:
        """Whether there is no room for another."""
        return self._under_way >= self._most

    def place(self) -> Place:
        """Make a place for one request, which counts while it is taken."""
        return Place(self._count)

    def _count(self, more: int) -> None:
        self._under_way += more


class Place:
    """What one request takes while it is under way; `Admission.place` makes it."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count
        self._taken = False

    def take(self) -> None:
        """Count from now on, if not already."""
        if not self._taken:
            self._taken = True
            self._count(1)

    def leave(self) -> None:
        """Count no longer."""
        if self._taken:
            self._taken = False
            self._count(-1)
