"""The levels of a spell add up to what is allowed, and nobody gets a second try for nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayon.learning.spending import GROWTH, Question, level_of, turn_of


def test_the_levels_by_hand() -> None:
    assert [level_of(turn) for turn in (1, 2, 3)] == pytest.approx([0.030396, 0.0075991, 0.0033774], rel=1e-4)
    assert level_of(2, total=0.1) == pytest.approx(2 * level_of(2))
    spent = [level_of(turn) for turn in range(1, 100_000)]
    assert sum(spent) < 0.05
    assert sum(spent) == pytest.approx(0.05, abs=1e-6)


def ask(asked: list[Question], key: str, listings: int) -> int:
    turn = turn_of(key, listings, asked)
    asked.append(Question(key, listings, turn))
    return turn


def test_every_new_question_has_a_later_turn_and_the_same_one_its_own() -> None:
    asked: list[Question] = []
    assert [ask(asked, key, 1000) for key in "abcbacd"] == [1, 2, 3, 2, 1, 3, 4]
    # A few more golden listings make another question, and the same spell.
    assert [ask(asked, key, 1499) for key in "ABA"] == [5, 6, 5]


def test_a_spell_ends_when_the_golden_set_has_grown_by_half() -> None:
    asked: list[Question] = []
    assert [ask(asked, key, 1000) for key in "ab"] == [1, 2]
    assert [ask(asked, key, 1500) for key in "cdc"] == [1, 2, 1]
    assert [ask(asked, key, 2200) for key in "ef"] == [3, 4]
    assert [ask(asked, key, 900) for key in "g"] == [5]  # erasing listings buys nothing
    assert [ask(asked, key, 2250) for key in "hi"] == [1, 2]


def test_what_could_not_be_asked_costs_nothing() -> None:
    assert turn_of("a", 1000, [Question("", 1000, 0)]) == 1
    assert turn_of("a", 1000, [Question("b", 1000, 1), Question("", 10, 0)]) == 2


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 400))))
def test_no_more_is_spent_in_a_spell_than_is_allowed(questions: list[tuple[int, int]]) -> None:
    asked: list[Question] = []
    spells: list[dict[str, int]] = []
    began = 0
    for number, listings in questions:
        key = f"{number} on {listings}"
        turn = ask(asked, key, listings)
        if not began or listings >= GROWTH * began:
            began = listings
            spells.append({})
        assert spells[-1].setdefault(key, turn) == turn
    for spell in spells:
        assert sorted(spell.values()) == list(range(1, len(spell) + 1))
        assert sum(level_of(turn) for turn in spell.values()) < 0.05
