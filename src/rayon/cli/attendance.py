"""What a process of the service does besides: schedules, and retrainings that people asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rayon.errors import RayonError
from rayon.operations.attendant import Attendant, Errand
from rayon.operations.retrainings import Retrainings
from rayon.operations.schedule import Schedule
from rayon.settings import Settings
from rayon.store.database import Database


@contextmanager
def attending(
    settings: Settings, database: Database, when: Callable[[], bool] = lambda: True
) -> Iterator[None]:
    """Do in the background what is due and asked for, while ``when`` allows it.

    Raises
    ------
    RayonError
        When a schedule makes no sense.
    """
    attendant = Attendant(database, Retrainings(database, settings.retrainings), errands_of(settings))
    thread = threading.Thread(target=attendant.run, args=(when,), name="rayon-attendant")
    thread.start()
    try:
        yield
    finally:
        attendant.stop()
        thread.join()


def errands_of(settings: Settings) -> list[Errand]:
    """What is to be done on schedule.

    Raises
    ------
    RayonError
        When a schedule makes no sense.
    """
    wanted = {
        "monitor": (settings.monitor_schedule, ("monitor", "--scheduled")),
        "retrain": (settings.retrain_schedule, ("retrain", "--if-needed", "--scheduled")),
    }
    errands = []
    for name, (expression, arguments) in wanted.items():
        if expression is None:
            continue
        if settings.time_zone is None:
            raise RayonError(
                f"RAYON_{name.upper()}_SCHEDULE needs RAYON_TIME_ZONE", "Name one as in Europe/Paris, or UTC"
            )
        errands.append(Errand(Schedule(name, expression, settings.time_zone), arguments))
    return errands
