from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayon.errors import TrainingError
from rayon.learning.finetuning.batches import draw_weights, epoch_batches, rarity
from rayon.learning.finetuning.schedule import rate_share
from rayon.learning.finetuning.settings import NetworkTraining


def test_options_are_read_from_words() -> None:
    given = {"epochs": "3", "learning_rate": "2e-5", "augment": "false", "balance": "loss"}
    options = NetworkTraining.from_words(given)
    assert (options.epochs, options.learning_rate, options.augment) == (3, 2e-5, False)
    assert options.balance == "loss"
    assert NetworkTraining(**options.to_dict()) == options


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ({"epoch": "3"}, "There is no training option 'epoch'", "Known are epochs, batch_size, accumulate"),
        ({"epochs": "many"}, "The training option epochs is 'many', not a number", ""),
        ({"epochs": "0"}, "The training option epochs is 0", "Give a value from 1 to 1000"),
        (
            {"label_smoothing": "1"},
            "The training option label_smoothing is 1.0",
            "Give a value from 0.0 to 0.9",
        ),
        ({"augment": "yes"}, "The training option augment is 'yes'", "Write true or false"),
        ({"precision": "int4"}, "The training option precision is 'int4'", "It is one of: fp32, int8"),
        (
            {"learning_rate": "nan"},
            "The training option learning_rate is nan",
            "Give a value from 1e-08 to 1.0",
        ),
    ],
)
def test_wrong_options_are_named(words: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(TrainingError) as caught:
        NetworkTraining.from_words(words)
    assert caught.value.message == message
    assert caught.value.hint.startswith(hint)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=700),
    size=st.integers(1, 9),
    epoch=st.integers(0, 5),
)
def test_every_listing_is_in_one_batch_of_an_epoch(lengths: list[int], size: int, epoch: int) -> None:
    batches = epoch_batches(np.array(lengths), size, seed=3, epoch=epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert max(map(len, batches)) <= size
    assert len(batches) == -(-len(lengths) // size)
    again = epoch_batches(np.array(lengths), size, seed=3, epoch=epoch)
    assert all((one == other).all() for one, other in zip(batches, again, strict=True))


def test_batches_hold_listings_of_about_one_length_and_change_from_epoch_to_epoch() -> None:
    lengths = np.random.default_rng(0).integers(5, 100, 2000)
    batches = epoch_batches(lengths, 16, seed=0, epoch=0)
    spread = np.mean([np.ptp(lengths[rows]) for rows in batches])
    assert spread < 5 < np.ptp(lengths)
    others = epoch_batches(lengths, 16, seed=0, epoch=1)
    assert any(
        (one != other).any() for one, other in zip(batches, others, strict=True) if len(one) == len(other)
    )


def test_rare_codes_weigh_more_by_the_root_of_their_rarity() -> None:
    y = np.array([0] * 16 + [1] * 4)
    weight = rarity(y, 3)
    assert weight.mean() == pytest.approx(1)
    assert weight[-1] / weight[0] == pytest.approx(2)
    drawn = np.concatenate(
        [
            rows
            for epoch in range(200)
            for rows in epoch_batches(
                np.ones(20), 4, seed=0, epoch=epoch, weights=draw_weights("sampling", y, 3)
            )
        ]
    )
    assert np.mean(y[drawn]) == pytest.approx(1 / 3, abs=0.03)
    assert draw_weights("loss", y, 3) is None


def test_the_rate_rises_then_falls_to_nothing() -> None:
    shares = [rate_share(step, 100, 0.1) for step in range(100)]
    assert shares[0] == pytest.approx(1 / 11)
    assert max(shares) == shares[10] == 1
    assert all(one > other for one, other in pairwise(shares[10:]))
    assert shares[-1] < 0.001
    assert rate_share(0, 1, 0.0) == 1
