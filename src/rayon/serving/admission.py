"""How many requests for predictions are under way, so that more of them can be refused at once."""

from __future__ import annotations

from types import TracebackType

QUEUED = {("POST", path) for path in ("/api/v1/predictions", "/api/v1/predictions/batch")}
"""Methods and paths of the requests that wait for the model."""


class Admission:
    """Room for so many requests; used by the event loop alone. Enter it for as long as one is under way.

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

    def __enter__(self) -> None:
        self._under_way += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._under_way -= 1
