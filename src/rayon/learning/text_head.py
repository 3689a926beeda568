"""The head for text: hashed n-gram counts to class probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from rayon.encoders.base import Features
from rayon.encoders.text import word_columns
from rayon.errors import ModelError, NotFittedError, TrainingError
from rayon.learning.heads import check_training
from rayon.learning.minibatches import Floats, softmax
from rayon.learning.text_experts import Linear, Network, Training
from rayon.learning.tfidf import Tfidf

EXPERTS: Mapping[str, type[Linear] | type[Network]] = {"linear": Linear, "network": Network}

_ENOUGH = 100_000
"""Listings to learn from, repeats included, before the weights settle."""

_MAX_EPOCHS = 12
_CHUNK = 512
"""Rows that are scored together; fixed, so that the number of threads changes no bit of the answer."""

_BLOCK = 32 * _CHUNK
"""Rows that one expert scores before the next: its weights stay in the processor's cache meanwhile."""

_NETWORK_COLUMNS = 1 << 18


@dataclass(frozen=True)
class _Part:
    """One expert with the columns that it sees."""

    tfidf: Tfidf
    expert: Linear | Network

    def log_proba(self, counts: sparse.csr_matrix) -> Floats:
        """Log-probabilities `float32[n, K]`, up to a constant a row."""
        return self.expert.log_proba(self.tfidf.transform(counts))


