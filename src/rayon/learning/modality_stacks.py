"""A calibrator for each modality and a stack for each set of modalities, all learned from the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rayon.learning.stacking import Stacker, log_prior

MAX_EXHAUSTIVE_MODALITIES = 3
"""With more modalities only the sets seen in training get a stack of their own; there are 2^M of them."""

STRONGEST_EXPONENT = 0.9
"""Trust in the strongest of several modalities before any listing that has them all is seen."""

OTHERS_EXPONENT = 0.5
"""Trust that the other modalities share. Modalities err together more than independent evidence would (an
exponent of one each), and a weak one, trusted as much as a strong one, would outvote it."""

JOINT_ROWS_PER_CLASS = 10
"""Rows with all modalities of a set, for each class on average, before a stack is learned. With fewer the
plain pool did better on real listings: the calibrators have seen the same few rows."""

_DOUBT_ROWS = 20
"""Rows at chance that every modality starts with when their strengths are compared."""


class ModalityStacks:
    """What `LateFusion` learns, but for the last temperatures.

    A set of modalities is written as a pattern: the sum of ``2 ** position`` over its members.

    Attributes
    ----------
    calibrators : list of Stacker
        One for each modality, learned on the rows that have it.
    stackers : dict of int to Stacker
        One for each set of two or more with rows enough, over calibrated log-probabilities, learned on the
        rows that have at least that set.
    by_strength : list of int
        Positions of the modalities, from the one with the least log-loss on its own rows.
    """

    calibrators: list[Stacker]
    stackers: dict[int, Stacker]
    by_strength: list[int]
    log_prior: NDArray[np.float64]

    def fit(
        self, logs: NDArray[np.float64], y: NDArray[np.int64], near: ModalityStacks | None = None
    ) -> Self:
        """Learn from log-probabilities `[M, N, K]` with rows of NaN, and class indices `[N]`.

        With ``near`` the same sets are learned as there, and the searches begin at its weights.
        """
        present = ~np.isnan(logs[:, :, 0])
        self.log_prior = log_prior(y, logs.shape[2])
        self.calibrators = [
            Stacker().fit(
                modality[None, rows],
                y[rows],
                self.log_prior,
                near=near.calibrators[position] if near else None,
            )
            for position, (modality, rows) in enumerate(zip(logs, present, strict=True))
        ]
        losses = [self._doubtful_loss(logs, y, position) for position in range(len(logs))]
        self.by_strength = near.by_strength if near else np.argsort(losses, kind="stable").tolist()
        self.stackers = {}
        for pattern in near.stackers if near else _learnable_sets(logs):
            members = members_of(pattern, len(logs))
            rows = present[members].all(axis=0)
            if near is None and rows.sum() < JOINT_ROWS_PER_CLASS * logs.shape[2]:
                continue
            self.stackers[pattern] = Stacker(self.start(members)).fit(
                self.calibrated(logs[:, rows], members),
                y[rows],
                self.log_prior,
                near=near.stackers[pattern] if near else None,
            )
        return self

    def log_proba(self, logs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-probabilities `[N, K]` of rows of any pattern; rows without a modality get the prior."""
        found = np.tile(self.log_prior, (logs.shape[1], 1))
        patterns = patterns_of(logs)
        for pattern in np.unique(patterns[patterns > 0]).tolist():
            rows, members = patterns == pattern, members_of(pattern, len(logs))
            calibrated = self.calibrated(logs[:, rows], members)
            if pattern in self.stackers:
                found[rows] = self.stackers[pattern].log_proba(calibrated)
            elif len(members) == 1:
                found[rows] = calibrated[0]
            else:
                evidence = calibrated - self.log_prior
                found[rows] = self.log_prior + np.tensordot(self.start(members), evidence, axes=1)
        return found

    def calibrated(self, logs: NDArray[np.float64], members: Sequence[int]) -> NDArray[np.float64]:
        """Calibrated log-probabilities of some modalities, all present: `[len(members), N, K]`."""
        return np.stack([self.calibrators[member].log_proba(logs[member][None]) for member in members])

    def start(self, members: Sequence[int]) -> NDArray[np.float64]:
        """Trust in each of these modalities before any row that has them all is seen."""
        if len(members) == 1:
            return np.ones(1)
        strongest = min(members, key=self.by_strength.index)
        others = OTHERS_EXPONENT / (len(members) - 1)
        return np.array([STRONGEST_EXPONENT if member == strongest else others for member in members])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All that was learned, by names that npz can hold."""
        arrays: dict[str, NDArray[Any]] = {
            "log_prior": self.log_prior,
            "by_strength": np.array(self.by_strength, dtype=np.int64),
            "patterns": np.array(sorted(self.stackers), dtype=np.int64),
        }
        for position, calibrator in enumerate(self.calibrators):
            arrays |= calibrator.to_arrays(f"calibrator_{position}_")
        for pattern, stacker in sorted(self.stackers.items()):
            arrays |= stacker.to_arrays(f"stack_{pattern}_")
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Restore what `to_arrays` gave; a `KeyError` or `ValueError` names the part that is amiss."""
        stacks = cls()
        stacks.log_prior = np.asarray(arrays["log_prior"], dtype=np.float64)
        stacks.by_strength = np.asarray(arrays["by_strength"]).tolist()
        stacks.calibrators = [
            Stacker.from_arrays(arrays, f"calibrator_{position}_", 1)
            for position in range(len(stacks.by_strength))
        ]
        stacks.stackers = {
            pattern: Stacker.from_arrays(arrays, f"stack_{pattern}_", int(pattern).bit_count())
            for pattern in np.asarray(arrays["patterns"]).tolist()
        }
        return stacks

    def _doubtful_loss(self, logs: NDArray[np.float64], y: NDArray[np.int64], position: int) -> float:
        rows = np.flatnonzero(~np.isnan(logs[position, :, 0]))
        log_proba = self.calibrators[position].log_proba(logs[position][None, rows])
        loss = -float(log_proba[np.arange(len(rows)), y[rows]].sum())
        chance = -float(np.exp(self.log_prior) @ self.log_prior)
        return (loss + _DOUBT_ROWS * chance) / (len(rows) + _DOUBT_ROWS)


def patterns_of(logs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pattern of each row of `[M, N, K]`, `int64[N]`."""
    present = ~np.isnan(logs[:, :, 0])
    return np.asarray((2 ** np.arange(len(logs))) @ present, dtype=np.int64)


def members_of(pattern: int, n_modalities: int) -> list[int]:
    """Positions of the modalities in a pattern."""
    return [position for position in range(n_modalities) if pattern >> position & 1]


def _learnable_sets(logs: NDArray[np.float64]) -> list[int]:
    """Sets of two or more that may get a stack: those seen in training, or all of few modalities."""
    seen = set(np.unique(patterns_of(logs)).tolist())
    if len(logs) <= MAX_EXHAUSTIVE_MODALITIES:
        seen |= set(range(2 ** len(logs)))
    return sorted(pattern for pattern in seen if int(pattern).bit_count() > 1)
