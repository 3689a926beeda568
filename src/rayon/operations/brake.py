"""The brake: a model whose promise is broken accepts less, or nothing, until somebody releases it.

It is on one model version. Another champion is not braked, and whoever goes back to the old one meets its
brake again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from rayon.errors import NotFoundError, RayonError
from rayon.learning.decision import Reason
from rayon.learning.model_files import ModelReader
from rayon.learning.prediction import Prediction
from rayon.learning.recalibration import tightened
from rayon.learning.storage import read_cross_fitted, read_policy
from rayon.operations.registry import Registry
from rayon.store import audit
from rayon.store import brakes as store
from rayon.store.brakes import Brake, BrakeKind, put_brake, put_stricter_brake
from rayon.store.database import Database, IntegrityError


def set_brake(
    database: Database, registry: Registry, name: str, kind: BrakeKind, actor: str, reason: str
) -> Brake:
    """Brake a model, whatever brake is on it; processes that serve follow within seconds.

    Where ``"tighten"`` is asked for and the model's own listings support no stricter threshold, everything
    goes to review.

    Parameters
    ----------
    database, registry
        Where brakes and models are kept.
    name
        Of the version, or the beginning of it.
    kind
        What it does, see `rayon.store.brakes.Brake`.
    actor, reason
        Who does it, and why.

    Returns
    -------
    Brake
        What is in force.

    Raises
    ------
    NotFoundError
        When there is no such version.
    ModelError
        When its folder cannot be read, which ``"review"`` does without.
    """
    made = _make(registry, name, kind, actor, reason)
    _put(database, made, kind, put_brake)
    return made


def brake_at_least(
    database: Database, registry: Registry, name: str, kind: BrakeKind, actor: str, reason: str
) -> Brake | None:
    """Brake a model unless a brake at least as strict is on it; ``None`` where nothing was to do.

    For what acts by itself: it never loosens what a person has set, and does nothing twice. Parameters and
    errors as in `set_brake`.
    """
    present = brake_of(database, registry.find(name).name)
    if present is not None and (present.kind == "review" or kind == "tighten"):
        return None  # what the threshold would be takes seconds to find
    made = _make(registry, name, kind, actor, reason)
    return made if _put(database, made, kind, put_stricter_brake) else None


def release_brake(database: Database, name: str, actor: str, reason: str) -> None:
    """Let a model accept again as it promises; processes that serve follow within seconds.

    Parameters
    ----------
    database
        Where brakes are kept.
    name
        Of the version, in full.
    actor, reason
        Who does it, and why.

    Raises
    ------
    NotFoundError
        When there is no brake on it.
    """
    _require(reason)
    with database.write() as connection:
        if not store.remove_brake(connection, name):
            raise NotFoundError(f"There is no brake on the model {name!r}", "There is nothing to release")
        audit.record(connection, actor, "brake.release", name, datetime.now(UTC), {"reason": reason.strip()})


def brake_of(database: Database, name: str) -> Brake | None:
    """The brake on a version, by its full name; ``None`` where there is none."""
    with database.read() as connection:
        return store.find_brake(connection, name)


def all_brakes(database: Database) -> dict[str, Brake]:
    """Name of a version to the brake on it."""
    with database.read() as connection:
        return {brake.model: brake for brake in store.list_brakes(connection)}


def braked(prediction: Prediction, brake: Brake) -> Prediction:
    """What is answered while a brake is on: what it holds back goes to review."""
    if not prediction.code:
        return prediction
    if prediction.decision == "review" or _passes(prediction.score, brake.threshold):
        return replace(prediction, threshold=brake.threshold)
    return replace(
        prediction, decision="review", reason=str(Reason.PROMISE_BROKEN), threshold=brake.threshold
    )


def _passes(score: float, threshold: float | None) -> bool:
    return threshold is not None and score >= threshold


def _stricter(registry: Registry, name: str) -> float | None:
    reader = ModelReader(registry.folder_of(name))
    learned = read_cross_fitted(reader)
    return tightened(read_policy(reader), learned.fused, learned.y)


def _make(registry: Registry, name: str, kind: BrakeKind, actor: str, reason: str) -> Brake:
    _require(reason)
    version = registry.find(name).name
    threshold = _stricter(registry, version) if kind == "tighten" else None
    effect: BrakeKind = "review" if threshold is None else "tighten"
    return Brake(version, datetime.now(UTC), actor, effect, reason.strip(), threshold)


def _put(
    database: Database, brake: Brake, asked: BrakeKind, put: Callable[[Connection, Brake], bool]
) -> bool:
    detail = {"kind": brake.kind, "asked": asked, "threshold": brake.threshold, "reason": brake.reason}

    def write() -> bool:
        with database.write() as connection:
            done = put(connection, brake)
            if done:
                audit.record(connection, brake.actor, "brake.set", brake.model, brake.at, detail)
            return done

    try:
        return write()
    except IntegrityError:  # somebody else set the first one at the same moment; this one comes after
        return write()


def _require(reason: str) -> None:
    if not reason.strip():
        raise RayonError("The reason is missing", "Say why, for whoever asks later")
