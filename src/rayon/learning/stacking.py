"""A multinomial logistic stack of log-probabilities that shrinks towards a plain pool of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

FLOOR = 1e-5
"""Smallest probability that is believed. Half precision underflows to zero below 6e-8, and no head has
seen enough listings to tell 1e-5 from less."""


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """Standard deviations that are expected of the parameters before any data is seen.

    Parameters
    ----------
    trust
        Of a modality's exponent around its start.
    class_trust
        Of what a class adds to the exponent of a modality.
    offset
        Of what is added to the score of a class.
    interaction
        Of the weight that the probability of one class has for the score of another.
    """

    trust: float = 0.3
    class_trust: float = 0.15
    offset: float = 0.28
    interaction: float = 0.5


class Stacker:
    r"""Combine the log-probabilities of M modalities that are all present.

    The score of class :math:`k` is

    .. math:: \log\pi_k + \sum_m (a_m + d_{mk})(\log p_{mk} - \log\pi_k) + b_k
              + \sum_m \sum_j p_{mj} W_{mjk}

    with Gaussian priors on all parameters: the trust :math:`a_m` in a modality around ``start``, all else
    around zero. Without data it is thus the pool of evidence that is conditionally independent up to an
    exponent; with much data it is a full logistic stack; each part gives way as the data can carry it.

    Parameters
    ----------
    start
        Trust in each modality before any data is seen: one number for all, or `[M]`.
    interactions
        Whether to learn :math:`W`.
    shrinkage
        How far each part may move.
    max_iterations
        Bound on the steps of L-BFGS.

    Notes
    -----
    Stacking is Wolpert's (Neural Networks, 1992); the logarithmic pool with exponents is Genest and Zidek's
    (Statistical Science, 1986). The objective is convex, so the answer does not depend on the start of
    the search.
    """

    def __init__(
        self,
        start: float | NDArray[np.float64] = 1.0,
        *,
        interactions: bool = True,
        shrinkage: Shrinkage | None = None,
        max_iterations: int = 200,
    ) -> None:
        self.start = start
        self.interactions = interactions
        self.shrinkage = shrinkage or Shrinkage()
        self.max_iterations = max_iterations
        self.weights: NDArray[np.float64] = np.zeros(0)

    def fit(
        self,
        log_proba: NDArray[np.float64],
        y: NDArray[np.int64],
        log_prior: NDArray[np.float64],
        *,
        near: Stacker | None = None,
    ) -> Self:
        """Learn the weights.

        Parameters
        ----------
        log_proba
            `[M, N, K]`, without NaN; N may be zero.
        y
            Class indices `[N]`.
        log_prior
            `[K]`.
        near
            A fitted stack to begin the search at, which only saves time.
        """
        n_modalities, n_rows, n_classes = log_proba.shape
        self._set_prior(n_modalities, log_prior)
        if n_rows:
            evidence, features = self._inputs(log_proba)
            begin = np.zeros_like(self._scale) if near is None else (near.weights - self._mean) / self._scale
            found = minimize(
                _objective,
                begin,
                args=(self, evidence, features, np.eye(n_classes)[y]),
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": self.max_iterations, "ftol": 1e-7, "gtol": 1e-5},
            )
            self.weights = self._mean + self._scale * found.x
        return self

    def log_proba(self, log_proba: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-probabilities `float64[N, K]` of the pool of `log_proba` `[M, N, K]`."""
        evidence, features = self._inputs(log_proba)
        scores = self._scores(self.weights, evidence, features)
        return np.asarray(log_softmax(scores, axis=1), dtype=np.float64)

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.log_prior)

    @property
    def trust(self) -> NDArray[np.float64]:
        """Exponent of each modality for each class, `float64[M, K]`."""
        trust, class_trust, _, _ = self._parts(self.weights)
        return trust[:, None] + class_trust

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The learned state, each name starting with ``prefix``."""
        return {f"{prefix}weights": self.weights, f"{prefix}log_prior": self.log_prior}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str, n_modalities: int) -> Self:
        """Restore what `to_arrays` gave, as far as answering goes."""
        stacker = cls()
        stacker._set_prior(n_modalities, np.asarray(arrays[f"{prefix}log_prior"], dtype=np.float64))
        weights = np.asarray(arrays[f"{prefix}weights"], dtype=np.float64)
        if weights.shape != stacker.weights.shape:
            raise ValueError(f"{prefix}weights")
        stacker.weights = weights
        return stacker

    def _set_prior(self, n_modalities: int, log_prior: NDArray[np.float64]) -> None:
        self.n_modalities, self.log_prior = n_modalities, log_prior
        size = n_modalities * len(log_prior)
        spread = self.shrinkage
        parts = [
            (n_modalities, spread.trust),
            (size, spread.class_trust),
            (len(log_prior), spread.offset),
            (size * len(log_prior) * self.interactions, spread.interaction),
        ]
        self._scale = np.concatenate([np.full(count, deviation) for count, deviation in parts])
        self._mean = np.zeros_like(self._scale)
        self._mean[:n_modalities] = self.start
        self.weights = self._mean.copy()

    def _parts(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        m, k = self.n_modalities, self.n_classes
        trust, class_trust, offset, interaction = np.split(weights, np.cumsum([m, m * k, k]))
        return trust, class_trust.reshape(m, k), offset, interaction.reshape(-1, k)

    def _inputs(self, log_proba: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        evidence = log_proba - self.log_prior
        if not self.interactions:
            return evidence, np.zeros((log_proba.shape[1], 0))
        return evidence, np.hstack(list(np.exp(log_proba)))

    def _scores(
        self, weights: NDArray[np.float64], evidence: NDArray[np.float64], features: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        trust, class_trust, offset, interaction = self._parts(weights)
        scores = np.broadcast_to(self.log_prior + offset, evidence.shape[1:]).copy()
        for modality, exponents in zip(evidence, trust[:, None] + class_trust, strict=True):
            scores += modality * exponents
        if self.interactions:
            scores += features @ interaction
        return scores


def log_prior(y: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """Logarithm of the class frequencies `float64[K]`, half a listing added to each (Jeffreys)."""
    counts = np.bincount(y, minlength=n_classes) + 0.5
    return np.asarray(np.log(counts / counts.sum()), dtype=np.float64)


def _objective(
    whitened: NDArray[np.float64],
    stacker: Stacker,
    evidence: NDArray[np.float64],
    features: NDArray[np.float64],
    truth: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    """Negative log-posterior per row and its gradient, in units of the prior's standard deviations."""
    weights = stacker._mean + stacker._scale * whitened
    log_p = log_softmax(stacker._scores(weights, evidence, features), axis=1)
    loss = -float(np.vdot(truth, log_p)) + 0.5 * float(whitened @ whitened)
    residual = np.exp(log_p) - truth
    by_class = np.stack([np.einsum("nk,nk->k", modality, residual) for modality in evidence])
    gradient = np.concatenate(
        [by_class.sum(axis=1), by_class.ravel(), residual.sum(axis=0), (features.T @ residual).ravel()]
    )
    return loss / len(truth), (gradient * stacker._scale + whitened) / len(truth)
