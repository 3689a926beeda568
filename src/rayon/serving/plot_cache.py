"""Plots that were drawn before; they never change, and take longer to draw than to keep."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

MOST = 200
"""Plots that are kept, of some 20 kB each; the one that was longest not asked for goes first."""


class PlotCache:
    """Text by what it shows; safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, str] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, draw: Callable[[], str]) -> str:
        """Give what is kept, or draw it; two at once may both draw."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        drawn = draw()
        with self._lock:
            self._kept[key] = drawn
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return drawn
