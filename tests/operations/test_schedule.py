"""What is due by a cron expression, and who does it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayon.errors import RayonError
from rayon.operations.schedule import Schedule, take_due
from rayon.store.database import Database

SUNDAYS = Schedule("retrain", "0 3 * * SUN", "Europe/Paris")


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_it_is_due_by_the_clock_of_its_zone() -> None:
    assert SUNDAYS.due_before(utc(2026, 11, 22, 1, 59, 59)) == utc(2026, 11, 15, 2)
    assert SUNDAYS.due_before(utc(2026, 11, 22, 2, 0)) == utc(2026, 11, 22, 2)
    assert SUNDAYS.due_after(utc(2026, 11, 22, 2, 0)) == utc(2026, 11, 29, 2)
    assert SUNDAYS.due_after(utc(2026, 7, 1)) == utc(2026, 7, 5, 1)


def test_a_clock_change_neither_skips_nor_doubles_it() -> None:
    nightly = Schedule("monitor", "30 2 * * *", "Europe/Paris")
    skipped = utc(2026, 3, 29)  # there is no 2:30 on that night
    assert nightly.due_after(skipped) == utc(2026, 3, 29, 1)
    assert nightly.due_after(utc(2026, 3, 29, 1)) == utc(2026, 3, 30, 0, 30)
    assert nightly.due_after(utc(2026, 10, 25)) == utc(2026, 10, 25, 0, 30)  # there are two
    assert nightly.due_after(utc(2026, 10, 25, 0, 30)) == utc(2026, 10, 26, 1, 30)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))
def test_before_and_after_enclose_every_moment(moment: datetime) -> None:
    before, after = SUNDAYS.due_before(moment), SUNDAYS.due_after(moment)
    assert before <= moment < after
    assert timedelta(days=6, hours=23) <= after - before <= timedelta(days=7, hours=1)


@pytest.mark.parametrize("expression", ["", "x", "0 0 30 2 *", "* * * * * * *", "61 * * * *"])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(RayonError, match="is no cron expression that ever comes about"):
        Schedule("monitor", expression, "UTC")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(RayonError, match="There is no time zone"):
        Schedule("monitor", "* * * * *", zone)


def test_each_run_is_taken_once_and_what_was_missed_is_done_once(database: Database) -> None:
    assert not take_due(database, SUNDAYS, utc(2026, 11, 18))  # the count starts here
    assert not take_due(database, SUNDAYS, utc(2026, 11, 21, 12))
    assert take_due(database, SUNDAYS, utc(2026, 11, 22, 2, 1))
    assert not take_due(database, SUNDAYS, utc(2026, 11, 22, 2, 1))
    assert not take_due(database, SUNDAYS, utc(2026, 11, 28))
    assert take_due(database, SUNDAYS, utc(2027, 1, 1))  # five Sundays later
    assert not take_due(database, SUNDAYS, utc(2027, 1, 2))
    hourly = Schedule("monitor", "0 * * * *", "UTC")
    assert not take_due(database, hourly, utc(2027, 1, 2))  # another name counts for itself


def test_many_processes_take_it_once(database: Database) -> None:
    take_due(database, SUNDAYS, utc(2026, 11, 18))
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: take_due(database, SUNDAYS, utc(2026, 11, 23)), range(8)))
    assert taken.count(True) == 1
