"""Verdicts of the gate on the golden set; only ever added to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, text

from rayon.learning.spending import Question
from rayon.store.tables import verdicts


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """What the gate found, and what it cost.

    Parameters
    ----------
    id
        Counts up.
    at, actor
        When, and who asked.
    serving
        The champion at that time; ``None`` where there was none.
    champion, challenger
        Who was compared with whom.
    golden_listings
        How many golden listings there were.
    question
        SHA-256 of who was compared with whom on which listings: the same for the very same question.
    turn
        Its place in its spell, from 1; 0 where the models could not be compared.
    alpha
        The level at which it was judged.
    passed, forced
        Whether the challenger may take the place, and whether it was to be promoted although it may not.
    verdict
        All figures, JSON-ready.
    """

    id: int
    at: datetime
    actor: str
    serving: str | None
    champion: str
    challenger: str
    golden_listings: int
    question: str
    turn: int
    alpha: float
    passed: bool
    forced: bool
    verdict: dict[str, Any]


def asked_under(connection: Connection, serving: Sequence[str]) -> list[Question]:
    """What was asked while one of these was the champion, or while there was none; the oldest first."""
    query = (
        select(verdicts.c.question, verdicts.c.golden_listings, verdicts.c.turn)
        .where(verdicts.c.serving.in_(serving) if serving else verdicts.c.serving.is_(None))
        .order_by(verdicts.c.id)
    )
    return [Question(*row) for row in connection.execute(query)]


def hold_verdicts(connection: Connection) -> None:
    """Let no other transaction add one before this one has ended."""
    if connection.dialect.name == "postgresql":  # SQLite lets in one writer at a time anyway
        connection.execute(text("LOCK TABLE verdicts IN SHARE ROW EXCLUSIVE MODE"))


def add_verdict(
    connection: Connection,
    at: datetime,
    actor: str,
    pair: tuple[str, str],
    serving: str | None,
    golden_listings: int,
    verdict: Mapping[str, Any],
    *,
    question: str = "",
    turn: int = 0,
    alpha: float = 0.0,
    forced: bool = False,
) -> None:
    """Keep a verdict on a pair of champion and challenger, see `StoredVerdict`."""
    connection.execute(
        insert(verdicts).values(
            at=at,
            actor=actor,
            serving=serving,
            champion=pair[0],
            challenger=pair[1],
            golden_listings=golden_listings,
            question=question,
            turn=turn,
            alpha=alpha,
            passed=bool(verdict["passed"]),
            forced=forced,
            verdict=dict(verdict),
        )
    )


def find_verdict(connection: Connection, id: int) -> StoredVerdict | None:
    """Find one by its id."""
    row = connection.execute(select(verdicts).where(verdicts.c.id == id)).first()
    return StoredVerdict(*row) if row else None


def list_verdicts(connection: Connection, limit: int = 100, about: Sequence[str] = ()) -> list[StoredVerdict]:
    """The last ones, newest first; only those about all of some models where these are named."""
    query = select(verdicts).order_by(verdicts.c.id.desc()).limit(limit)
    for name in about:
        query = query.where(or_(verdicts.c.champion == name, verdicts.c.challenger == name))
    return [StoredVerdict(*row) for row in connection.execute(query)]
