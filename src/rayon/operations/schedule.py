"""What is due by a cron expression, taken by one process only, however many look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from rayon.errors import RayonError
from rayon.store import schedules as store
from rayon.store.database import Database, IntegrityError


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron expression in a time zone.

    Parameters
    ----------
    name
        What is done; one schedule of a name counts, whoever looks at it.
    expression
        Minute, hour, day of the month, month, day of the week, such as ``0 3 * * SUN``.
    zone
        An IANA time zone, such as ``Europe/Paris``. What falls into the hour that a clock change skips is due
        after it; what falls into the hour that comes twice is due once.

    Raises
    ------
    RayonError
        When the expression or the zone cannot be understood.
    """

    name: str
    expression: str
    zone: str

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise RayonError(
                f"There is no time zone {self.zone[:40]!r}", "Name one as in Europe/Paris, or UTC"
            ) from None
        try:
            self.due_before(datetime.now(UTC))
        except (CronSimError, StopIteration):
            raise RayonError(
                f"{self.expression[:80]!r} is no cron expression that ever comes about",
                "Write minute, hour, day of the month, month and day of the week, such as 0 3 * * SUN",
            ) from None

    def due_before(self, now: datetime) -> datetime:
        """The last moment, up to now, at which it was due."""
        local = now.astimezone(ZoneInfo(self.zone)).replace(second=59)
        return next(CronSim(self.expression, local, reverse=True)).astimezone(UTC)

    def due_after(self, now: datetime) -> datetime:
        """The next moment at which it will be due."""
        return next(CronSim(self.expression, now.astimezone(ZoneInfo(self.zone)))).astimezone(UTC)


def take_due(database: Database, schedule: Schedule, now: datetime) -> bool:
    """Take the run that is due now, if nobody has taken it; the first look only starts the count.

    What was due while nobody looked is done once, however often it was due.

    Parameters
    ----------
    database
        Where it is noted what was taken.
    schedule
        What is done when.
    now
        The moment.
    """
    with database.read() as connection:
        last = store.last_due(connection, schedule.name)
    if last is None:
        try:
            with database.write() as connection:
                store.begin_schedule(connection, schedule.name, now)
        except IntegrityError:  # another process looks for the first time too
            pass
        return False
    due = schedule.due_before(now)
    if due <= last:
        return False
    with database.write() as connection:
        return store.claim_due(connection, schedule.name, due)
