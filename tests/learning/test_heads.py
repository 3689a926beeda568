from __future__ import annotations

import numpy as np
import pytest

from rayon.errors import TrainingError
from rayon.learning.heads import Head, check_training
from rayon.learning.text_head import TextHead


def test_weights_are_ones_where_none_are_given() -> None:
    weight = check_training(3, np.array([0, 1, 0]), 2, None)
    assert weight.dtype == np.float32
    assert weight.tolist() == [1, 1, 1]


def test_given_weights_are_kept() -> None:
    assert check_training(3, np.array([0, 1, 4]), 5, np.array([0.5, 2, 0])).tolist() == [0.5, 2, 0]


def test_messages_say_what_to_do() -> None:
    with pytest.raises(TrainingError) as caught:
        check_training(2, np.array([0, 3]), 3, None)
    assert str(caught.value) == "A class index is outside 0 to 2. Check the taxonomy"
    with pytest.raises(TrainingError) as caught:
        check_training(2, np.array([0, 0]), 3, None)
    assert (
        str(caught.value) == "There are fewer than two classes to learn. Give listings of two codes at least"
    )
    with pytest.raises(TrainingError, match=r"\. Give 2 weights, or none$"):
        check_training(2, np.array([0, 1]), 3, np.array([np.inf, 1]))


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"^There are fewer than two classes to learn\. "):
        check_training(0, np.zeros(0, np.int64), 2, None)


def test_the_protocol_tells_heads_from_other_things() -> None:
    assert isinstance(TextHead(), Head)
    assert not isinstance(object(), Head)
