"""Late fusion: the class probabilities of the modalities that are present to one calibrated distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax
from sklearn.base import BaseEstimator

from rayon.errors import ModelError, NotFittedError, TrainingError
from rayon.learning.calibration import fitted_temperature
from rayon.learning.probabilities import balanced_folds, check_labels, check_probabilities, floored_log
from rayon.learning.stacking import FLOOR, Stacker, log_prior

MAX_EXHAUSTIVE_MODALITIES = 3
"""With more modalities only the sets seen in training get a stack of their own; there are 2^M of them."""

POOL_EXPONENT = 0.7
"""Trust in each of several modalities before any listing with all of them is seen. Modalities err together
more than independent evidence would (exponent 1), and less than copies (exponent 1 / M)."""


class LateFusion(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Learn how far to trust each modality for each code, whatever part of them is there.

    Each modality is calibrated on the rows that have it. For each set of modalities a `Stacker` combines
    the calibrated log-probabilities; it is learned on the rows that have at least that set, and shrinks
    towards the plain pool of evidence the fewer there are. A set that was never seen together is pooled
    so outright. A last temperature for each set comes from cross-fitted predictions.

    Parameters
    ----------
    random_state
        Seed of the folds for the cross-fitted temperatures.
    n_folds
        How many folds these have.

    Attributes
    ----------
    modalities_ : list of str
        In the order of the mapping given to `fit`.
    n_classes_ : int
        K.
    """

    def __init__(self, random_state: int = 0, n_folds: int = 3) -> None:
        self.random_state = random_state
        self.n_folds = n_folds

    def fit(self, probabilities: Mapping[str, ArrayLike], y: ArrayLike, n_classes: int | None = None) -> Self:
        """Learn from trusted listings that the modalities' heads have not seen.

        Parameters
        ----------
        probabilities
            Name of a modality to its class probabilities `[N, K]`; rows are NaN where it is missing.
        y
            Class indices `[N]`.
        n_classes
            K, only to be checked.

        Raises
        ------
        TrainingError
            When there is no modality, no row, or shapes and values are not as above.
        """
        logs = self._checked_logs(probabilities, n_classes)
        names = list(probabilities)
        labels = check_labels(y, logs.shape[1], logs.shape[2])
        if len(labels) == 0:
            raise TrainingError("Fusion needs at least one row", "Give trusted listings with probabilities")
        self.modalities_ = names
        self.n_classes_ = logs.shape[2]
        self._log_prior = log_prior(labels, self.n_classes_)
        self._calibrators, self._stackers = self._fit_stacks(logs, labels, None)
        self._temperatures = self._cross_fitted_temperatures(logs, labels)
        return self

    def predict_proba(self, probabilities: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Calibrated probabilities `float64[N, K]`.

        A modality that is left out of the mapping is missing in every row; a row that has none gets the
        frequencies of the classes in training.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TrainingError
            When a modality is unknown, or shapes and values are not as in `fit`.
        """
        self._require_fitted()
        unknown = [name for name in probabilities if name not in self.modalities_]
        if unknown:
            raise TrainingError(
                f"Fusion does not know the modality {unknown[0]!r}",
                f"It was fitted on: {', '.join(self.modalities_)}",
            )
        given = self._checked_logs(probabilities, self.n_classes_)
        logs = np.full((len(self.modalities_), *given.shape[1:]), np.nan)
        for position, name in enumerate(probabilities):
            logs[self.modalities_.index(name)] = given[position]
        scores = _combine(logs, self._calibrators, self._stackers, self._log_prior)
        patterns = _patterns(logs)
        heat = np.ones(len(patterns))
        for pattern, temperature in self._temperatures.items():
            heat[patterns == pattern] = temperature
        return np.exp(log_softmax(scores / heat[:, None], axis=1))

    @property
    def trust_(self) -> dict[str, NDArray[np.float64]]:
        """Exponent of each modality for each code `float64[K]` when all are there, calibration included."""
        self._require_fitted()
        everything = 2 ** len(self.modalities_) - 1
        alone = np.concatenate([calibrator.trust for calibrator in self._calibrators])
        stacker = self._stackers.get(everything)
        together = _start(len(self.modalities_)) if stacker is None else stacker.trust
        return dict(zip(self.modalities_, alone * together, strict=True))

    def params(self) -> dict[str, Any]:
        """JSON-ready description; with `to_arrays` it restores this very fusion."""
        self._require_fitted()
        return {
            "random_state": self.random_state,
            "n_folds": self.n_folds,
            "modalities": self.modalities_,
            "patterns": sorted(self._stackers),
            "temperatures": [self._temperatures[pattern] for pattern in sorted(self._stackers)],
        }

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned arrays, by names that npz can hold."""
        self._require_fitted()
        arrays: dict[str, NDArray[Any]] = {"log_prior": self._log_prior}
        for position, calibrator in enumerate(self._calibrators):
            arrays |= calibrator.to_arrays(f"calibrator_{position}_")
        for pattern, stacker in sorted(self._stackers.items()):
            arrays |= stacker.to_arrays(f"stack_{pattern}_")
        return arrays

    @classmethod
    def from_state(cls, params: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Restore what `params` and `to_arrays` gave.

        Raises
        ------
        ModelError
            When a part is missing.
        """
        stored = dict(arrays)
        try:
            fusion = cls(random_state=params["random_state"], n_folds=params["n_folds"])
            fusion.modalities_ = list(params["modalities"])
            fusion._log_prior = np.asarray(stored["log_prior"], dtype=np.float64)
            fusion.n_classes_ = len(fusion._log_prior)
            fusion._calibrators = [
                Stacker.from_arrays(stored, f"calibrator_{position}_", 1, start=1.0, interactions=False)
                for position in range(len(fusion.modalities_))
            ]
            fusion._stackers = {
                pattern: Stacker.from_arrays(
                    stored, f"stack_{pattern}_", size, start=_start(size), interactions=True
                )
                for pattern in params["patterns"]
                for size in [int(pattern).bit_count()]
            }
            fusion._temperatures = dict(zip(params["patterns"], params["temperatures"], strict=True))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The stored fusion lacks or garbles {error}", "Train the model again") from None
        return fusion

    def _require_fitted(self) -> None:
        if not hasattr(self, "_temperatures"):
            raise NotFittedError("This LateFusion has not been fitted", "Call fit first")

    def _checked_logs(
        self, probabilities: Mapping[str, ArrayLike], n_classes: int | None
    ) -> NDArray[np.float64]:
        if not probabilities:
            raise TrainingError("Fusion needs at least one modality", "Map a name to probabilities [N, K]")
        logs: list[NDArray[np.float64]] = []
        for name, proba in probabilities.items():
            checked = check_probabilities(proba, name=repr(name), n_classes=n_classes, missing_allowed=True)
            if logs and len(checked) != len(logs[0]):
                raise TrainingError(
                    f"{name!r} has {len(checked)} rows, not {len(logs[0])}",
                    "All modalities have one row per listing; NaN where one is missing",
                )
            n_classes = checked.shape[1]
            logs.append(floored_log(checked, FLOOR))
        return np.stack(logs)

    def _fit_stacks(
        self, logs: NDArray[np.float64], y: NDArray[np.int64], near: LateFusion | None
    ) -> tuple[list[Stacker], dict[int, Stacker]]:
        present = ~np.isnan(logs[:, :, 0])
        prior = log_prior(y, logs.shape[2])
        calibrators = [
            Stacker(interactions=False).fit(
                modality[None, rows], y[rows], prior, near=near._calibrators[position] if near else None
            )
            for position, (modality, rows) in enumerate(zip(logs, present, strict=True))
        ]
        stackers: dict[int, Stacker] = {}
        for pattern in near._stackers if near else _learnable_patterns(logs):
            members = _members(pattern, len(logs))
            rows = present[members].all(axis=0)
            stackers[pattern] = Stacker(_start(len(members))).fit(
                _calibrated(logs[:, rows], calibrators, members),
                y[rows],
                prior,
                near=near._stackers[pattern] if near else None,
            )
        return calibrators, stackers

    def _cross_fitted_temperatures(self, logs: NDArray[np.float64], y: NDArray[np.int64]) -> dict[int, float]:
        folds = balanced_folds(y, self.n_folds, np.random.default_rng(self.random_state))
        held_out: dict[int, list[tuple[NDArray[np.float64], NDArray[np.int64]]]] = {
            pattern: [] for pattern in self._stackers
        }
        for fold in np.unique(folds) if len(y) >= self.n_folds else []:
            inside, outside = folds != fold, folds == fold
            calibrators, stackers = self._fit_stacks(logs[:, inside], y[inside], self)
            for pattern, stacker in stackers.items():
                members = _members(pattern, len(logs))
                rows = outside & ~np.isnan(logs[members, :, 0]).any(axis=0)
                scores = stacker.log_proba(_calibrated(logs[:, rows], calibrators, members))
                held_out[pattern].append((scores, y[rows]))
        return {
            pattern: fitted_temperature(
                np.concatenate([scores for scores, _ in parts]), np.concatenate([truth for _, truth in parts])
            )
            if parts
            else 1.0
            for pattern, parts in held_out.items()
        }


def _combine(
    logs: NDArray[np.float64],
    calibrators: list[Stacker],
    stackers: Mapping[int, Stacker],
    prior: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Log-probabilities `[N, K]` of rows of any availability; rows without a modality get the prior."""
    scores = np.tile(prior, (logs.shape[1], 1))
    patterns = _patterns(logs)
    for pattern in np.unique(patterns[patterns > 0]).tolist():
        rows, members = patterns == pattern, _members(pattern, len(logs))
        calibrated = _calibrated(logs[:, rows], calibrators, members)
        if pattern in stackers:
            scores[rows] = stackers[pattern].log_proba(calibrated)
        else:
            scores[rows] = prior + _start(len(members)) * (calibrated - prior).sum(axis=0)
    return scores


def _calibrated(
    logs: NDArray[np.float64], calibrators: list[Stacker], members: list[int]
) -> NDArray[np.float64]:
    return np.stack([calibrators[member].log_proba(logs[member][None]) for member in members])


def _start(n_modalities: int) -> float:
    return 1.0 if n_modalities == 1 else POOL_EXPONENT


def _patterns(logs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which modalities each row has, as a sum of powers of two `int64[N]`."""
    present = ~np.isnan(logs[:, :, 0])
    return np.asarray((2 ** np.arange(len(logs))) @ present, dtype=np.int64)


def _members(pattern: int, n_modalities: int) -> list[int]:
    return [position for position in range(n_modalities) if pattern >> position & 1]


def _learnable_patterns(logs: NDArray[np.float64]) -> list[int]:
    """Sets of modalities that get a stack of their own: seen in training, or all when there are few."""
    seen = {pattern for pattern in np.unique(_patterns(logs)).tolist() if pattern}
    seen |= {2**position for position in range(len(logs))}
    if len(logs) <= MAX_EXHAUSTIVE_MODALITIES:
        seen |= set(range(1, 2 ** len(logs)))
    return sorted(seen)
