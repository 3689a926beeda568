"""How many predictions were made over time, put together so that they fit a plot or a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from rayon.reports.wording import ENGLISH, Wording

MAX_BARS = 62
"""Bars of the volumes; where there would be more, each counts a longer time."""

Unit = Literal["day", "week", "month", "year"]


@dataclass(frozen=True, slots=True)
class Bar:
    """Predictions of some time.

    Parameters
    ----------
    start
        Its first day.
    predictions, accepted
        How many were made, and how many of them were accepted.
    """

    start: date
    predictions: int
    accepted: int


def utc(moment: str) -> datetime:
    """A moment in ISO 8601; without a time zone it is in UTC."""
    found = datetime.fromisoformat(moment)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def bars_of(days: Sequence[Mapping[str, Any]], since: datetime, until: datetime) -> tuple[Unit, list[Bar]]:
    """Put days together so that there are at most `MAX_BARS` bars, and none is left out.

    Parameters
    ----------
    days
        With ``day``, ``predictions`` and ``accepted``; days without predictions are absent.
    since, until
        Ends of the window. Of one that lasts many years, what lies before the first prediction is left out.
    """
    first, last = since.date(), max(since, until - timedelta(microseconds=1)).date()
    made = {date.fromisoformat(one["day"]): (one["predictions"], one["accepted"]) for one in days}
    length = (last - first).days + 1
    unit: Unit = "day" if length <= MAX_BARS else "week" if length <= 7 * (MAX_BARS - 1) else "month"
    if length > 28 * MAX_BARS:
        unit, first = "year", min(made, default=last)
    total: dict[date, tuple[int, int]] = {}
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        start = _start(day, unit)
        predictions, accepted = made.get(day, (0, 0))
        before = total.get(start, (0, 0))
        total[start] = before[0] + predictions, before[1] + accepted
    return unit, [Bar(start, *counts) for start, counts in total.items()]


def bar_name(start: date, unit: Unit, wording: Wording = ENGLISH) -> str:
    """What stands below a bar: its first day, its month or its year."""
    if unit == "year":
        return str(start.year)
    return f"{wording.month(start)} {start.year}" if unit == "month" else wording.day(start)


def _start(day: date, unit: Unit) -> date:
    if unit == "week":
        return day - timedelta(days=min(day.weekday(), day.toordinal() - 1))
    if unit == "month":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if unit == "year" else day
