"""The figures of an evaluation, and their JSON form.

A figure that is undefined, such as the precision of a code that was never predicted, is ``None`` and
never NaN, so that all of it can be written as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rayon.learning.bootstrap import Interval
from rayon.learning.curves import CoveragePoint, ReliabilityBin


@dataclass(frozen=True, slots=True)
class ModalityFigures:
    """How good the predictions of one modality, or of all fused, are.

    Parameters
    ----------
    n
        Listings that have the modality; all figures are about these.
    weighted_f1, macro_f1, accuracy
        As scikit-learn defines them; macro F1 over the codes that are true or predicted.
    log_loss
        In nats, of the listings whose true code the model knows.
    ece
        Expected calibration error, 15 equal-width bins.
    coverage, accepted_precision
        Share of listings accepted, and share of the accepted ones that is right; ``None`` without a policy.
    intervals
        By figure, its 95 % bootstrap interval; and under ``"accepted_precision_exact"`` the Clopper-Pearson
        interval of the accepted precision. Empty where none were asked for.
    """

    n: int
    weighted_f1: float | None
    macro_f1: float | None
    accuracy: float | None
    log_loss: float | None
    ece: float | None
    coverage: float | None
    accepted_precision: float | None
    intervals: Mapping[str, Interval | None] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form; intervals are lists of two, and absent where none were computed."""
        figures = asdict(replace(self, intervals={}))
        del figures["intervals"]
        if self.intervals:
            figures["intervals"] = {name: _as_list(value) for name, value in self.intervals.items()}
        return figures


@dataclass(frozen=True, slots=True)
class CodeFigures:
    """How good the fused predictions of one code are.

    Parameters
    ----------
    code, label
        The product type.
    support
        Listings that truly have the code.
    precision, recall, f1
        ``None`` where the code was never predicted, never true, or neither.
    accepted
        Listings accepted under this code.
    accepted_precision
        Share of these that is right; ``None`` where nothing was accepted, or there is no policy.
    f1_interval
        95 % bootstrap interval of F1, where asked for.
    """

    code: str
    label: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None
    accepted: int
    accepted_precision: float | None
    f1_interval: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        figures = asdict(self)
        interval = figures.pop("f1_interval")
        return figures if interval is None else {**figures, "intervals": {"f1": _as_list(interval)}}


@dataclass(frozen=True, slots=True)
class Confusion:
    """One code taken for another.

    Parameters
    ----------
    true, predicted
        The two codes.
    n
        How often.
    share
        That, as a share of the listings that have the true code.
    """

    true: str
    predicted: str
    n: int
    share: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything an evaluation says.

    Parameters
    ----------
    n
        Listings with a label.
    codes
        The K codes that the model knows, in its order, then the U unknown ones that labels have besides.
    modalities
        Figures by modality, ``"fused"`` last.
    per_code
        One for each of the codes, in that order.
    confusions
        All pairs that occur, largest first.
    matrix
        ``int64[K + U, K + U]``: listings by true code (rows) and fused prediction (columns).
    reliability, coverage_curve
        Curves of the fused predictions.
    unknown_codes
        The U codes that the model does not know; each listing of theirs is an error.
    """

    n: int
    codes: tuple[str, ...]
    modalities: Mapping[str, ModalityFigures]
    per_code: tuple[CodeFigures, ...]
    confusions: tuple[Confusion, ...]
    matrix: NDArray[np.int64] = field(repr=False)
    reliability: tuple[ReliabilityBin, ...] = field(repr=False)
    coverage_curve: tuple[CoveragePoint, ...] = field(repr=False)
    unknown_codes: tuple[str, ...] = ()

    @property
    def fused(self) -> ModalityFigures:
        """Figures of what the model answers."""
        return self.modalities["fused"]

    def to_dict(self) -> dict[str, Any]:
        """The object that ``rayon evaluate --json`` prints."""
        return {
            "n": self.n,
            "codes": list(self.codes),
            "unknown_codes": list(self.unknown_codes),
            "modalities": {name: figures.to_dict() for name, figures in self.modalities.items()},
            "per_code": [code.to_dict() for code in self.per_code],
            "confusions": [asdict(confusion) for confusion in self.confusions],
        }


def _as_list(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)
