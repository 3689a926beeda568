"""What this process knows of the question to the gate that a page has asked."""

from __future__ import annotations

from dataclasses import dataclass

from rayon.errors import RayonError


@dataclass
class Question:
    """A question that is judged in the background.

    Parameters
    ----------
    key
        By which the page that waits for the answer finds it.
    stage, done, total
        How far it is.
    reason
        Why it was asked, as it was typed.
    error
        Why nothing came of it; ``None`` as long as something may. A refusal is one too.
    """

    key: str
    reason: str = ""
    stage: str = ""
    done: int = 0
    total: int = 0
    error: RayonError | None = None


class Questions:
    """The last question; there is one at a time."""

    def __init__(self) -> None:
        self._last = Question("")

    def begin(self, key: str, reason: str = "") -> Question:
        """Keep a new one in the place of the one before."""
        self._last = Question(key, reason)
        return self._last

    def find(self, key: str) -> Question | None:
        """Find it by its key; ``None`` where this process knows nothing of it."""
        return self._last if self._last.key == key else None
