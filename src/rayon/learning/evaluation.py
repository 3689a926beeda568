"""Arrays to figures: how good predictions are, by modality and by code.

Everything here is a pure function of arrays; what comes out is described in `rayon.learning.figures`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from rayon.errors import RayonError
from rayon.learning.bootstrap import (
    Interval,
    centred_interval,
    class_counts,
    exact_interval,
    f1_scores,
    macro_f1,
    one_hot,
    percentile_interval,
    ratio,
    resampled_totals,
    weighted_f1,
)
from rayon.learning.calibration import expected_calibration_error
from rayon.learning.curves import confidence_bins, coverage_curve, reliability_curve
from rayon.learning.figures import CodeFigures, Confusion, Evaluation, ModalityFigures

ECE_BINS = 15
"""Equal-width bins of the expected calibration error, everywhere in Rayon."""

UNKNOWN = -1
"""Index of a true code that the model does not know: always an error."""


def evaluate_modality(
    proba: ArrayLike, y: ArrayLike, codes: Sequence[str], accepted: ArrayLike | None = None
) -> ModalityFigures:
    """Figures of one set of predictions, without intervals.

    Parameters
    ----------
    proba
        ``[N, K]`` class probabilities; rows with NaN are left out.
    y
        ``int64[N]``, indices of the true codes; any index outside 0 to K - 1 is a code of its own that the
        model does not know, and counts as an error.
    codes
        The K codes, in the order of the columns.
    accepted
        ``bool[N]``, the decisions; ``None`` where there is no policy.

    Raises
    ------
    RayonError
        When the shapes do not belong together.
    """
    return _Scored.of("predictions", proba, y, len(codes), accepted).figures()


def evaluate(
    probabilities: Mapping[str, ArrayLike],
    fused: ArrayLike,
    y: ArrayLike,
    accepted: ArrayLike | None,
    codes: Sequence[str],
    *,
    labels: Mapping[str, str] | None = None,
    true_codes: Sequence[str] | None = None,
    accepted_by_modality: Mapping[str, ArrayLike] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Figures of every modality and of the fused predictions, by code, with intervals.

    Parameters
    ----------
    probabilities
        By modality, ``[N, K]`` class probabilities; rows of NaN where a listing lacks it.
    fused
        ``[N, K]``, what the model answers; rows of NaN where it has no answer.
    y
        ``int64[N]``, indices of the true codes; -1 for a code that the model does not know.
    accepted
        ``bool[N]``, the decisions on the fused predictions; ``None`` where there is no policy.
    codes
        The K codes, in the order of the columns.
    labels
        Readable labels by code; a code without one stands for itself.
    true_codes
        The N true codes as text, so that unknown ones can be named; without it they are one, named ``"?"``.
    accepted_by_modality
        Decisions of policies for single modalities, where there are any.
    resamples
        Of the bootstrap; 0 for no intervals.
    seed
        Of the bootstrap.

    Raises
    ------
    RayonError
        When the shapes do not belong together.
    """
    y, unknown_codes = _index_unknown(np.asarray(y), len(codes), true_codes)
    decisions = accepted_by_modality or {}
    scored = {
        name: _Scored.of(name, proba, y, len(codes), decisions.get(name), len(unknown_codes))
        for name, proba in probabilities.items()
    }
    answers = _Scored.of("fused", fused, y, len(codes), accepted, len(unknown_codes))
    scored["fused"] = answers
    drawn = _intervals(list(scored.values()), resamples, seed) if resamples else None
    modalities = {
        name: replace(one.figures(), intervals=drawn[position].of_figures if drawn else {})
        for position, (name, one) in enumerate(scored.items())
    }
    every_code = (*codes, *unknown_codes)
    matrix = answers.matrix()
    return Evaluation(
        n=len(y),
        codes=every_code,
        modalities=modalities,
        per_code=_per_code(answers, every_code, labels or {}, drawn[-1].of_f1 if drawn else None),
        confusions=_confusions(matrix, every_code),
        matrix=matrix,
        reliability=reliability_curve(answers.confidence, answers.right, ECE_BINS),
        coverage_curve=coverage_curve(answers.confidence, answers.right),
        unknown_codes=unknown_codes,
    )


@dataclass(frozen=True, slots=True)
class _Intervals:
    of_figures: dict[str, Interval | None]
    of_f1: list[Interval | None]


