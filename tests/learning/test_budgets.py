"""What a challenger may cost, and that it answers in the champion's form."""

from __future__ import annotations

import pytest

from rayon.learning.budgets import check_form, check_latency, check_size
from rayon.learning.gate import GateThresholds


@pytest.mark.parametrize(
    ("champion", "challenger", "passed"),
    [(0.010, 0.010, True), (0.010, 0.0199, True), (0.010, 0.0201, False), (0.0001, 0.005, True)],
)
def test_the_budget_of_time(champion: float, challenger: float, passed: bool) -> None:
    assert check_latency(champion, challenger, 24).passed is passed


def test_the_words_for_time() -> None:
    check = check_latency(0.010, 0.030, 24)
    assert check.reason == ("A listing takes 30.0 ms, beyond the 20.0 ms that the champion's 10.0 ms allow")
    assert check.figures == {"champion": 0.01, "challenger": 0.03, "most": 0.02, "listings": 24}
    assert check_latency(0.010, 0.030, 24, GateThresholds(time_ratio=3)).passed


@pytest.mark.parametrize(
    ("champion", "challenger", "passed"),
    [(5_000_000, 30_000_000, True), (5_000_000, 30_000_001, False), (10**9, 2 * 10**9, True)],
)
def test_the_budget_of_room(champion: int, challenger: int, passed: bool) -> None:
    check = check_size(champion, challenger)
    assert check.passed is passed
    if champion == 5_000_000:
        word = "within" if passed else "beyond"
        assert check.reason == (
            f"The model takes 30.0 MB, {word} the 30.0 MB that the champion's 5.0 MB allow"
        )


def test_the_form_of_the_answers() -> None:
    champion = [{"answered": True, "modalities": ["text"]}, {"answered": False, "modalities": []}]
    assert check_form(champion, champion).passed
    assert check_form(champion, champion).reason == (
        "The 2 answers to the smoke set have the champion's form"
    )
    check = check_form(champion, [champion[0], {"answered": True, "modalities": ["image"]}])
    assert not check.passed
    assert check.reason == (
        "The answers to the smoke set have another form: answered of listing 2 was False and is True; "
        "modalities of listing 2 was [] and is ['image']"
    )
    assert check.figures["differences"][0] == {
        "listing": 2,
        "what": "answered",
        "champion": False,
        "challenger": True,
    }
