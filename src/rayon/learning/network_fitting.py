"""How a network is trained within a model: what it may see, and who scores what it has not seen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rayon.data.listings import Listing
from rayon.data.splits import grouped_holdout
from rayon.learning.crossfit import Progress
from rayon.learning.finetuning.head import LinearHead
from rayon.learning.finetuning.modality import Learned, Lesson, TrainableModality
from rayon.learning.finetuning.settings import SMALL, NetworkTraining
from rayon.learning.finetuning.workspace import TrainingFolder
from rayon.learning.modalities import Encoded, Modality

_LOG = logging.getLogger(__name__)

HELD_OUT = 0.1
"""Share of the listings that a network trained once never sees."""

OnEpoch = Callable[[str, dict[str, float]], None]
"""Told the name of a modality and the figures of an epoch of its training."""


def unheard(name: str, figures: dict[str, float]) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Material:
    """What a model learns from.

    Parameters
    ----------
    listings, y, n_classes
        N listings, `int64[N]` class indices, and K.
    trusted
        `bool[N]`.
    groups, folds
        `int64[N]`, the same for near-duplicates, and the fold of each listing.
    seed, threads
        What decides whatever is drawn at random, and worker threads.
    """

    listings: Sequence[Listing]
    y: NDArray[np.int64]
    n_classes: int
    trusted: NDArray[np.bool_]
    groups: NDArray[np.int64]
    folds: NDArray[np.int64]
    seed: int
    threads: int


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network in its place in the model.

    Parameters
    ----------
    modality, head
        Those that will serve.
    probabilities
        `float64[N, K]`, from a network that never saw the listing; NaN where there is none.
    curve
        Figures of each epoch.
    folders
        Where what was trained is kept.
    errors
        Position of a listing to the reason why it could not be scored.
    """

    modality: Modality
    head: LinearHead
    probabilities: NDArray[np.float64]
    curve: list[dict[str, float]]
    folders: list[TrainingFolder]
    errors: dict[int, str]


def hold_out(networks: Sequence[TrainableModality], material: Material) -> NDArray[np.bool_] | None:
    """`bool[N]`: listings that no network sees; ``None`` where they are cross-fitted, or there are none.

    One set for all of them, as fusion learns from listings that none has seen.
    """
    if not networks or _by_folds(networks[0].training, material):
        return None
    return grouped_holdout(material.y, material.groups, HELD_OUT, random_state=material.seed)


def fit_network(
    network: TrainableModality,
    material: Material,
    held_out: NDArray[np.bool_] | None,
    progress: Progress,
    on_epoch: OnEpoch,
) -> FittedNetwork | None:
    """Train a network and score what it has not seen; ``None`` where it cannot learn, or not be scored.

    Parameters
    ----------
    network
        What is to be trained.
    material
        What it learns from.
    held_out
        From `hold_out`. Where it is ``None``, a network is trained for each fold to score it, and one on all;
        else one that scores these, and another on all if the network is to be refitted.
    progress, on_epoch
        Told how far the training is, and how good.
    """
    rows = network.usable(material.listings)
    if len(np.unique(material.y[rows])) < 2:
        _left_out(network, "fewer than two codes have listings for it", [])
        return None
    rounds = _rounds(network.training, material, rows, held_out)
    proba = np.full((len(material.y), material.n_classes), np.nan)
    folders: list[TrainingFolder] = []
    errors: dict[int, str] = {}
    for number, outside in enumerate(rounds):
        last = number == len(rounds) - 1
        if last and number and np.isnan(proba[:, 0]).all():
            break  # nothing could be scored, so the one that would serve need not be trained
        teach = rows[~outside[rows]]
        scored = rows[outside[rows] & material.trusted[rows]]
        can_learn = len(np.unique(material.y[teach])) > 1
        if not last and not (can_learn and len(scored)):
            continue
        if not can_learn:
            _left_out(network, "there is too little that it could learn from", folders)
            return None
        learned = _train(network, material, teach, (number, len(rounds)), progress, on_epoch)
        folders.append(learned.folder)
        encoded = _encode(learned.modality, material.listings, scored)
        errors |= encoded.errors
        if len(encoded.rows):
            proba[encoded.rows] = learned.head.predict_proba(encoded.features)
    if np.isnan(proba[:, 0]).all():
        # It would be served on nobody's word.
        _left_out(network, "none of the listings that it has not seen could be scored", folders)
        return None
    return FittedNetwork(learned.modality, learned.head, proba, learned.curve, folders, errors)


def _rounds(
    training: NetworkTraining,
    material: Material,
    rows: NDArray[np.int64],
    held_out: NDArray[np.bool_] | None,
) -> list[NDArray[np.bool_]]:
    """`bool[N]` for each training: what it does not see. The network of the last is the one that serves."""
    everything_seen = np.zeros(len(material.y), bool)
    if held_out is None:
        return [*(material.folds == fold for fold in np.unique(material.folds[rows])), everything_seen]
    return [held_out, everything_seen] if training.refit else [held_out]


def _left_out(network: TrainableModality, why: str, folders: Sequence[TrainingFolder]) -> None:
    for folder in folders:
        folder.remove()
    _LOG.warning("The network %s is left out: %s", network.name, why)


def _train(
    network: TrainableModality,
    material: Material,
    rows: NDArray[np.int64],
    place: tuple[int, int],
    progress: Progress,
    on_epoch: OnEpoch,
) -> Learned:
    stage = f"Training {network.name}"
    number, rounds = place
    lesson = Lesson(
        material.listings,
        material.y,
        material.n_classes,
        material.groups,
        material.seed,
        material.threads,
        lambda done, total: progress(stage, number * total + done, rounds * total),
        # Of several networks the last is the one that serves.
        lambda figures: on_epoch(network.name, figures) if number == rounds - 1 else None,
    )
    return network.train(lesson.of(rows))


def _encode(modality: Modality, listings: Sequence[Listing], rows: NDArray[np.int64]) -> Encoded:
    """Vectors of some listings, with rows counted among all."""
    encoded = modality.encode([listings[row] for row in rows])
    errors = {int(rows[row]): error for row, error in encoded.errors.items()}
    return Encoded(rows[encoded.rows], encoded.features, errors)


def _by_folds(training: NetworkTraining, material: Material) -> bool:
    if training.held_out == "auto":
        return int(material.trusted.sum()) < SMALL
    return training.held_out == "folds"
