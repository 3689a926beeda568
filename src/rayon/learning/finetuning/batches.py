"""Which listings go through the network together, and in which order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rayon.learning.finetuning.settings import Balance

_BATCHES_A_WINDOW = 64


def epoch_batches(
    lengths: NDArray[np.int64],
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    weights: NDArray[np.float64] | None = None,
) -> list[NDArray[np.int64]]:
    """Batches of one epoch, in which listings of about the same length go together.

    Listings are shuffled, sorted by length within windows of 64 batches, and the batches are shuffled again:
    little padding, and still another order each epoch. The same arguments give the same batches, which is
    what lets an interrupted epoch go on.

    Parameters
    ----------
    lengths
        `int64[n]`, of each listing.
    batch_size
        Listings a batch; the last of a window may have fewer.
    seed, epoch
        Decide the order.
    weights
        `float64[n]`: how often a listing is drawn, with replacement; all of them once where not given.

    Returns
    -------
    list of ndarray
        Rows of each batch.
    """
    rng = np.random.default_rng([seed, epoch])
    n = len(lengths)
    rows = rng.permutation(n) if weights is None else rng.choice(n, n, p=weights / weights.sum())
    batches: list[NDArray[np.int64]] = []
    for start in range(0, n, batch_size * _BATCHES_A_WINDOW):
        window = rows[start : start + batch_size * _BATCHES_A_WINDOW]
        window = window[np.argsort(lengths[window], kind="stable")]
        batches += [window[at : at + batch_size] for at in range(0, len(window), batch_size)]
    return [batches[index] for index in rng.permutation(len(batches))]


def rarity(y: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """How much rarer than the average each listing's code is, as a square root: `float64[n]`, mean 1.

    The full inverse of the frequency makes a few listings of a rare code count for hundreds; its square root
    is the usual middle way.
    """
    weight = 1 / np.sqrt(np.maximum(np.bincount(y, minlength=n_classes), 1))[y]
    return np.asarray(weight / weight.mean())


def draw_weights(balance: Balance, y: NDArray[np.int64], n_classes: int) -> NDArray[np.float64] | None:
    """How often each listing is drawn; ``None`` for once each."""
    return rarity(y, n_classes) if balance == "sampling" else None
