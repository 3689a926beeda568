from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer

from rayon.errors import ModelError
from rayon.learning.tfidf import Tfidf


def counts_of(n: int, d: int, seed: int) -> sparse.csr_matrix:
    rng = np.random.default_rng(seed)
    return sparse.csr_matrix(rng.poisson(0.7, (n, d)).astype(np.float32))


def fitted(counts: sparse.csr_matrix, chosen: NDArray[np.bool_] | None = None) -> Tfidf:
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    return Tfidf.fit(frequency, counts.shape[0], frequency > 0 if chosen is None else chosen)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10_000))
def test_vectors_are_those_of_scikit_learn(n: int, d: int, seed: int) -> None:
    counts = counts_of(n, d, seed)
    tfidf = fitted(counts)
    expected = TfidfTransformer(sublinear_tf=True).fit_transform(counts).toarray()
    assert np.allclose(tfidf.transform(counts).toarray(), expected[:, tfidf.columns], atol=1e-6)


def test_only_chosen_columns_count_most_frequent_first() -> None:
    counts = counts_of(40, 9, 0)
    chosen = np.arange(9) % 2 == 0
    tfidf = fitted(counts, chosen)
    assert sorted(tfidf.columns) == [0, 2, 4, 6, 8]
    assert np.all(np.diff(tfidf.idf) >= 0)
    assert len(tfidf) == 5
    norms = sparse.linalg.norm(tfidf.transform(counts), axis=1)
    assert np.allclose(norms[norms > 0], 1)


def test_rows_without_a_chosen_column_stay_empty() -> None:
    counts = sparse.csr_matrix(np.array([[0, 3], [2, 0], [0, 0], [1, 1]], np.float32))
    vectors = fitted(counts, np.array([True, False])).transform(counts)
    assert np.array_equal(vectors.toarray(), np.array([[0], [1], [0], [1]], np.float32))


def test_nothing_chosen_gives_no_columns() -> None:
    counts = counts_of(5, 3, 0)
    assert fitted(counts, np.zeros(3, bool)).transform(counts).shape == (5, 0)


def test_another_number_of_columns_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^The text head takes 3 columns and got 4\. "):
        fitted(counts_of(5, 3, 0)).transform(counts_of(5, 4, 0))


@pytest.mark.parametrize(
    ("columns", "idf", "message"),
    [
        ([0, 1], [1.0], "The columns and weights of the text head differ in number"),
        ([0, 3], [1.0, 1.0], "The text head names columns that do not exist"),
        ([-1, 1], [1.0, 1.0], "The text head names columns that do not exist"),
    ],
)
def test_arrays_that_cannot_be_are_refused(columns: list[int], idf: list[float], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        Tfidf(np.array(columns, np.int32), np.array(idf, np.float32), 3)
    assert caught.value.message == message
