"""Histograms of signals, and the intervals that numbers are counted in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Histogram:
    """How many listings fall into each bin of a signal.

    Parameters
    ----------
    labels
        The B bins: categories from the most frequent one of training, or intervals from the lowest.
    counts
        ``int64[B]``.
    """

    labels: tuple[str, ...]
    counts: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Listings in all bins."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class SignalCounts:
    """The histogram of each signal, by its name."""

    histograms: dict[str, Histogram]

    def __add__(self, other: SignalCounts) -> SignalCounts:
        """Counts of both together, in the bins of one reference."""
        together = dict(self.histograms)
        for name, one in other.histograms.items():
            if name in together:
                one = Histogram(one.labels, together[name].counts + one.counts)
            together[name] = one
        return SignalCounts(together)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            name: {"labels": list(one.labels), "counts": one.counts.tolist()}
            for name, one in self.histograms.items()
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Mapping[str, Any]]) -> Self:
        """Make what `to_dict` gave into counts again."""
        return cls(
            {
                name: Histogram(tuple(one["labels"]), np.array(one["counts"], dtype=np.int64))
                for name, one in document.items()
            }
        )


def interval_edges(values: NDArray[np.float64], quantiles: Sequence[float]) -> NDArray[np.float64]:
    """Inner ends of intervals at quantiles of the values; an interval holds its upper end.

    Parameters
    ----------
    values
        ``float64[n]``.
    quantiles
        Ascending, 0 to 1.

    Returns
    -------
    ndarray
        ``float64[b]``, ascending. A value on which several quantiles fall has an interval of its own, so that
        it can be told from those below it; other intervals without any value there are none.
    """
    if not len(values):
        return np.empty(0)
    ends, times = np.unique(np.quantile(values, quantiles, method="inverted_cdf"), return_counts=True)
    common = ends[times > 1]
    single = ends[(times == 1) & (ends < values.max())]
    return np.asarray(np.unique(np.concatenate([single, common, _just_below(common)])), dtype=np.float64)


def interval_labels(edges: NDArray[np.float64]) -> tuple[str, ...]:
    """What the intervals between and beside the inner ends are called."""
    if not len(edges):
        return ("all",)
    ends = [_number(float(edge)) for edge in edges]
    alone = np.append(False, edges[:-1] == _just_below(edges[1:]))
    first = f"below {ends[1]}" if alone[1:2].any() else f"up to {ends[0]}"
    between = [
        ends[place] if alone[place] else f"{ends[place - 1]} to {ends[place]}"
        for place in range(1, len(ends))
    ]
    return (first, *between, f"above {ends[-1]}")


def _just_below(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.nextafter(values, -np.inf), dtype=np.float64)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
