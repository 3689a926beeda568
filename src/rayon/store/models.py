"""Model versions, and which of them is the champion: the truth for serving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from rayon.store.tables import model_versions, pointers, promotions

PromotionKind = Literal["promote", "rollback"]
_CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A model folder that is registered; it never changes.

    Parameters
    ----------
    name
        The first 12 digits of the version: what people call it, and the name of its folder.
    version
        SHA-256 over the checksums of all its files.
    created_at, registered_at
        When it was trained, and when it came here.
    registered_by
        The name of a user, or ``command line``.
    source
        Where it came from: ``"import"``, ``"retrain"`` or ``"recalibrate"``.
    parent
        The champion that it was trained to replace; ``None`` where there was none.
    size_bytes
        Of all its files.
    figures
        What its ``model.json`` says of its quality, promise and data.
    """

    name: str
    version: str
    created_at: datetime
    registered_at: datetime
    registered_by: str
    source: str
    parent: str | None
    size_bytes: int
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Promotion:
    """One change of the champion; only ever added to.

    Parameters
    ----------
    id
        Counts up.
    at, actor, reason
        When, by whom, and why.
    kind
        ``"promote"`` or ``"rollback"``.
    model, previous
        The champion from then on, and the one before; ``None`` for the first.
    verdict
        What the gate found; ``None`` where it was not asked.
    """

    id: int
    at: datetime
    actor: str
    kind: PromotionKind
    model: str
    previous: str | None
    reason: str
    verdict: dict[str, Any] | None


def add_version(connection: Connection, version: ModelVersion) -> None:
    """Register a version; the database refuses one that is there already (`IntegrityError`)."""
    connection.execute(
        insert(model_versions).values({name: getattr(version, name) for name in ModelVersion.__slots__})
    )


def find_version(connection: Connection, name: str) -> ModelVersion | None:
    """Find a version by its name."""
    row = connection.execute(select(model_versions).where(model_versions.c.name == name)).first()
    return ModelVersion(*row) if row else None


def list_versions(connection: Connection) -> list[ModelVersion]:
    """All versions, the last registered first."""
    query = select(model_versions).order_by(model_versions.c.registered_at.desc(), model_versions.c.name)
    return [ModelVersion(*row) for row in connection.execute(query)]


def champion(connection: Connection) -> str | None:
    """The name of the version that serves."""
    query = select(pointers.c.model).where(pointers.c.name == _CHAMPION)
    return connection.execute(query).scalar_one_or_none()


def move_champion(
    connection: Connection,
    name: str,
    previous: str | None,
    kind: PromotionKind,
    actor: str,
    reason: str,
    now: datetime,
    verdict: Mapping[str, Any] | None = None,
) -> bool:
    """Make a version the champion, if ``previous`` still is; whether it was done."""
    if previous is None:
        if champion(connection) is not None:
            return False
        connection.execute(insert(pointers).values(name=_CHAMPION, model=name))
    else:
        found = connection.execute(
            update(pointers)
            .where(pointers.c.name == _CHAMPION, pointers.c.model == previous)
            .values(model=name)
        )
        if found.rowcount != 1:
            return False
    connection.execute(
        insert(promotions).values(
            at=now,
            actor=actor,
            kind=kind,
            model=name,
            previous=previous,
            reason=reason,
            verdict=dict(verdict) if verdict is not None else None,
        )
    )
    return True


def list_promotions(connection: Connection, limit: int = 100) -> list[Promotion]:
    """Changes of the champion, newest first."""
    query = select(promotions).order_by(promotions.c.id.desc()).limit(limit)
    return [Promotion(*row) for row in connection.execute(query)]
