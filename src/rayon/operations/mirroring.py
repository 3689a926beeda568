"""The registry, shown in MLflow: which version is the champion, and which would be next."""

from __future__ import annotations

import logging
import threading

from rayon.operations.registry import Registry
from rayon.operations.tracking import Tracker

_LOG = logging.getLogger(__name__)


def mirror_registry(tracker: Tracker, registry: Registry) -> None:
    """Have a tracker show what the registry says; whatever goes wrong is logged, and nothing is raised.

    Parameters
    ----------
    tracker
        Who is told.
    registry
        Where the truth is.
    """
    try:
        champion, names = registry.champion(), [version.name for version in registry.versions()]
    except Exception as error:  # what was promoted is promoted
        _LOG.warning("The registry could not be read to show it elsewhere: %s", error)
        return
    tracker.mirror(champion, names)


class BackgroundMirror:
    """Mirrors without making anybody wait: in a thread that nobody has to end.

    While one mirroring runs, any number of calls ask for one more.

    Parameters
    ----------
    tracker, registry
        See `mirror_registry`.
    """

    def __init__(self, tracker: Tracker, registry: Registry) -> None:
        self._tracker = tracker
        self._registry = registry
        self._lock = threading.Lock()
        self._asked = False
        self._thread: threading.Thread | None = None

    def refresh(self) -> None:
        """Mirror soon what the registry says by then."""
        with self._lock:
            self._asked = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="rayon-mirror", daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until there is nothing left to do, and say whether it came to that."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return self._thread is None

    def _work(self) -> None:
        while self._still_asked():
            mirror_registry(self._tracker, self._registry)

    def _still_asked(self) -> bool:
        with self._lock:
            asked, self._asked = self._asked, False
            if not asked:
                self._thread = None
            return asked
