from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rayon.encoders.views import look

RED = (200, 30, 30)


def framed(top: int, bottom: int, left: int, right: int, side: int = 64) -> np.ndarray:
    picture = np.full((1, side, side, 3), 255, np.uint8)
    picture[0, top:bottom, left:right] = RED
    return picture


def test_the_whole_picture_of_the_right_size_is_left_alone():
    picture = framed(10, 20, 10, 20)
    assert look(picture, 64, "whole") is picture


def test_scaling_keeps_means():
    batch = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    half = look(batch, 32, "whole")
    assert half.shape == (2, 32, 32, 3)
    np.testing.assert_allclose(half.mean(axis=(1, 2)), batch.mean(axis=(1, 2)), atol=1.0)


def test_a_trimmed_square_fills_the_frame():
    assert (look(framed(20, 44, 5, 29), 48, "trimmed") == np.array(RED)).all()


def test_a_trimmed_oblong_keeps_its_aspect_in_the_middle():
    seen = look(framed(10, 20, 10, 50), 64, "trimmed")[0]
    assert (seen[32, [1, 32, 62]] == np.array(RED)).all()
    assert (seen[[4, 60]] == 255).all()
    np.testing.assert_array_equal(seen, seen[::-1])


def test_where_the_object_stands_does_not_matter():
    a, b = framed(0, 30, 0, 20), framed(30, 60, 40, 60)
    np.testing.assert_array_equal(look(a, 64, "trimmed"), look(b, 64, "trimmed"))


@pytest.mark.parametrize("box", [(10, 10, 10, 10), (10, 12, 10, 60), (10, 60, 10, 17)])
def test_white_pictures_and_specks_are_not_cut(box):
    picture = framed(*box)
    np.testing.assert_array_equal(look(picture, 64, "trimmed"), look(picture, 64, "whole"))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 70), st.integers(8, 70))
def test_trimming_twice_changes_nothing_more(seed, side, size):
    batch = np.random.default_rng(seed).integers(0, 200, (2, side, side, 3), dtype=np.uint8)
    once = look(batch, size, "trimmed")
    assert once.shape == (2, size, size, 3)
    np.testing.assert_array_equal(look(once, size, "trimmed"), once)