def _intervals(scored: Sequence[_Scored], resamples: int, seed: int) -> list[_Intervals]:
    """Bootstrap intervals of several sets of predictions for the same listings, drawn together."""
    n = len(scored[0].present)
    if n == 0:
        return [_Intervals(dict.fromkeys((*_RESAMPLED, _EXACT)), [None] * one.n_classes) for one in scored]
    blocks = [one.per_listing() for one in scored]
    totals = resampled_totals(sparse.csr_array(sparse.hstack(blocks, format="csr")), resamples, seed)
    ends = np.cumsum([block.shape[1] for block in blocks])[:-1]
    return [
        _intervals_of(one, part) for one, part in zip(scored, np.split(totals, ends, axis=1), strict=True)
    ]


_RESAMPLED = ("weighted_f1", "macro_f1", "accuracy", "ece", "coverage", "accepted_precision")
_EXACT = "accepted_precision_exact"


def _intervals_of(scored: _Scored, totals: NDArray[np.float64]) -> _Intervals:
    figures, f1 = _figures_of_totals(totals, scored.n_classes)
    found: dict[str, Interval | None] = {name: percentile_interval(figures[name]) for name in _RESAMPLED}
    if (ece := scored.figures().ece) is not None:
        found["ece"] = centred_interval(figures["ece"], ece)
    found[_EXACT] = None
    if scored.accepted is None:
        found["coverage"] = found["accepted_precision"] = None
    else:
        right = int((scored.right & scored.accepted).sum())
        found[_EXACT] = exact_interval(right, int(scored.accepted.sum()))
    return _Intervals(found, [percentile_interval(column) for column in f1.T])


@dataclass(frozen=True, slots=True)
class _Scored:
    """Predictions beside the truth, for the listings that have them; `present` says which of the N do."""

    present: NDArray[np.bool_]
    proba: NDArray[np.float64]
    y: NDArray[np.int64]
    predicted: NDArray[np.int64]
    accepted: NDArray[np.bool_] | None
    n_classes: int

    @classmethod
    def of(
        cls,
        name: str,
        proba: ArrayLike,
        y: ArrayLike,
        n_known: int,
        accepted: ArrayLike | None,
        n_unknown: int | None = None,
    ) -> _Scored:
        proba, y = np.asarray(proba, dtype=np.float64), np.asarray(y)
        if proba.shape != (len(y), n_known):
            raise RayonError(
                f"The probabilities of {name!r} have shape {list(proba.shape)} for {len(y)} labels and "
                f"{n_known} codes",
                f"Give an array of shape [{len(y)}, {n_known}]",
            )
        if accepted is not None and np.shape(accepted) != (len(y),):
            raise RayonError(
                f"The decisions of {name!r} have shape {list(np.shape(accepted))} for {len(y)} labels",
                f"Give an array of shape [{len(y)}]",
            )
        if n_unknown is None:
            y, unknown = _index_unknown(y, n_known, [str(index) for index in y])
            n_unknown = len(unknown)
        present = np.isfinite(proba).all(axis=1)
        kept = proba[present]
        return cls(
            present=present,
            proba=kept,
            y=y[present].astype(np.int64),
            predicted=kept.argmax(axis=1).astype(np.int64) if len(kept) else np.empty(0, dtype=np.int64),
            accepted=None if accepted is None else np.asarray(accepted, dtype=np.bool_)[present],
            n_classes=n_known + n_unknown,
        )

    @property
    def confidence(self) -> NDArray[np.float64]:
        return self.proba[np.arange(len(self.y)), self.predicted]

    @property
    def right(self) -> NDArray[np.bool_]:
        return np.asarray(self.predicted == self.y)

    def matrix(self) -> NDArray[np.int64]:
        cells = np.bincount(self.y * self.n_classes + self.predicted, minlength=self.n_classes**2)
        return cells.reshape(self.n_classes, self.n_classes).astype(np.int64)

    def figures(self) -> ModalityFigures:
        n = len(self.y)
        totals = np.asarray(self.per_listing().sum(axis=0), dtype=np.float64)
        observed, _ = _figures_of_totals(totals, self.n_classes)
        decided = self.accepted is not None
        return ModalityFigures(
            n=n,
            weighted_f1=_number(observed["weighted_f1"]),
            macro_f1=_number(observed["macro_f1"]),
            accuracy=_number(observed["accuracy"]),
            log_loss=self._log_loss(),
            ece=float(expected_calibration_error(self.proba, self._known_or_wrong_y(), ECE_BINS))
            if n
            else None,
            coverage=_number(observed["coverage"]) if decided else None,
            accepted_precision=_number(observed["accepted_precision"]) if decided else None,
        )

    def per_listing(self) -> sparse.csr_array[np.float64]:
        """What each of the N listings adds to the sums that `_figures_of_totals` takes; zeros if absent."""
        everywhere = np.full(len(self.present), UNKNOWN, dtype=np.int64)
        y, predicted, bins, accepted, kept = (everywhere.copy() for _ in range(5))
        y[self.present], predicted[self.present] = self.y, self.predicted
        bins[self.present] = confidence_bins(self.confidence, ECE_BINS)
        gap = np.zeros(len(self.present))
        gap[self.present] = self.right - self.confidence
        if self.accepted is not None:
            accepted[self.present] = np.where(self.accepted, 0, UNKNOWN)
            kept[self.present] = np.where(self.accepted & self.right, 0, UNKNOWN)
        blocks = [
            class_counts(y, predicted, self.n_classes),
            one_hot(bins, ECE_BINS, gap),
            one_hot(accepted, 1),
            one_hot(kept, 1),
        ]
        return sparse.csr_array(sparse.hstack(blocks, format="csr"))

    def _known_or_wrong_y(self) -> NDArray[np.int64]:
        """True classes, an unknown one replaced by any known class that was not predicted."""
        n_known = self.proba.shape[1]
        return np.where(self.y < n_known, self.y, (self.predicted + 1) % n_known)

    def _log_loss(self) -> float | None:
        known = np.flatnonzero(self.y < self.proba.shape[1])
        if not len(known):
            return None
        given = self.proba[known, self.y[known]]
        return float(-np.log(np.clip(given, np.finfo(np.float64).eps, 1)).mean())


