"""How the gate's error is spent over the life of a golden set.

Whoever may ask again and again is let through at last by chance alone. So the k-th question of a spell is
judged at a level of its own, and the levels add up to what is allowed in all, however many questions are
asked: "alpha-spending", an online Bonferroni correction (Tian & Ramdas, "Online control of the familywise
error rate", Statistical Methods in Medical Research, 2021), here with the series of 1 / k². That needs no
independence, which questions to the same listings do not have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

GROWTH = 1.5
"""A spell ends once there are so many times as many golden listings as at its begin."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked of the golden set.

    Parameters
    ----------
    key
        The same for the very same question: who was compared with whom, on which listings.
    listings
        How many golden listings there were.
    turn
        Its place in its spell, from 1; 0 where it could not be asked at all.
    """

    key: str
    listings: int
    turn: int


def level_of(turn: int, total: float = 0.05) -> float:
    """Level at which the question of this turn is judged: ``total * 6 / (pi * turn)²``.

    Parameters
    ----------
    turn
        From 1.
    total
        What the levels of all turns add up to.
    """
    return total * 6 / (math.pi * turn) ** 2


def turn_of(key: str, listings: int, asked: Iterable[Question]) -> int:
    """Find the place of a question in its spell, from 1.

    A spell lasts as long as the same model is the champion, and the golden set has not grown by half. The
    very same question has the same answer, so it keeps its turn, and spends nothing.

    Parameters
    ----------
    key, listings
        Of the question.
    asked
        What was asked under the same champion, the oldest first.
    """
    began = 0
    turns: dict[str, int] = {}
    for one in asked:
        if not one.turn:
            continue
        if not began or one.listings >= GROWTH * began:
            began, turns = one.listings, {}
        turns.setdefault(one.key, one.turn)
    if not began or listings >= GROWTH * began:
        return 1
    return turns.get(key) or max(turns.values()) + 1
