"""How a model learns: heads, then fusion, then the decision policy, each on what the former never saw.

The order matters more than any single part:

1. all listings are encoded once, and near-duplicates are put into the same fold;
2. heads are cross-fitted: every trusted listing gets probabilities from heads that never saw it;
   a network that is trained brings probabilities of listings that it never saw, which may be a part of them:
   from then on these alone count;
3. fusion and its calibration learn from those out-of-fold probabilities;
4. fusion is cross-fitted over the same folds, so that each fused distribution comes from heads and a fusion
   that never saw the listing; the decision policy learns its threshold from these, and its own figures are
   cross-fitted once more;
5. heads are refitted on everything;
6. the trusted listings are measured, with what 4 answered them, for later ones to be compared with.

Train-only listings take part in 1, 2 (as teachers), 5, and 6 (their words are known), and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from rayon.data.duplicates import duplicate_groups
from rayon.data.listings import Listing
from rayon.data.splits import grouped_folds
from rayon.errors import TrainingError
from rayon.learning.crossfit import Progress, cross_fit, cross_fit_by_fold
from rayon.learning.decision import DecisionPolicy
from rayon.learning.finetuning.modality import TrainableModality
from rayon.learning.finetuning.workspace import TrainingFolder
from rayon.learning.fusion import LateFusion
from rayon.learning.heads import Head
from rayon.learning.modalities import Encoded, Modality, by_part
from rayon.learning.neighbours import NeighbourIndex
from rayon.learning.network_fitting import Material, OnEpoch, fit_network, hold_out
from rayon.learning.prediction_sets import PredictionSets
from rayon.learning.reference import Reference

MIN_TRUSTED = 20
"""Fewer trusted listings than this cannot tell anything about quality."""


@dataclass(frozen=True)
class Recipe:
    """What to fit: the modalities with their heads, those whose network is trained, and the promise."""

    modalities: Sequence[Modality]
    make_head: Mapping[str, Callable[[], Head]]
    networks: Sequence[TrainableModality]
    precision: float
    folds: int
    random_state: int
    threads: int


@dataclass(frozen=True)
class CrossFitted:
    """What the trusted listings got from a model that never saw them; the basis of the card's figures.

    Parameters
    ----------
    y
        `int64[M]`, class indices of the trusted listings.
    probabilities
        Per part of a listing `float64[M, K]`, what it alone would answer, calibrated; NaN where missing.
    fused
        `float64[M, K]`.
    accepted
        `bool[M]`, by policies that never saw the listing.
    """

    y: NDArray[np.int64]
    probabilities: dict[str, NDArray[np.float64]]
    fused: NDArray[np.float64]
    accepted: NDArray[np.bool_]


@dataclass(frozen=True)
class Fitted:
    """All that was learned.

    ``modalities`` are those that taught something; ``curves`` and ``folders`` are those of trained networks.
    """

    modalities: list[Modality]
    heads: dict[str, Head]
    fusion: LateFusion
    policy: DecisionPolicy
    sets: PredictionSets
    neighbours: NeighbourIndex
    reference: Reference
    cross_fitted: CrossFitted
    curves: dict[str, list[dict[str, float]]]
    folders: list[TrainingFolder]
    errors: dict[int, str]


def fit_all(
    recipe: Recipe,
    listings: Sequence[Listing],
    y: NDArray[np.int64],
    trusted: NDArray[np.bool_],
    codes: Sequence[str],
    progress: Progress,
    on_epoch: OnEpoch,
) -> Fitted:
    """Learn everything from listings, of which only the trusted ones calibrate and score.

    Parameters
    ----------
    recipe
        What to fit.
    listings
        N of them.
    y
        `int64[N]`, class indices, 0 to K - 1.
    trusted
        `bool[N]`; the others are train-only.
    codes
        The K codes, for the neighbours.
    progress
        Told how far each stage is.
    on_epoch
        Told how good networks are after each epoch of their training.

    Raises
    ------
    TrainingError
        When there is a single code, too few trusted listings, or no modality that any listing has.
    """
    # The matrices are small: threads inside BLAS cost many times what they bring (20 times, measured).
    with threadpool_limits(limits=1, user_api="blas"):
        return _fit_all(recipe, listings, y, trusted, codes, progress, on_epoch)


def _fit_all(
    recipe: Recipe,
    listings: Sequence[Listing],
    y: NDArray[np.int64],
    trusted: NDArray[np.bool_],
    codes: Sequence[str],
    progress: Progress,
    on_epoch: OnEpoch,
) -> Fitted:
    _refuse_hopeless(y, trusted)
    encoded = {m.name: _encode(m, listings, progress) for m in recipe.modalities}
    encoded = {name: part for name, part in encoded.items() if len(np.unique(y[part.rows])) > 1}
    material = _material(recipe, listings, y, trusted, len(codes), progress)
    unseen = hold_out(recipe.networks, material)
    if unseen is not None:
        _refuse_too_few(int((trusted & unseen).sum()), kept=True)
    heads, held_out = _fit_heads(recipe, encoded, material, progress)
    networks = {
        network.name: fitted
        for network in recipe.networks
        if (fitted := fit_network(network, material, unseen, progress, on_epoch)) is not None
    }
    if not networks:
        unseen = None  # which would keep nine tenths from fusion for nothing
    heads |= {name: fitted.head for name, fitted in networks.items()}
    held_out |= {name: fitted.probabilities for name, fitted in networks.items()}
    if not heads:
        raise TrainingError(
            "No part of the listings can teach a model", "Give titles, descriptions or readable pictures"
        )
    known = np.flatnonzero(trusted & _any_present(held_out) & (True if unseen is None else unseen))
    _refuse_too_few(len(known), kept=unseen is not None)
    folds = material.folds[known]
    if unseen is not None:
        # The tenth that was held out lies unevenly in the folds of all, whole codes of it in a single one.
        folds = grouped_folds(
            y[known], material.groups[known], n_folds=recipe.folds, random_state=recipe.random_state
        )
    scores = {name: proba[known] for name, proba in held_out.items()}
    progress("Fusion and promise", 0, 3)
    fusion = LateFusion(random_state=recipe.random_state).fit(scores, y[known], len(codes))
    progress("Fusion and promise", 1, 3)
    cross_fitted = _cross_fit_fusion(recipe, scores, y[known], folds, len(codes))
    progress("Fusion and promise", 2, 3)
    policy = DecisionPolicy(precision=recipe.precision).fit(cross_fitted.fused, cross_fitted.y)
    sets = PredictionSets().fit(cross_fitted.fused, cross_fitted.y)
    progress("Fusion and promise", 3, 3)
    shown = encoded | _only_looks(
        {name: fitted.modality for name, fitted in networks.items()}, encoded, listings
    )
    neighbours = NeighbourIndex.build(listings, [codes[i] for i in y], shown)
    reference = _measure(recipe, listings, known, cross_fitted, codes, list(by_part(heads)), progress)
    errors = [part.errors for part in (*encoded.values(), *shown.values())]
    errors += [fitted.errors for fitted in networks.values()]
    return Fitted(
        [m for m in recipe.modalities if m.name in encoded] + [n.modality for n in networks.values()],
        heads,
        fusion,
        policy,
        sets,
        neighbours,
        reference,
        cross_fitted,
        {name: fitted.curve for name, fitted in networks.items()},
        [folder for fitted in networks.values() for folder in fitted.folders],
        {row: error for some in errors for row, error in some.items()},
    )


def _only_looks(
    networks: Mapping[str, Modality], encoded: Mapping[str, Encoded], listings: Sequence[Listing]
) -> dict[str, Encoded]:
    """Vectors of all listings by the first network of each part that nothing else has encoded."""
    seen = by_part(encoded)
    firsts = [names[0] for part, names in by_part(networks).items() if part not in seen]
    return {name: networks[name].encode(listings) for name in firsts}


def _refuse_hopeless(y: NDArray[np.int64], trusted: NDArray[np.bool_]) -> None:
    if len(np.unique(y)) < 2:
        raise TrainingError(
            "All listings have the same code, so there is nothing to tell apart",
            "Add listings of at least one other code",
        )
    if trusted.sum() < MIN_TRUSTED:
        raise TrainingError(
            f"There are {int(trusted.sum())} trusted listings, and at least {MIN_TRUSTED} are needed",
            "Add listings whose labels are true; train-only ones do not count",
        )


def _refuse_too_few(scored: int, *, kept: bool) -> None:
    if scored < MIN_TRUSTED:
        raise TrainingError(
            f"Only {scored} trusted listings could be scored, and at least {MIN_TRUSTED} are needed",
            "Add listings whose labels are true"
            + (", or cross-fit the networks: held_out=folds" if kept else ""),
        )


def _encode(modality: Modality, listings: Sequence[Listing], progress: Progress) -> Encoded:
    stage, reached = f"Encoding {modality.name}", 0

    def tell(done: int) -> None:
        nonlocal reached
        reached = done
        progress(stage, done, len(listings))

    tell(0)
    encoded = modality.encode(listings, tell)
    if reached < len(listings):  # some have nothing to encode
        tell(len(listings))
    return encoded


def _material(
    recipe: Recipe,
    listings: Sequence[Listing],
    y: NDArray[np.int64],
    trusted: NDArray[np.bool_],
    n_classes: int,
    progress: Progress,
) -> Material:
    progress("Finding near-duplicates", 0, 1)
    groups = duplicate_groups(listings)
    progress("Finding near-duplicates", 1, 1)
    folds = grouped_folds(y, groups, n_folds=recipe.folds, random_state=recipe.random_state)
    return Material(listings, y, n_classes, trusted, groups, folds, recipe.random_state, recipe.threads)


def _fit_heads(
    recipe: Recipe,
    encoded: Mapping[str, Encoded],
    material: Material,
    progress: Progress,
) -> tuple[dict[str, Head], dict[str, NDArray[np.float64]]]:
    heads: dict[str, Head] = {}
    held_out: dict[str, NDArray[np.float64]] = {}
    y, folds, trusted, n_classes = material.y, material.folds, material.trusted, material.n_classes
    for name, part in encoded.items():
        stage, rounds = f"Learning from {name}", recipe.folds + 1
        progress(stage, 0, rounds)
        proba = np.full((len(y), n_classes), np.nan)
        proba[part.rows] = cross_fit(
            recipe.make_head[name],
            part.features,
            y[part.rows],
            folds[part.rows],
            trusted[part.rows],
            n_classes,
            # Text heads use several threads themselves, and their features are large.
            threads=1 if sparse.issparse(part.features) else recipe.threads,
            on_fold=lambda done, stage=stage, rounds=rounds: progress(stage, done, rounds),  # type: ignore[misc]
        )
        heads[name] = recipe.make_head[name]().fit(part.features, y[part.rows], n_classes)
        held_out[name] = proba
        progress(stage, rounds, rounds)
    return heads, held_out


def _cross_fit_fusion(
    recipe: Recipe,
    scores: Mapping[str, NDArray[np.float64]],
    y: NDArray[np.int64],
    folds: NDArray[np.int64],
    n_classes: int,
) -> CrossFitted:
    def fuse(learn: NDArray[np.intp], predict: NDArray[np.intp]) -> NDArray[np.float64]:
        fusion = LateFusion(random_state=recipe.random_state)
        fusion.fit({name: proba[learn] for name, proba in scores.items()}, y[learn], n_classes)
        return fusion.predict_proba({name: proba[predict] for name, proba in scores.items()})

    fused = cross_fit_by_fold(fuse, folds, np.empty((len(y), n_classes)))
    parts = by_part(scores)
    alone = {
        # A single part is all there is anyway.
        part: fused if len(parts) == 1 else _cross_fit_alone(recipe, {n: scores[n] for n in names}, y, folds)
        for part, names in parts.items()
    }

    def accept(learn: NDArray[np.intp], predict: NDArray[np.intp]) -> NDArray[np.bool_]:
        return DecisionPolicy(precision=recipe.precision).fit(fused[learn], y[learn]).accept(fused[predict])

    accepted = cross_fit_by_fold(accept, folds, np.zeros(len(y), dtype=bool))
    return CrossFitted(y, alone, fused, accepted)


def _cross_fit_alone(
    recipe: Recipe, scores: Mapping[str, NDArray[np.float64]], y: NDArray[np.int64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What the model answers where this part is all there is; NaN where it is missing."""
    first = next(iter(scores.values()))
    alone = np.full_like(first, np.nan)
    rows = np.flatnonzero(_any_present(scores))

    def calibrate(learn: NDArray[np.intp], predict: NDArray[np.intp]) -> NDArray[np.float64]:
        fusion = LateFusion(random_state=recipe.random_state)
        fusion.fit(
            {name: proba[rows[learn]] for name, proba in scores.items()}, y[rows[learn]], first.shape[1]
        )
        return fusion.predict_proba({name: proba[rows[predict]] for name, proba in scores.items()})

    if len(np.unique(folds[rows])) > 1:
        alone[rows] = cross_fit_by_fold(calibrate, folds[rows], np.empty((len(rows), first.shape[1])))
    return alone


def _measure(
    recipe: Recipe,
    listings: Sequence[Listing],
    known: NDArray[np.intp],
    cross_fitted: CrossFitted,
    codes: Sequence[str],
    modalities: Sequence[str],
    progress: Progress,
) -> Reference:
    """What the trusted listings look like, for later listings to be compared with."""
    stage = "Measuring for drift"
    progress(stage, 0, 1)
    fused = cross_fitted.fused
    reference = Reference.learn(
        listings,
        known,
        fused.max(axis=1),
        [codes[index] for index in fused.argmax(axis=1)],
        modalities,
        seed=recipe.random_state,
        threads=recipe.threads,
    )
    progress(stage, 1, 1)
    return reference


def _any_present(probabilities: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
    present = [~np.isnan(proba[:, 0]) for proba in probabilities.values()]
    return np.asarray(np.logical_or.reduce(present))