def _figures_of_totals(
    totals: NDArray[np.float64], n_classes: int
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """Figures of sums ``[..., F]`` over listings, and F1 by class ``[..., K]``; NaN where undefined."""
    ends = [n_classes, 2 * n_classes, 3 * n_classes, 3 * n_classes + ECE_BINS]
    true, predicted, correct, gaps, decisions = np.split(totals, ends, axis=-1)
    n, accepted, accepted_right = true.sum(axis=-1), decisions[..., 0], decisions[..., 1]
    f1 = f1_scores(correct, true, predicted)
    figures = {
        "weighted_f1": weighted_f1(f1, true),
        "macro_f1": macro_f1(f1),
        "accuracy": ratio(correct.sum(axis=-1), n),
        "ece": ratio(np.abs(gaps).sum(axis=-1), n),
        "coverage": ratio(accepted, n),
        "accepted_precision": ratio(accepted_right, accepted),
    }
    return figures, f1


def _index_unknown(
    y: NDArray[Any], n_known: int, true_codes: Sequence[str] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Give each unknown code an index of its own, from K on, in the order of their names."""
    y = y.astype(np.int64)
    outside = np.flatnonzero((y < 0) | (y >= n_known))
    if not len(outside):
        return y, ()
    if true_codes is not None and len(true_codes) != len(y):
        raise RayonError(
            f"There are {len(true_codes)} true codes for {len(y)} labels", "Give one for each listing"
        )
    names = ["?" if true_codes is None else true_codes[index] for index in outside.tolist()]
    unknown, positions = np.unique(names, return_inverse=True)
    y[outside] = n_known + positions
    return y, tuple(str(name) for name in unknown)


def _per_code(
    scored: _Scored,
    codes: Sequence[str],
    labels: Mapping[str, str],
    f1_intervals: list[Interval | None] | None,
) -> tuple[CodeFigures, ...]:
    matrix = scored.matrix()
    correct, support, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    kept = scored.accepted if scored.accepted is not None else np.zeros(len(scored.y), dtype=np.bool_)
    accepted = np.bincount(scored.predicted[kept], minlength=len(codes))
    accepted_right = np.bincount(scored.predicted[kept & scored.right], minlength=len(codes))
    precision, recall = ratio(correct, predicted), ratio(correct, support)
    f1, accepted_precision = ratio(2 * correct, support + predicted), ratio(accepted_right, accepted)
    return tuple(
        CodeFigures(
            code=code,
            label=labels.get(code, code),
            support=int(support[index]),
            precision=_number(precision[index]),
            recall=_number(recall[index]),
            f1=_number(f1[index]),
            accepted=int(accepted[index]),
            accepted_precision=_number(accepted_precision[index]),
            f1_interval=f1_intervals[index] if f1_intervals else None,
        )
        for index, code in enumerate(codes)
    )


def _confusions(matrix: NDArray[np.int64], codes: Sequence[str]) -> tuple[Confusion, ...]:
    shares = ratio(matrix, matrix.sum(axis=1, keepdims=True))
    found = [
        Confusion(codes[true], codes[predicted], int(matrix[true, predicted]), float(shares[true, predicted]))
        for true, predicted in np.argwhere(matrix).tolist()
        if true != predicted
    ]
    return tuple(sorted(found, key=lambda one: (-one.n, -one.share)))


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
