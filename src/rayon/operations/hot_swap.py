"""Following the champion: it is loaded beside the model that answers, tried, and takes its place."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rayon.errors import RayonError, StoreUnavailableError
from rayon.learning.model import ProductClassifier
from rayon.operations.registry import Registry

LOOK_SECONDS = 2.0
"""Between two looks at the registry; loading a model comes on top."""

_AGAIN_SECONDS = 30.0
_LOG = logging.getLogger(__name__)


def settle_memory() -> None:
    """Have the garbage collector leave alone what is there now: a loaded model stays for long."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


class ModelFollower:
    """Keep a process on the champion.

    Parameters
    ----------
    registry
        Says which model is the champion.
    load
        Loads a model folder and tries it; raises `RayonError` where the model cannot serve.
    swap
        Puts a model in the place of the one that answers.
    serving
        The name of the model that answers now.
    look_at_brakes
        Takes up the brakes as they are now, before the champion: no model answers without the brake on it.
    """

    def __init__(
        self,
        registry: Registry,
        load: Callable[[Path], ProductClassifier],
        swap: Callable[[ProductClassifier], None],
        serving: str,
        look_at_brakes: Callable[[], None] = lambda: None,
    ) -> None:
        self._registry = registry
        self._look_at_brakes = look_at_brakes
        self._load = load
        self._swap = swap
        self.serving = serving
        self.problem = ""
        """Why the champion could not be loaded; empty where it answers."""
        self._failed = ""
        self._try_again_at = 0.0
        self._stopping = threading.Event()

    def run(self) -> None:
        """Look again and again until `stop` is called."""
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.look()
            except StoreUnavailableError as error:
                _LOG.warning("%s", error)

    def stop(self) -> None:
        """End `run`."""
        self._stopping.set()

    def look(self) -> bool:
        """Take up the brakes, and the champion if it is another than answers; say whether that was done.

        One that cannot be loaded is reported and tried again later; the model that answers goes on.
        """
        self._look_at_brakes()
        champion = self._registry.champion()
        if champion is None or champion == self.serving:
            self.problem = self._failed = ""
            return False
        if champion == self._failed and time.monotonic() < self._try_again_at:
            return False
        try:
            model = self._load(self._registry.folder_of(champion))
        except (RayonError, OSError, MemoryError) as error:
            self.problem = f"The champion {champion!r} cannot be loaded: {error}"
            self._failed, self._try_again_at = champion, time.monotonic() + _AGAIN_SECONDS
            _LOG.error("%s; %r goes on", self.problem, self.serving)
            return False
        self._swap(model)
        _LOG.info("the model %r answers now, after %r", champion, self.serving)
        self.serving, self.problem, self._failed = champion, "", ""
        settle_memory()
        return True
