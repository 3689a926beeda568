"""Splits that keep near-duplicates on one side and every code in its proportion."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rayon.errors import TrainingError


def grouped_folds(
    y: ArrayLike, groups: ArrayLike, n_folds: int = 5, random_state: int = 0
) -> NDArray[np.int64]:
    """Fold of every listing: groups are never torn apart, codes are spread as evenly as that allows.

    Groups are placed one after the other, the largest first, each where it raises the squared deviation
    from the codes' even spread the least; a greedy form of the stratified group k-fold of scikit-learn
    that takes linear time. A code with fewer groups than folds is absent from some of them.

    Parameters
    ----------
    y
        `[N]`, class of each listing.
    groups
        `[N]`, group of each listing, as `duplicate_groups` gives them.
    n_folds
        Number of folds, at least 2. No fold is empty.
    random_state
        Seed of the order among groups of one size. Same input, same seed: same folds.

    Returns
    -------
    ndarray
        `int64[N]`, from 0 to ``n_folds - 1``.

    Raises
    ------
    TrainingError
        When there are fewer groups than folds, or the arrays do not fit together.
    """
    if n_folds < 2:
        raise TrainingError(f"{n_folds} folds are too few to cross-validate", "Take at least 2")
    classes, members = _check(y, groups)
    if len(members) < n_folds:
        raise TrainingError(
            f"{n_folds} folds need at least {n_folds} listings that are no duplicates of each other; "
            f"there are {len(members)}",
            "Take fewer folds, or give more listings",
        )
    return _spread(classes, members, np.full(n_folds, 1.0 / n_folds), random_state)


def grouped_holdout(
    y: ArrayLike, groups: ArrayLike, share: float = 0.2, random_state: int = 0
) -> NDArray[np.bool_]:
    """Which listings to hold out: whole groups, about `share` of each code.

    Parameters
    ----------
    y
        `[N]`, class of each listing.
    groups
        `[N]`, group of each listing.
    share
        Wanted share of the listings, between 0 and 1. A code with a single listing keeps it on the larger
        side.
    random_state
        Seed of the order among groups of one size.

    Returns
    -------
    ndarray
        `bool[N]`, true where a listing is held out.

    Raises
    ------
    TrainingError
        When the share is out of range, or the arrays do not fit together.
    """
    if not 0.0 < share < 1.0:
        raise TrainingError(f"A share of {share} cannot be held out", "Give one between 0 and 1")
    classes, members = _check(y, groups)
    side = _spread(classes, members, np.array([1.0 - share, share]), random_state)
    held: NDArray[np.bool_] = side == 1
    return held


def _check(y: ArrayLike, groups: ArrayLike) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    labels, ids = np.asarray(y), np.asarray(groups)
    if labels.ndim != 1 or labels.shape != ids.shape:
        raise TrainingError(
            f"Codes and groups do not fit together: their shapes are {labels.shape} and {ids.shape}",
            "Give one of each for every listing",
        )
    if not len(labels):
        raise TrainingError("There are no listings to split", "Give some")
    classes = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    group = np.unique(ids, return_inverse=True)[1]
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order])) + 1
    return classes, [part.astype(np.int64) for part in np.split(order, starts)]


def _spread(
    classes: NDArray[np.int64], members: list[NDArray[np.int64]], shares: NDArray[np.float64], seed: int
) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    sizes = np.array([len(part) for part in members])
    order = np.lexsort((rng.permutation(len(members)), -sizes))
    totals = np.bincount(classes).astype(np.float64)
    counts = np.zeros((len(shares), len(totals)))
    filled = np.zeros(len(shares))
    side = np.empty(len(classes), dtype=np.int64)
    several = int(np.count_nonzero(sizes > 1))
    for place in order[:several]:
        rows = members[place]
        present, added = np.unique(classes[rows], return_counts=True)
        # the growth of sum((count - share * total)^2 / (share * total)), its constant part left out
        cost = ((2 * counts[:, present] + added) * (added / totals[present])).sum(axis=1) / shares
        best = int(np.lexsort((filled / shares, np.round(cost, 9)))[0])
        counts[best, present] += added
        filled[best] += len(rows)
        side[rows] = best
    _place_single(classes, members, order[several:], counts, filled, shares, side)
    return side


def _place_single(
    classes: NDArray[np.int64],
    members: list[NDArray[np.int64]],
    order: NDArray[np.int64],
    counts: NDArray[np.float64],
    filled: NDArray[np.float64],
    shares: NDArray[np.float64],
    side: NDArray[np.int64],
) -> None:
    # Plain lists: on vectors of five numbers they are several times faster than numpy.
    per_class = counts.T.tolist()
    full = filled.tolist()
    weight = (1.0 / shares).tolist()
    folds = range(len(weight))
    frequency = np.bincount(classes)
    single = np.array([members[place][0] for place in order], dtype=np.int64)
    # frequent codes first, so that the rare ones, which fit anywhere, level the sizes of the folds
    for row in single[np.argsort(-frequency[classes[single]], kind="stable")].tolist():
        column = per_class[classes[row]]
        best = min(folds, key=lambda f: (round((2 * column[f] + 1) * weight[f], 9), full[f] * weight[f]))
        column[best] += 1
        full[best] += 1
        side[row] = best
