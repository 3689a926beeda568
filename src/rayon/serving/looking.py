"""Having the live service looked at now, in a process of its own: one look at a time."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from rayon.errors import ConflictError, OverloadedError, RayonError
from rayon.operations.children import run_child
from rayon.serving.services import Services

SECONDS = 600.0
"""Within which a look ends, or is broken off."""

_FINE = (0, 3)
_LOG = logging.getLogger(__name__)


def look_now(served: Services, actor: str, since: datetime | None = None) -> None:
    """Look, and wait until the journal has what was found.

    Parameters
    ----------
    served
        The services.
    actor
        Who looks.
    since
        From when on; 30 days ago where it is not given.

    Raises
    ------
    RayonError
        When the window is empty.
    ConflictError
        When a look is under way.
    OverloadedError
        When it has failed, or was broken off.
    """
    if since is not None and since >= datetime.now(UTC):
        raise RayonError("The window is empty", "Give a moment that is past")
    _begin(served)
    try:
        _run(served, actor, since)
    finally:
        served.looking.release()


def begin_look(served: Services, actor: str) -> None:
    """Begin to look, and wait for nothing; `Services.look_failed` says whether it has come to nothing.

    Raises
    ------
    ConflictError
        When a look is under way.
    """
    _begin(served)
    served.look_failed.clear()

    def run() -> None:
        try:
            _run(served, actor, None)
        except Exception as error:
            if not isinstance(error, OverloadedError):
                _LOG.exception("a look has failed")
            served.look_failed.set()
        finally:
            served.looking.release()

    threading.Thread(target=run, name="rayon-look").start()


def _begin(served: Services) -> None:
    if not served.looking.acquire(blocking=False):
        raise ConflictError("Somebody has the live service looked at already", "Wait for its end")


def _run(served: Services, actor: str, since: datetime | None) -> None:
    arguments = ["monitor", "--json", f"--actor={actor}"]
    if since is not None:
        arguments.append(f"--since={since.isoformat()}")
    if served.pinned is not None:
        arguments.append(f"--model={served.pinned}")
    ended = run_child(arguments, SECONDS, lambda: not served.stopping.is_set())
    if ended.code not in _FINE:
        _LOG.error("rayon monitor has ended with %d: %s", ended.code, ended.answer)  # what it says is for us
        raise OverloadedError("The look has failed", "The log of the service says why")
