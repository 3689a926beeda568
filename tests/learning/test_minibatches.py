from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from rayon.learning.minibatches import AdaGrad, RowAdaGrad, Schedule, softmax


@given(st.integers(1, 30), st.integers(1, 9), st.integers(1, 4), st.integers(0, 1000))
def test_every_epoch_shows_every_row_once(n: int, size: int, epochs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = sparse.csr_matrix(rng.poisson(0.5, (n, 7)).astype(np.float32))
    y = np.arange(n)
    weight = rng.random(n, dtype=np.float32)
    shares = []
    seen: list[int] = []
    for batch, share in Schedule(vectors, y, weight, batch_size=size, epochs=epochs, rng=rng):
        assert len(batch.y) <= size
        whole = np.zeros((len(batch.y), 7), np.float32)
        whole[:, batch.columns] = batch.vectors.toarray()
        assert np.array_equal(whole, vectors[batch.y].toarray())
        assert np.array_equal(batch.transposed().toarray(), batch.vectors.toarray().T)
        assert np.array_equal(batch.weight, weight[batch.y])
        shares.append(share)
        seen += batch.y.tolist()
    assert sorted(seen) == sorted(list(range(n)) * epochs)
    assert shares[0] == 1
    assert np.all(np.diff(shares) < 0)
    assert shares[-1] > 0


def test_row_steps_leave_other_rows_and_shrink() -> None:
    values = np.ones((4, 2), np.float32)
    learner = RowAdaGrad(values, rate=0.1)
    rows = np.array([1, 3])
    gradient = np.array([[1, 1], [2, -2]], np.float32)
    learner.step(rows, values[rows], gradient.copy(), np.float32(1))
    assert np.allclose(values, [[1, 1], [0.9, 0.9], [1, 1], [0.9, 1.1]], atol=1e-5)
    learner.step(rows, values[rows], gradient.copy(), np.float32(1))
    assert np.allclose(values[1], 0.9 - 0.1 / np.sqrt(2), atol=1e-5)


def test_decay_pulls_rows_to_zero() -> None:
    values = np.ones((1, 2), np.float32)
    learner = RowAdaGrad(values, rate=0.1, decay=0.25)
    learner.step(np.array([0]), values[[0]], np.zeros((1, 2), np.float32), np.float32(1))
    assert np.allclose(values, 0.75)


def test_adagrad_finds_the_bottom_of_a_bowl() -> None:
    values = np.array([3.0, -40.0], np.float32)
    learner = AdaGrad(values, rate=4)
    for _ in range(300):
        learner.step(2 * (values - np.array([1, 2], np.float32)), np.float32(1))
    assert np.allclose(values, [1, 2], atol=1e-2)


def test_softmax_survives_large_scores() -> None:
    proba = softmax(np.array([[1e4, 0, -1e4], [1, 1, 1]], np.float32))
    assert np.allclose(proba, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
