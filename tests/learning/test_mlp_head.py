from __future__ import annotations

import io

import numpy as np
import pytest

from rayon.errors import ModelError, NotFittedError, TrainingError
from rayon.learning.dense_head import DenseHead
from rayon.learning.finetuning.head import LinearHead
from rayon.learning.heads import Head
from rayon.learning.mlp_head import MlpHead


def rings(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three rings around each other, which no plane tells apart."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    angle = rng.uniform(0, 2 * np.pi, n)
    radius = y + 1 + 0.1 * rng.standard_normal(n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(np.float32), y


def stored(head: Head) -> dict[str, np.ndarray]:
    buffer = io.BytesIO()
    np.savez(buffer, **head.to_arrays())
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_a_hidden_layer_learns_what_no_plane_can() -> None:
    X, y = rings()
    fresh, truth = rings(seed=1)
    head = MlpHead(units=64, epochs=60).fit(X, y, 3)
    assert isinstance(head, Head)
    proba = head.predict_proba(fresh)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    assert np.mean(proba.argmax(axis=1) == truth) > 0.9
    assert np.mean(DenseHead().fit(X, y, 3).predict_proba(fresh).argmax(axis=1) == truth) < 0.6


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    X, y = rings(200)
    one, same = (MlpHead(units=8, epochs=2, random_state=3).fit(X, y, 3).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert (MlpHead(units=8, epochs=2, random_state=4).fit(X, y, 3).predict_proba(X) != one).any()


def test_listings_without_weight_teach_nothing() -> None:
    X, y = rings(400)
    wrong = np.arange(400) % 2 == 0
    noisy = np.where(wrong, (y + 1) % 3, y)
    fresh, truth = rings(seed=1)
    head = MlpHead(units=64, epochs=80).fit(X, noisy, 3, sample_weight=(~wrong).astype(float))
    assert np.mean(head.predict_proba(fresh).argmax(axis=1) == truth) > 0.85


@pytest.mark.parametrize("kind", [MlpHead, LinearHead])
def test_a_stored_head_answers_the_same(kind: type) -> None:
    X, y = rings(100)
    rng = np.random.default_rng(0)
    head = (
        MlpHead(units=8, epochs=1).fit(X, y, 3)
        if kind is MlpHead
        else LinearHead(rng.standard_normal((2, 3)).astype(np.float32), np.zeros(3, np.float32))
    )
    again = kind.from_arrays(stored(head))
    np.testing.assert_array_equal(again.predict_proba(X), head.predict_proba(X))
    assert again.params() == head.params()
    with pytest.raises(ModelError, match=r"takes vectors \[n, 2\], not \[100, 1\]"):
        again.predict_proba(X[:, :1])
    arrays = stored(head)
    shortened = {name: values[:1] if values.ndim else values for name, values in arrays.items()}
    if kind is LinearHead:
        shortened["bias"] = arrays["bias"][:2]
    with pytest.raises(ModelError, match="do not fit each other"):
        kind.from_arrays(shortened)
    with pytest.raises(ModelError, match="cannot be read"):
        kind.from_arrays({})


def test_what_cannot_be_learned_is_refused() -> None:
    X, y = rings(20)
    with pytest.raises(NotFittedError):
        MlpHead().predict_proba(X)
    with pytest.raises(NotFittedError):
        MlpHead().to_arrays()
    with pytest.raises(TrainingError, match="fewer than two classes"):
        MlpHead().fit(X, np.zeros(20, int), 3)
    with pytest.raises(TrainingError, match="is not learned on its own"):
        LinearHead(np.zeros((2, 3), np.float32), np.zeros(3, np.float32)).fit(X, y, 3)
