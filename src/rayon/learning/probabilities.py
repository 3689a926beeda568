"""Checks and small conversions shared by all that takes class probabilities from anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rayon.errors import TrainingError

SUM_TOLERANCE = 0.02
"""How far a row's sum may be from one; half-precision rows of many classes miss it by about 0.001."""

_PROBABILITY_HINT = "Give class probabilities: finite, not negative, each row summing to one"


def check_probabilities(
    proba: ArrayLike, *, name: str = "proba", n_classes: int | None = None, missing_allowed: bool = False
) -> NDArray[np.float64]:
    """Class probabilities as `float64[N, K]` with rows that sum to one exactly.

    Parameters
    ----------
    proba
        `[N, K]`, of any floating type.
    name
        What to call the array in errors.
    n_classes
        The K to insist on, if any.
    missing_allowed
        Whether a row may be NaN throughout, which says that there is no prediction.

    Raises
    ------
    TrainingError
        When the shape is wrong, K is under two, or a row is not a distribution.
    """
    array = _as_float(proba, name)
    if array.ndim != 2:
        raise TrainingError(
            f"{name} has {array.ndim} dimension{'s' * (array.ndim != 1)}, not 2", "Its shape must be [N, K]"
        )
    if n_classes is not None and array.shape[1] != n_classes:
        raise TrainingError(
            f"{name} has {array.shape[1]} classes, not {n_classes}", "All arrays follow one taxonomy"
        )
    if array.shape[1] < 2:
        raise TrainingError(
            f"{name} has {array.shape[1]} classes, and 2 are needed", "Its shape must be [N, K]"
        )
    present = np.asarray(~np.isnan(array).any(axis=1))
    if not missing_allowed and not present.all():
        row = int(np.argmin(present))
        raise TrainingError(f"Row {row} of {name} holds NaN", _PROBABILITY_HINT)
    holed = ~present & ~np.isnan(array).all(axis=1)
    if holed.any():
        row = int(np.argmax(holed))
        raise TrainingError(
            f"Row {row} of {name} is NaN in part", "A missing modality is NaN in the whole row"
        )
    _refuse_non_distributions(array, present, name)
    with np.errstate(invalid="ignore"):
        return np.asarray(array / array.sum(axis=1, keepdims=True), dtype=np.float64)


def check_labels(
    y: ArrayLike, n_rows: int, n_classes: int, *, unknown_allowed: bool = False
) -> NDArray[np.int64]:
    """Class indices as `int64[N]`; with ``unknown_allowed``, -1 stands for what is none of the classes.

    Raises
    ------
    TrainingError
        When there is not one label per row, or one is not a whole number in ``range(n_classes)``.
    """
    labels = np.asarray(y)
    if labels.ndim != 1 or len(labels) != n_rows:
        raise TrainingError(
            f"y has the shape {list(labels.shape)}, not [{n_rows}]", "Give one class index per row"
        )
    if labels.dtype.kind not in "iu":
        raise TrainingError(
            f"y holds {labels.dtype.name}, not whole numbers", "Give class indices, not codes"
        )
    outside = (labels < -int(unknown_allowed)) | (labels >= n_classes)
    if outside.any():
        row = int(np.argmax(outside))
        raise TrainingError(
            f"Row {row} of y is {labels[row]}, outside 0 to {n_classes - 1}",
            "Give class indices in the order of the columns",
        )
    return labels.astype(np.int64)


def check_share(value: float, name: str) -> None:
    """Refuse what is not strictly between zero and one.

    Raises
    ------
    TrainingError
        When ``value`` is outside ]0, 1[.
    """
    if not 0.0 < value < 1.0:
        raise TrainingError(f"{name} is {value}, not between 0 and 1", "For instance 0.95")


def floored_log(proba: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Natural logarithm of probabilities raised to at least ``floor`` and renormalised; NaN stays NaN."""
    raised = np.maximum(proba, floor)
    return np.asarray(np.log(raised / raised.sum(axis=1, keepdims=True)), dtype=np.float64)


def balanced_folds(y: NDArray[np.int64], n_folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Fold of each row, `int64[N]`: each class is spread as evenly as it can be, however small it is.

    The folds depend on which rows share a class and not on the classes' numbers, so renumbering the
    classes changes nothing.
    """
    shuffled = rng.permutation(len(y))
    _, first = np.unique(y[shuffled], return_index=True)
    rank_of_class = np.full(int(y.max(initial=0)) + 1, -1)
    rank_of_class[y[shuffled][np.sort(first)]] = np.arange(len(first))
    grouped = shuffled[np.argsort(rank_of_class[y[shuffled]], kind="stable")]
    folds = np.empty(len(y), dtype=np.int64)
    folds[grouped] = np.arange(len(y)) % n_folds
    return folds


def _as_float(values: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TrainingError(f"{name} is not an array of numbers", _PROBABILITY_HINT) from None


def _refuse_non_distributions(array: NDArray[np.float64], present: NDArray[Any], name: str) -> None:
    with np.errstate(invalid="ignore"):
        negative = (array < 0).any(axis=1)
        off = present & ~(np.abs(array.sum(axis=1) - 1.0) <= SUM_TOLERANCE)
    if negative.any():
        row = int(np.argmax(negative))
        raise TrainingError(f"Row {row} of {name} has a negative probability", _PROBABILITY_HINT)
    if off.any():
        row = int(np.argmax(off))
        raise TrainingError(
            f"Row {row} of {name} sums to {float(array[row].sum()):.4g}, not to 1", _PROBABILITY_HINT
        )
