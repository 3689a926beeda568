"""Sparse counts to unit vectors: damped counts, weighed by how rare their column is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rayon.errors import ModelError


@dataclass(frozen=True)
class Tfidf:
    """Weights (1 + log count) · idf of chosen columns, at unit length (Salton and Buckley, 1988).

    Parameters
    ----------
    columns
        `int32[m]`, the chosen columns of the counts, most frequent first: so the weights that a model looks
        up most often lie side by side.
    idf
        `float32[m]`, ln((1 + n) / (1 + document frequency)) + 1.
    dimension
        Columns of the counts, d.
    """

    columns: NDArray[np.int32]
    idf: NDArray[np.float32]
    dimension: int

    def __post_init__(self) -> None:
        if self.columns.ndim != 1 or self.columns.shape != self.idf.shape:
            raise ModelError("The columns and weights of the text head differ in number", "Train it again")
        if len(self.columns) and not 0 <= self.columns.min() <= self.columns.max() < self.dimension:
            raise ModelError("The text head names columns that do not exist", "Train it again")

    @classmethod
    def fit(cls, frequency: NDArray[np.int64], n: int, chosen: NDArray[np.bool_]) -> Self:
        """Weigh the chosen columns.

        Parameters
        ----------
        frequency
            `int64[d]`, how many of the listings have each column.
        n
            Number of listings.
        chosen
            `bool[d]`.
        """
        columns = np.flatnonzero(chosen)
        columns = columns[np.argsort(-frequency[columns], kind="stable")]
        idf = np.log((1 + n) / (1 + frequency[columns])) + 1
        return cls(columns.astype(np.int32), idf.astype(np.float32), len(frequency))

    def __len__(self) -> int:
        return len(self.columns)

    def transform(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """Unit vectors `float32[n, m]` of counts `[n, d]`; a row without a chosen column stays zero.

        Raises
        ------
        ModelError
            When the counts have another number of columns.
        """
        if counts.shape[1] != self.dimension:
            raise ModelError(
                f"The text head takes {self.dimension} columns and got {counts.shape[1]}",
                "Use the encoder that the head was fitted with",
            )
        columns = self._lookup[counts.indices]
        known = columns >= 0
        columns = columns[known]
        values = np.log(counts.data[known])
        values += 1
        values *= self.idf[columns]
        before = np.zeros(len(known) + 1, np.int64)
        np.cumsum(known, out=before[1:])
        ends = before[counts.indptr]
        lengths = np.diff(ends)
        full = lengths > 0
        squares = np.add.reduceat(values * values, ends[:-1][full]) if full.any() else values
        values /= np.repeat(np.sqrt(squares), lengths[full])
        ends = ends.astype(counts.indptr.dtype)
        return sparse.csr_matrix((values, columns, ends), shape=(counts.shape[0], len(self)), copy=False)

    @cached_property
    def _lookup(self) -> NDArray[np.int32]:
        lookup = np.full(self.dimension, -1, np.int32)
        lookup[self.columns] = np.arange(len(self), dtype=np.int32)
        return lookup
