"""A promise that is seen to be broken, and what happens to the model then."""

from __future__ import annotations

from typing import Literal

from rayon.learning.promise import PromiseCheck, promise_check
from rayon.operations.attention import MonitoringThresholds
from rayon.operations.brake import brake_at_least
from rayon.operations.monitoring import MonitoringReport
from rayon.operations.registry import Registry
from rayon.store.audit import last_time
from rayon.store.brakes import Brake, BrakeKind
from rayon.store.database import Database
from rayon.store.windows import audited_accepted


def hold_to_promise(
    report: MonitoringReport,
    database: Database,
    registry: Registry,
    kind: BrakeKind | Literal["nothing"],
    actor: str,
) -> Brake | None:
    """Brake a model whose promise is broken, and give the brake where it is new.

    It takes a look at the usual window: whoever chooses one could have any single error brake a model. What a
    person has released is braked again only for what was answered since.

    Parameters
    ----------
    report
        What monitoring found.
    database, registry
        Where brakes and models are kept.
    kind
        What the brake does, if anything.
    actor
        Who looked.
    """
    promise = report.promise
    asked = MonitoringThresholds()
    usual = report.window.until - report.window.since >= asked.window
    if kind == "nothing" or promise is None or not usual or not _beyond_doubt(promise, asked):
        return None
    with database.read() as connection:
        released = last_time(connection, "brake.release", report.model)
        if released is not None and released > report.window.since:
            right, n = audited_accepted(connection, report.version, released)
            if not _beyond_doubt(promise_check(right, n, promise.promise, asked.promise), asked):
                return None
    (reason,) = (one.message for one in report.attention if one.kind == "promise")
    return brake_at_least(database, registry, report.model, kind, actor, reason)


def _beyond_doubt(promise: PromiseCheck, asked: MonitoringThresholds) -> bool:
    return promise.verdict == "broken" and promise.n >= asked.brake_listings