class TextHead:
    """The average of a linear model on all n-grams and of small networks on words.

    All see counts as `Tfidf` weighs them and are learned by minibatch AdaGrad; log-probabilities are averaged
    over the networks, then over the two kinds.

    Parameters
    ----------
    experts
        ``"linear"``, ``"network"`` or both.
    epochs
        Passes over the data; where not given, 3, and up to 12 for fewer than 33,000 listings.
    min_df
        N-grams that fewer listings have are left out of the linear model. The networks take the 262,144 most
        frequent words and pairs.
    threads
        With 2, the experts learn side by side, and large batches are scored so. The result does not depend
        on it.
    random_state
        Seed.
    """

    def __init__(
        self,
        experts: Sequence[str] = ("linear", "network"),
        epochs: int | None = None,
        min_df: int = 2,
        threads: int = 2,
        random_state: int = 0,
    ) -> None:
        self.experts = tuple(experts)
        self.epochs = epochs
        self.min_df = min_df
        self.threads = threads
        self.random_state = random_state
        self._parts: dict[str, _Part] = {}

    def params(self) -> dict[str, Any]:
        """JSON-ready parameters of the constructor."""
        return {
            "experts": list(self.experts),
            "epochs": self.epochs,
            "min_df": self.min_df,
            "threads": self.threads,
            "random_state": self.random_state,
        }

    def fit(
        self,
        X: Features,
        y: NDArray[Any],
        n_classes: int,
        sample_weight: NDArray[Any] | None = None,
    ) -> Self:
        """Learn from sparse counts `float32[n, d]`; see `Head.fit`."""
        self._check_experts()
        counts = _as_counts(X)
        y = np.asarray(y, dtype=np.int64)
        weight = check_training(counts.shape[0], y, n_classes, sample_weight)
        frequency = np.bincount(counts.indices, minlength=counts.shape[1]).astype(np.int64)
        epochs = self.epochs or int(np.clip(np.ceil(_ENOUGH / len(y)), 3, _MAX_EPOCHS))

        # The network's small matrix products lose far more by threads inside BLAS than they gain.
        with threadpool_limits(limits=1, user_api="blas"), self._pool() as pool:
            learning: dict[str, tuple[Tfidf, list[Future[Any]]]] = {}
            for name in self.experts:
                tfidf = Tfidf.fit(frequency, len(y), self._choose(name, frequency))
                vectors = tfidf.transform(counts)
                learning[name] = (
                    tfidf,
                    [
                        pool.submit(EXPERTS[name].fit, Training(vectors, y, weight, n_classes, epochs, seed))
                        for seed in range(self.random_state, self.random_state + EXPERTS[name].MEMBERS)
                    ],
                )
            self._parts = {
                name: _Part(tfidf, EXPERTS[name].average([future.result() for future in futures]))
                for name, (tfidf, futures) in learning.items()
            }
        return self

    def predict_proba(self, X: Features) -> Floats:
        """Class probabilities `float32[n, K]`; near the prior where a listing has no known n-gram."""
        if not self._parts:
            raise NotFittedError("The text head has not learned anything yet", "Call fit first")
        counts = _as_counts(X)
        if counts.shape[0] <= _CHUNK:
            return self._proba([counts], map)
        blocks = _cut(counts, _BLOCK)
        with self._pool() as pool:
            return np.concatenate([self._proba(_cut(block, _CHUNK), pool.map) for block in blocks])

    def _proba(self, chunks: list[sparse.csr_matrix], run: Callable[..., Iterable[Any]]) -> Floats:
        """Probabilities of a few chunks; ``run`` is a `map`, whose calls may run side by side."""
        scores: list[Floats] = []
        for part in self._parts.values():
            found = list(run(part.log_proba, chunks))
            scores = [one + other for one, other in zip(scores, found, strict=True)] if scores else found
        return softmax(np.concatenate(scores) / np.float32(len(self._parts)))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Learned state and parameters as plain arrays; large weights in half precision."""
        if not self._parts:
            raise NotFittedError("The text head has not learned anything yet", "Call fit first")
        arrays: dict[str, NDArray[Any]] = {
            "experts": np.array(self.experts),
            "epochs": np.array(self.epochs or 0),
            "min_df": np.array(self.min_df),
            "random_state": np.array(self.random_state),
        }
        for name, part in self._parts.items():
            arrays[f"{name}/columns"] = part.tfidf.columns
            arrays[f"{name}/idf"] = part.tfidf.idf
            arrays[f"{name}/dimension"] = np.array(part.tfidf.dimension)
            for key in _names(part.expert):
                value = getattr(part.expert, key)
                arrays[f"{name}/{key}"] = (
                    value.astype(np.float16) if (type(part.expert), key) in _HALVED else value
                )
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Fitted head from what `to_arrays` gave; see `Head.from_arrays`."""
        try:
            head = cls(
                experts=[str(name) for name in arrays["experts"]],
                epochs=int(arrays["epochs"]) or None,
                min_df=int(arrays["min_df"]),
                random_state=int(arrays["random_state"]),
            )
            head._check_experts()
            head._parts = {name: _read_part(name, arrays) for name in head.experts}
        except (KeyError, ValueError, TypeError, TrainingError) as error:
            raise ModelError(f"The text head cannot be read ({error})", "Train the model again") from None
        return head

    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max(1, self.threads), thread_name_prefix="rayon-text")

    def _check_experts(self) -> None:
        unknown = sorted(set(self.experts) - set(EXPERTS))
        if unknown or not self.experts:
            raise TrainingError(
                f"The text head has no expert {unknown[0]!r}" if unknown else "The text head has no expert",
                f"Known are {', '.join(sorted(EXPERTS))}",
            )

    def _choose(self, name: str, frequency: NDArray[np.int64]) -> NDArray[np.bool_]:
        words = word_columns(len(frequency))
        chosen = frequency > 0
        if name == "network" and chosen[words].any():
            chosen[words.stop :] = False
            if chosen.sum() > _NETWORK_COLUMNS:
                frequent = np.argsort(-frequency[words], kind="stable")[:_NETWORK_COLUMNS]
                chosen[words] = False
                chosen[frequent] = True
        if name == "linear" and (frequency >= self.min_df).any():
            chosen = frequency >= self.min_df
        return chosen


_HALVED = frozenset({(Linear, "weights"), (Network, "embeddings")})


def _names(expert: Linear | Network | type[Linear] | type[Network]) -> list[str]:
    return [item.name for item in fields(expert)]


def _read_part(name: str, arrays: Mapping[str, NDArray[Any]]) -> _Part:
    tfidf = Tfidf(
        arrays[f"{name}/columns"].astype(np.int32),
        arrays[f"{name}/idf"].astype(np.float32),
        int(arrays[f"{name}/dimension"]),
    )
    kind = EXPERTS[name]
    expert = kind(**{key: arrays[f"{name}/{key}"].astype(np.float32) for key in _names(kind)})
    expert.check(len(tfidf))
    return _Part(tfidf, expert)


def _cut(counts: sparse.csr_matrix, size: int) -> list[sparse.csr_matrix]:
    return [counts[start : start + size] for start in range(0, counts.shape[0], size)]


def _as_counts(X: Features) -> sparse.csr_matrix:
    return X if isinstance(X, sparse.csr_matrix) else sparse.csr_matrix(X, dtype=np.float32)
