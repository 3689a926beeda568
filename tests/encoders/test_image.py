from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rayon.encoders.base import ImageEncoder
from rayon.encoders.image import SIZE, BuiltinImageEncoder
from rayon.encoders.image_encoders import create_image_encoder, image_encoder_from_spec
from rayon.errors import ModelError


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)


def blank(colour=(255, 255, 255)) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), colour, np.uint8)


def box(colour=(200, 30, 30), width: int = 64, height: int = 64) -> np.ndarray:
    picture = blank()
    top, left = (SIZE - height) // 2, (SIZE - width) // 2
    picture[top : top + height, left : left + width] = colour
    return picture


def stripes(across: bool, period: int = 8) -> np.ndarray:
    picture = blank()
    on = np.arange(SIZE) // (period // 2) % 2 == 0
    if across:
        picture[on] = 0
    else:
        picture[:, on] = 0
    return picture


def distance(a: np.ndarray, b: np.ndarray) -> float:
    first, second = BuiltinImageEncoder().encode(np.stack([a, b]))
    return float(np.linalg.norm(first - second))


def test_is_an_image_encoder():
    encoder = create_image_encoder("builtin")
    assert isinstance(encoder, ImageEncoder)
    assert (encoder.name, encoder.input_size) == ("builtin", SIZE)
    vectors = encoder.encode(noise(3))
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, BuiltinImageEncoder().dimension)
    assert encoder.encode(noise(0)).shape == (0, vectors.shape[1])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 37))
def test_a_vector_does_not_depend_on_its_batch(seed, n):
    encoder = BuiltinImageEncoder()
    batch = noise(n, seed)
    np.testing.assert_array_equal(encoder.encode(batch)[-1:], encoder.encode(batch[-1:]))


@settings(max_examples=25, deadline=None)
@given(st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)), st.integers(1, SIZE))
def test_vectors_are_finite_and_bounded(colour, side):
    pictures = np.stack([blank(colour), box(colour, side, side), noise(1, side)[0]])
    vectors = BuiltinImageEncoder().encode(pictures)
    assert np.isfinite(vectors).all()
    assert np.abs(vectors).max() <= 1.0 + 1e-5
    assert (np.linalg.norm(vectors, axis=1) < 4).all()


def test_the_same_bits_in_another_process():
    program = (
        "import hashlib, numpy as np; from rayon.encoders.image import SIZE, BuiltinImageEncoder;"
        "p = np.random.default_rng(5).integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8);"
        "print(hashlib.sha256(BuiltinImageEncoder().encode(p).tobytes()).hexdigest())"
    )
    outs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(outs) == 1


def test_colour_shape_and_texture_each_matter():
    same = distance(box(), box((202, 32, 28)))
    assert distance(box(), box((30, 30, 200))) > same + 0.5
    assert distance(box(), box(width=120, height=20)) > same + 0.5
    assert distance(stripes(True), stripes(False)) > same + 0.5
    assert (
        distance(blank((128, 128, 128)), np.where(noise(1)[0] > 127, 160, 96).astype(np.uint8)) > same + 0.5
    )


def test_a_blank_picture_has_no_gradients_or_outline():
    encoder = BuiltinImageEncoder()
    white, black = encoder.encode(np.stack([blank(), blank((0, 0, 0))]))
    assert np.linalg.norm(white - black) > 0.5
    assert (white == encoder.encode(blank()[None])[0]).all()


@pytest.mark.parametrize("shape", [(2, 64, 64, 3), (SIZE, SIZE, 3), (1, SIZE, SIZE, 1)])
def test_pictures_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"pictures must be \[n, 128, 128, 3\], not"):
        BuiltinImageEncoder().encode(np.zeros(shape, np.uint8))


def test_made_again_from_its_spec():
    spec = BuiltinImageEncoder().spec()
    assert isinstance(image_encoder_from_spec(spec), BuiltinImageEncoder)
    with pytest.raises(ModelError) as caught:
        image_encoder_from_spec({**spec, "version": 0})
    assert caught.value.message == "The builtin image encoder of the model is of another version"
