"""Late fusion: the class probabilities of the modalities that are present to one calibrated distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from rayon.errors import ModelError, NotFittedError, TrainingError
from rayon.learning.calibration import Heat
from rayon.learning.modality_stacks import ModalityStacks, members_of, patterns_of
from rayon.learning.probabilities import balanced_folds, check_labels, check_probabilities, floored_log
from rayon.learning.stacking import FLOOR


class LateFusion(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Learn how far to trust each modality for each code, whatever part of them is there.

    Each modality is calibrated on the rows that have it. For each set of modalities a `Stacker` combines
    the calibrated log-probabilities; it is learned on the rows that have at least that set, and shrinks
    towards a plain pool of the evidence the fewer there are. A set that was seen together in fewer than ten
    rows a class is pooled so outright. A last
    temperature, and a share of listings that tell nothing, come for each set from cross-fitted predictions
    (`Heat`).

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
        self._stacks = ModalityStacks().fit(logs, labels)
        self._heat = self._cross_fitted_heat(logs, labels)
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
        scores = self._stacks.log_proba(logs)
        patterns = patterns_of(logs)
        found = np.empty_like(scores)
        for pattern in np.unique(patterns).tolist():
            rows = patterns == pattern
            found[rows] = self._heat.get(pattern, Heat()).apply(scores[rows], self._stacks.log_prior)
        return found

    @property
    def trust_(self) -> dict[str, NDArray[np.float64]]:
        """Exponent of each modality for each code `float64[K]` when all are there, calibration included."""
        self._require_fitted()
        everything = list(range(len(self.modalities_)))
        stacker = self._stacks.stackers.get(2 ** len(everything) - 1)
        together = self._stacks.start(everything)[:, None] if stacker is None else stacker.trust
        alone = np.concatenate([calibrator.trust for calibrator in self._stacks.calibrators])
        return dict(zip(self.modalities_, alone * together, strict=True))

    def params(self) -> dict[str, Any]:
        """JSON-ready description; with `to_arrays` it restores this very fusion."""
        self._require_fitted()
        return {
            "random_state": self.random_state,
            "n_folds": self.n_folds,
            "modalities": self.modalities_,
            "heat": {str(pattern): asdict(heat) for pattern, heat in self._heat.items()},
        }

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The learned arrays, by names that npz can hold."""
        self._require_fitted()
        return self._stacks.to_arrays()

    @classmethod
    def from_state(cls, params: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Restore what `params` and `to_arrays` gave.

        Raises
        ------
        ModelError
            When a part is missing.
        """
        try:
            fusion = cls(random_state=params["random_state"], n_folds=params["n_folds"])
            fusion.modalities_ = list(params["modalities"])
            fusion._stacks = ModalityStacks.from_arrays(arrays)
            fusion.n_classes_ = len(fusion._stacks.log_prior)
            fusion._heat = {int(key): Heat(**heat) for key, heat in params["heat"].items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The stored fusion lacks or garbles {error}", "Train the model again") from None
        return fusion

    def _require_fitted(self) -> None:
        if not hasattr(self, "_heat"):
            raise NotFittedError("This LateFusion has not been fitted", "Call fit first")

    def _checked_logs(
        self, probabilities: Mapping[str, ArrayLike], n_classes: int | None
    ) -> NDArray[np.float64]:
        if not isinstance(probabilities, Mapping) or not probabilities:
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

    def _cross_fitted_heat(self, logs: NDArray[np.float64], y: NDArray[np.int64]) -> dict[int, Heat]:
        """Temperature and contamination of each learned pattern, from predictions on held-out rows."""
        folds = balanced_folds(y, self.n_folds, np.random.default_rng(self.random_state))
        patterns = [2**position for position in range(len(logs))] + list(self._stacks.stackers)
        held_out = {pattern: np.full(logs.shape[1:], np.nan) for pattern in patterns}
        for fold in np.unique(folds) if len(y) >= self.n_folds else []:
            outside = folds == fold
            stacks = ModalityStacks().fit(logs[:, ~outside], y[~outside], near=self._stacks)
            for pattern, found in held_out.items():
                members = members_of(pattern, len(logs))
                rows = np.flatnonzero(outside & ~np.isnan(logs[members, :, 0]).any(axis=0))
                part = np.full((len(logs), len(rows), logs.shape[2]), np.nan)
                part[members] = logs[members][:, rows]
                found[rows] = stacks.log_proba(part)
        scored = {pattern: ~np.isnan(found[:, 0]) for pattern, found in held_out.items()}
        return {
            pattern: Heat.fit(found[scored[pattern]], y[scored[pattern]], self._stacks.log_prior)
            for pattern, found in held_out.items()
        }
