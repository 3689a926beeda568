"""Whether a model should be retrained now."""

from __future__ import annotations

from dataclasses import dataclass

from rayon.operations.monitoring import MonitoringReport
from rayon.store.database import Database
from rayon.store.retrainings import list_retrainings
from rayon.store.windows import validated_since


@dataclass(frozen=True, slots=True)
class Need:
    """Whether to retrain, and why.

    Parameters
    ----------
    needed
        Whether.
    reason
        Why, or why not.
    """

    needed: bool
    reason: str


def need_of_retraining(database: Database, report: MonitoringReport) -> Need:
    """Judge by what monitoring found, and by what people have validated since the last retraining.

    Parameters
    ----------
    database
        Where predictions and retrainings are.
    report
        What monitoring found.
    """
    if not report.attention:
        return Need(False, "nothing needs attention")
    with database.read() as connection:
        done = [one for one in list_retrainings(connection) if one.state in ("promoted", "kept")]
        last = done[0] if done else None
        fresh = validated_since(connection, None if last is None else last.started_at)
    if not fresh:
        return Need(False, "nothing has been validated since the last retraining")
    return Need(True, "; ".join(one.message for one in report.attention))
