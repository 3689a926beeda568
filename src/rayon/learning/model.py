"""The product classifier: everything between a listing and a decision, behind one door."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir
from typing import Any, Self
from uuid import uuid4
from weakref import finalize

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from rayon.data.listings import Listing, as_listings
from rayon.data.taxonomy import Taxonomy
from rayon.encoders.base import Features
from rayon.encoders.pipeline import available_cores
from rayon.errors import ListingError, NotFittedError
from rayon.learning.checks import check_parameters, check_sizes, checked_codes, seed_of, taxonomy_of
from rayon.learning.crossfit import Progress, silent
from rayon.learning.explain import Explanation, explain_listing
from rayon.learning.factory import Chosen, NetworkOptions, make_parts
from rayon.learning.finetuning.settings import NetworkTraining
from rayon.learning.fitting import Recipe, fit_all
from rayon.learning.modalities import by_part
from rayon.learning.network_fitting import OnEpoch, unheard
from rayon.learning.prediction import Alternative, Prediction
from rayon.learning.reference import Reference

_CHUNK = 4096
_MAX_ALTERNATIVES = 5
_MIN_ALTERNATIVES = 2
NOTHING_TO_CLASSIFY = "nothing to classify: no title, no description and no picture"


@dataclass(frozen=True)
class Scores:
    """What the model gives for N listings, as arrays.

    Parameters
    ----------
    fused
        `float64[N, K]`, calibrated; the prior where nothing could be used.
    probabilities
        Per part of a listing, ``"text"`` or ``"image"``, `float64[N, K]`, calibrated: what it alone would
        answer; NaN where it is missing.
    errors
        Position of a listing to the reason why a part of it could not be used.
    """

    fused: NDArray[np.float64]
    probabilities: dict[str, NDArray[np.float64]]
    errors: dict[int, str]

    def usable(self) -> NDArray[np.bool_]:
        """`bool[N]`: whether at least one modality could be used."""
        present = [~np.isnan(proba[:, 0]) for proba in self.probabilities.values()]
        return np.asarray(np.logical_or.reduce(present))


class ProductClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Classify listings by text and picture, with calibrated confidence and a promised precision.

    Parameters
    ----------
    text
        ``"ngrams"`` (no download), ``"none"``, ``"conv1d"`` (a network from scratch), ``"hf:"`` and the name
        or folder of pretrained weights, the path of an ONNX encoder, or a `TextEncoder`; or several of them,
        whose answers are stacked.
    image
        ``"builtin"`` (no download), ``"none"``, ``"cnn"`` (a network from scratch), ``"hf:"`` and the name or
        folder of pretrained weights, the path of an ONNX encoder, or an `ImageEncoder`; or several of them.
    precision
        What the accepted listings as a whole are promised to keep, with 95 % confidence, 0 to 1.
    folds
        How many parts cross-fitting uses.
    taxonomy
        Codes, labels and parents; a flat one of the codes that occur where it is not given.
    cache
        Folder where embeddings are kept between runs; none where not given.
    threads
        Worker threads; all cores where not given.
    random_state
        Seed from 0 on, or a `numpy.random.RandomState`; ``None`` draws one. The same data and seed give the
        same predictions.
    finetune
        Whether pretrained networks are trained on, and not only what stands on them.
    network
        How networks are trained, exported and cut off, see `NetworkTraining`.
    workspace
        Folder of pretrained weights, checkpoints and exported networks, which lets a training that was
        stopped go on; one that vanishes with the classifier where not given.

    Attributes
    ----------
    classes_
        `[K]`, the codes in the taxonomy's order, of the type that `fit` was given.
    taxonomy_
        Taxonomy of exactly these codes.
    reference_
        What the listings that it learned from look like, see `rayon.learning.reference`; ``None`` where the
        model folder was written before there was such a thing.
    recalibration_
        When and on what its thresholds were set again, JSON-ready; ``None`` where training set them.
    curves_
        Per modality whose network was trained, the figures of each epoch.
    network_training_
        How these were trained, JSON-ready: ``finetune``, and every option of `NetworkTraining`.
    training_folders_
        `TrainingFolder` of each trained network, kept in case the rest of the training is stopped; to be
        removed once the model is saved.

    Examples
    --------
    >>> from rayon import ProductClassifier
    >>> model = ProductClassifier(image="none")           # doctest: +SKIP
    >>> model.fit(["piscine ronde", "roman policier"], ["2583", "10"])  # doctest: +SKIP
    """

    def __init__(
        self,
        text: Chosen | Sequence[Chosen] = "ngrams",
        image: Chosen | Sequence[Chosen] = "builtin",
        precision: float = 0.98,
        folds: int = 5,
        taxonomy: Taxonomy | None = None,
        cache: Path | None = None,
        threads: int | None = None,
        random_state: Any = 0,
        finetune: bool = False,
        network: NetworkTraining | None = None,
        workspace: Path | None = None,
    ) -> None:
        self.text = text
        self.image = image
        self.precision = precision
        self.folds = folds
        self.taxonomy = taxonomy
        self.cache = cache
        self.threads = threads
        self.random_state = random_state
        self.finetune = finetune
        self.network = network
        self.workspace = workspace

    # ---------------------------------------------------------------- learning

    def fit(
        self,
        listings: Any,
        y: Iterable[Any],
        *,
        train_only: tuple[Any, Iterable[Any]] | None = None,
        progress: Progress = silent,
        on_epoch: OnEpoch = unheard,
    ) -> Self:
        """Learn from labelled listings.

        Parameters
        ----------
        listings
            N listings: a sequence of `Listing`, titles or mappings, or a data frame.
        y
            Their N codes, text or whole numbers.
        train_only
            More listings and codes that teach the heads and nothing else (weak labels, other sources).
        progress
            Told how far each stage is.
        on_epoch
            Told the modality and the figures of each epoch of a network's training.

        Raises
        ------
        TrainingError
            When the sizes differ, there is a single code, or too little to learn from.
        TaxonomyError
            When a code is not in the given taxonomy.
        """
        check_parameters(self.precision, self.folds)
        seed = seed_of(self.random_state)
        items, given = as_listings(listings), checked_codes(y)
        check_sizes(items, given)
        extra, extra_codes = (
            ([], []) if train_only is None else (as_listings(train_only[0]), checked_codes(train_only[1]))
        )
        check_sizes(extra, extra_codes)
        names = [str(code) for code in given + extra_codes]
        self.taxonomy_ = taxonomy_of(names, self.taxonomy)
        codes = self.taxonomy_.codes
        whole_numbers = all(isinstance(code, int | np.integer) for code in given + extra_codes)
        self.classes_ = np.array([int(code) for code in codes] if whole_numbers else codes)

        position = {code: index for index, code in enumerate(codes)}
        target = np.array([position[name] for name in names], dtype=np.int64)
        trusted = np.arange(len(names)) < len(given)
        options = self._network_options()
        parts = make_parts(
            self.text,
            self.image,
            options,
            cache=self.cache,
            threads=self.threads,
            random_state=seed,
        )
        recipe = Recipe(
            parts.modalities,
            parts.make_head,
            parts.networks,
            self.precision,
            self.folds,
            seed,
            self.threads or available_cores(),
        )
        fitted = fit_all(recipe, items + extra, target, trusted, codes, progress, on_epoch)
        self.modalities_ = fitted.modalities
        self.heads_, self.fusion_, self.policy_ = fitted.heads, fitted.fusion, fitted.policy
        self.sets_, self.neighbours_ = fitted.sets, fitted.neighbours
        self.cross_fitted_ = fitted.cross_fitted
        self.reference_: Reference | None = fitted.reference
        self.recalibration_: dict[str, Any] | None = None
        self.curves_: dict[str, list[dict[str, float]]] = fitted.curves
        self.network_training_ = {"finetune": self.finetune, **options.training.to_dict()}
        self.training_folders_ = fitted.folders
        self.training_errors_ = fitted.errors
        self.n_listings_ = {"trusted": len(items), "train_only": len(extra)}
        return self

    # --------------------------------------------------------------- answering

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy over all listings, those with nothing that can be used answered by the prior."""
        right = self.classes_[self.scores(X).fused.argmax(axis=1)] == np.asarray(list(y))
        return float(np.average(right, weights=sample_weight))

    def predict(self, listings: Any) -> NDArray[Any]:
        """Most probable code of each listing, `[N]`.

        Raises
        ------
        ListingError
            When a listing has nothing that can be used; `decide` answers for each listing apart.
        """
        top = self.predict_proba(listings).argmax(axis=1)
        codes: NDArray[Any] = self.classes_[top]
        return codes

    def predict_proba(self, listings: Any) -> NDArray[np.float64]:
        """Calibrated probabilities `float64[N, K]`, columns in the order of ``classes_``.

        Raises
        ------
        ListingError
            When a listing has nothing that can be used; `decide` answers for each listing apart.
        """
        scores = self.scores(listings)
        useless = np.flatnonzero(~scores.usable())
        if len(useless):
            row = int(useless[0])
            raise ListingError(
                f"Listing {row} cannot be classified: {scores.errors.get(row, NOTHING_TO_CLASSIFY)}",
                "Leave it out, or call decide, which gives each listing its own error",
            )
        return scores.fused

    def decide(self, listings: Any) -> list[Prediction]:
        """Answer for each listing: code, confidence, decision, reason, alternatives, or its error."""
        predictions: list[Prediction] = []
        for chunk in _chunks(as_listings(listings)):
            predictions += self._decide_chunk(self.scores(chunk))
        return predictions

    def scores(self, listings: Any) -> Scores:
        """Probabilities per modality and fused, with the parts that could not be used."""
        self._require_fitted()
        parts = [self._score_chunk(chunk) for chunk in _chunks(as_listings(listings))]
        errors: dict[int, str] = {}
        for number, part in enumerate(parts):
            errors |= {number * _CHUNK + row: error for row, error in part.errors.items()}
        if not parts:
            empty = np.empty((0, len(self.classes_)))
            return Scores(empty, dict.fromkeys(self.parts_, empty), {})
        return Scores(
            np.concatenate([part.fused for part in parts]),
            {name: np.concatenate([part.probabilities[name] for part in parts]) for name in self.parts_},
            errors,
        )

    def explain(self, listing: Any, code: Any = None, *, n_neighbours: int = 5) -> Explanation:
        """Why a listing got its code, or what speaks for another one.

        Parameters
        ----------
        listing
            One `Listing`, title or mapping.
        code
            The code to explain; the predicted one where it is not given.
        n_neighbours
            How many training listings to show.

        Raises
        ------
        TaxonomyError
            When the model does not know the code.
        ListingError
            When there is nothing to explain.
        """
        self._require_fitted()
        return explain_listing(self, as_listings([listing])[0], code, n_neighbours)

    def head_proba(self, name: str, features: Features) -> NDArray[np.float64]:
        """Uncalibrated probabilities `float64[n, K]` of one modality's head."""
        return np.asarray(self.heads_[name].predict_proba(features), dtype=np.float64)

    # ------------------------------------------------------------- persistence

    def save(self, folder: Path | str, *, overwrite: bool = False) -> None:
        """Write an immutable model folder with checksums; see `rayon.learning.storage`."""
        from rayon.learning.storage import save_model

        self._require_fitted()
        save_model(self, Path(folder), overwrite=overwrite)

    @classmethod
    def load(cls, folder: Path | str, *, cache: Path | None = None, threads: int | None = None) -> Self:
        """Read a model folder back after checking every byte of it; nothing is unpickled.

        Raises
        ------
        ModelError
            When a file is missing, changed or truncated, or the format is newer than this version reads.
        """
        from rayon.learning.storage import load_model

        return load_model(cls, Path(folder), cache=cache, threads=threads)

    # ----------------------------------------------------------------- details

    @property
    def parts_(self) -> dict[str, list[str]]:
        """Parts of a listing that it looks at, ``"text"`` and ``"image"``, to the modalities that do."""
        return by_part(modality.name for modality in self.modalities_)

    def _require_fitted(self) -> None:
        if not hasattr(self, "heads_"):
            raise NotFittedError(
                "This ProductClassifier has not learned anything yet", "Call fit first, or load a model"
            )

    def _score_chunk(self, listings: Sequence[Listing]) -> Scores:
        errors: dict[int, str] = {}
        probabilities = {}
        for modality in self.modalities_:
            encoded = modality.encode(listings)
            proba = np.full((len(listings), len(self.classes_)), np.nan)
            if len(encoded.rows):
                proba[encoded.rows] = self.head_proba(modality.name, encoded.features)
            probabilities[modality.name] = proba
            errors |= encoded.errors
        alone = {
            part: self._alone({name: probabilities[name] for name in names})
            for part, names in self.parts_.items()
        }
        return Scores(self.fusion_.predict_proba(probabilities), alone, errors)

    def _alone(self, given: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """What the model answers with these modalities alone; rows of NaN where all are missing."""
        missing = np.logical_and.reduce([np.isnan(proba[:, 0]) for proba in given.values()])
        answers = self.fusion_.predict_proba(given)
        answers[missing] = np.nan
        return answers

    def _network_options(self) -> NetworkOptions:
        workspace = self.workspace
        if workspace is None:
            # Made where a network needs it. What is exported has to stay there until it is saved.
            workspace = Path(gettempdir()) / f"rayon-networks-{uuid4().hex}"
            finalize(self, rmtree, workspace, ignore_errors=True)
        return NetworkOptions(workspace, self.finetune, self.network or NetworkTraining())

    def _decide_chunk(self, scores: Scores) -> list[Prediction]:
        usable = scores.usable()
        decisions = self.policy_.decide(scores.fused)
        sets = self.sets_.sets(scores.fused)
        ranked = np.argsort(-scores.fused, axis=1, kind="stable")
        predictions = []
        for row, decision in enumerate(decisions):
            error = scores.errors.get(row, "")
            if not usable[row]:
                predictions.append(_without_answer(error or NOTHING_TO_CLASSIFY))
                continue
            order = ranked[row]
            present = [n for n, proba in scores.probabilities.items() if not np.isnan(proba[row, 0])]
            shown = min(max(int(sets[row].sum()) - 1, _MIN_ALTERNATIVES), _MAX_ALTERNATIVES)
            top = self._alternative(int(order[0]), scores.fused[row])
            predictions.append(
                Prediction(
                    code=top.code,
                    label=top.label,
                    confidence=top.confidence,
                    decision="accept" if decision.accept else "review",
                    reason=str(decision.reason),
                    threshold=decision.threshold,
                    modalities=tuple(present),
                    degraded=bool(error),
                    alternatives=tuple(
                        self._alternative(int(index), scores.fused[row]) for index in order[1 : shown + 1]
                    ),
                    scores={
                        name: self._alternative(
                            int(scores.probabilities[name][row].argmax()), scores.probabilities[name][row]
                        )
                        for name in present
                    },
                    score=round(decision.score, 6),
                    error=error,
                )
            )
        return predictions

    def _alternative(self, index: int, proba: NDArray[np.float64]) -> Alternative:
        code = self.taxonomy_.codes[index]
        return Alternative(code, self.taxonomy_.label(code), round(float(proba[index]), 6))


def _without_answer(error: str) -> Prediction:
    return Prediction("", "", 0.0, "review", "error", None, (), degraded=True, error=error)


def _chunks(listings: Sequence[Listing]) -> Iterator[Sequence[Listing]]:
    for start in range(0, len(listings), _CHUNK):
        yield listings[start : start + _CHUNK]
