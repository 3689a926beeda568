"""Brakes: models that accept less, or nothing, because their promise was seen to be broken."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, delete, insert, select, update

from rayon.store.tables import brakes

BrakeKind = Literal["tighten", "review"]


@dataclass(frozen=True, slots=True)
class Brake:
    """What keeps one model version from accepting.

    Parameters
    ----------
    model
        The name of the version.
    at, actor, reason
        When it was set, by whom, and why.
    kind
        ``"tighten"``: listings are accepted from a stricter threshold; ``"review"``: none is.
    threshold
        The stricter one; ``None`` with ``"review"``.
    """

    model: str
    at: datetime
    actor: str
    kind: BrakeKind
    reason: str
    threshold: float | None


_COLUMNS = tuple(brakes.c[name] for name in Brake.__slots__)


def put_brake(connection: Connection, brake: Brake) -> bool:
    """Set a brake, in the place of the one that is on the model; always true.

    The database may refuse it where another is set at the same moment (`IntegrityError`).
    """
    values = asdict(brake)
    there = connection.execute(update(brakes).where(brakes.c.model == brake.model).values(values))
    if there.rowcount == 0:
        connection.execute(insert(brakes).values(values))
    return True


def put_stricter_brake(connection: Connection, brake: Brake) -> bool:
    """Set a brake unless one at least as strict is on the model; whether it was done.

    The database may refuse it where another is set at the same moment (`IntegrityError`).
    """
    if find_brake(connection, brake.model) is None:
        connection.execute(insert(brakes).values(asdict(brake)))
        return True
    if brake.kind != "review":
        return False
    looser = update(brakes).where(brakes.c.model == brake.model, brakes.c.kind == "tighten")
    return connection.execute(looser.values(asdict(brake))).rowcount == 1


def find_brake(connection: Connection, model: str) -> Brake | None:
    """The brake on a model, by its name."""
    row = connection.execute(select(*_COLUMNS).where(brakes.c.model == model)).first()
    return Brake(*row) if row else None


def list_brakes(connection: Connection) -> list[Brake]:
    """All that are set."""
    return [Brake(*row) for row in connection.execute(select(*_COLUMNS).order_by(brakes.c.model))]


def remove_brake(connection: Connection, model: str) -> bool:
    """Take the brake off a model; whether there was one."""
    return connection.execute(delete(brakes).where(brakes.c.model == model)).rowcount == 1
