"""Moments and durations on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from rayon.errors import RayonError

_AGO = re.compile(r"(\d{1,6})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def parse_moment(text: str, now: datetime | None = None) -> datetime:
    """A moment: ``30d``, ``12h`` or ``2w`` ago, or a date or time in ISO 8601, in UTC where it has no zone.

    Raises
    ------
    RayonError
        When the text is neither.
    """
    now = now or datetime.now(UTC)
    try:
        if found := _AGO.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RayonError(
            f"{text[:40]!r} is no moment", "Write for instance 30d, 12h, 2026-11-01 or 2026-11-01T08:00+01:00"
        ) from None
