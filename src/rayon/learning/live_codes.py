"""Precision of each predicted code in a window of live service."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rayon.learning.bootstrap import ratio
from rayon.learning.live_sample import LiveSample, Strata
from rayon.learning.stratified import Estimate, exact_bounds


@dataclass(frozen=True, slots=True)
class CodePrecision:
    """How often a predicted code is right.

    Parameters
    ----------
    index
        Of the code, among the K.
    listings
        Predictions of the code in the window.
    labelled, right
        Those whose label counts, and how many of these are right.
    precision
        Share of the listings that is right; without an estimate where none of those that the audit could draw
        has a label.
    """

    index: int
    listings: int
    labelled: int
    right: int
    precision: Estimate


def precision_by_code(
    sample: LiveSample, strata: Strata, n_classes: int, confidence: float = 0.95
) -> tuple[CodePrecision, ...]:
    """Precision of the codes that were predicted and have a label that counts.

    Parameters
    ----------
    sample
        The N predictions.
    strata
        Theirs.
    n_classes
        K.
    confidence
        Of each interval by itself.

    Notes
    -----
    Strata that were audited with the same probability are one random sample of a code's listings, which has
    the interval of Clopper and Pearson. Where the listings of a code were audited with several probabilities,
    the intervals of these are added up, each at the level that makes the sum hold (Bonferroni). What was
    reviewed throughout is known. Pending listings are taken to be missing at random within a code.
    """
    everything = np.ones(len(sample), dtype=np.bool_)
    counted = (everything, strata.counts, strata.counts & sample.right)
    tables = [_by_group_and_code(sample, strata, chosen, n_classes) for chosen in counted]
    listings, labelled, right = (table.sum(axis=0) for table in tables)
    known_right = tables[2][0]
    bounds = _bounds_of_sampled(tables[0][1:], tables[1][1:], tables[2][1:], confidence)
    estimate, low, high = (ratio(known_right + part, listings) for part in bounds)
    estimate = np.clip(estimate, low, high)  # a rounding error may lie outside
    return tuple(
        CodePrecision(
            index=code,
            listings=int(listings[code]),
            labelled=int(labelled[code]),
            right=int(right[code]),
            precision=Estimate(
                None if np.isnan(estimate[code]) else float(estimate[code]),
                float(low[code]),
                float(high[code]),
            ),
        )
        for code in np.flatnonzero(labelled).tolist()
    )


def _bounds_of_sampled(
    listings: NDArray[np.int64], labelled: NDArray[np.int64], right: NDArray[np.int64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """How many of the sampled listings ``[levels, K]`` are right, by code: estimate (or NaN), low, high."""
    some, seen = listings > 0, labelled > 0
    tail = (1.0 - confidence) / np.maximum(some.sum(axis=0), 1)
    low, high = exact_bounds(right, labelled, 1.0 - tail)
    reached = (listings * seen).sum(axis=0)
    found = (listings * right / np.maximum(labelled, 1)).sum(axis=0)
    # A level without a label is taken to be like the others.
    estimate = np.where(some.any(axis=0), ratio(found * listings.sum(axis=0), reached), 0.0)
    return estimate, (listings * low).sum(axis=0), (listings * high).sum(axis=0)


def _by_group_and_code(
    sample: LiveSample, strata: Strata, chosen: NDArray[np.bool_], n_classes: int
) -> NDArray[np.int64]:
    """Number of chosen listings by predicted code; a row for known strata, then one by audit probability."""
    levels, level = np.unique(strata.audit_probability, return_inverse=True)
    group = np.where(strata.known, 0, 1 + level.reshape(-1))
    cells = group[strata.of_listing[chosen]] * n_classes + sample.predicted[chosen]
    shape = (1 + len(levels), n_classes)
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
