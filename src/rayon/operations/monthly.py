"""The monthly report: the month before, as a page, written once."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rayon.learning.crossfit import Progress
from rayon.operations.accounts import SCHEDULE
from rayon.operations.monitoring import Monitor
from rayon.reports.monitoring import write_monitoring_report
from rayon.store.database import Database
from rayon.store.monitoring import list_runs

_HISTORY = 400


def write_monthly_report(
    monitor: Monitor, database: Database, folder: Path, zone: str, now: datetime, progress: Progress
) -> Path | None:
    """Write the report of the month before, unless it is there; ``None`` where there was nothing to do.

    Parameters
    ----------
    monitor
        Looks at that month.
    database
        Where the journal is.
    folder
        Of the reports, ``monitoring-2026-10.html`` and so on.
    zone
        The time zone in which months begin.
    now
        The moment.
    progress
        Told how far each stage is.
    """
    this = now.astimezone(ZoneInfo(zone)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    before = (this - timedelta(days=1)).replace(day=1)
    path = folder / f"monitoring-{before:%Y-%m}.html"
    if path.exists():
        return None
    found = monitor.look(SCHEDULE, progress, since=before, until=this, note=False)
    if not len(found.window):
        return None
    title = f"Monitoring, {before:%B %Y}"
    return write_monitoring_report(path, found.to_dict(), looks_before(database, this), title=title)


def looks_before(database: Database, moment: datetime) -> list[dict[str, Any]]:
    """What the last looks before a moment found, oldest first, for a report to draw."""
    with database.read() as connection:
        runs = list_runs(connection, limit=_HISTORY)
    return [one.report for one in reversed(runs) if one.at < moment]
