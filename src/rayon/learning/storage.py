"""A product classifier to a model folder and back.

The folder holds::

    model.json         what it is made of, what it learned from, its figures and its promise
    MODEL_CARD.md      the same for people
    taxonomy.json      codes, labels and parents
    head_text.npz      weights of the text head; head_image.npz likewise
    fusion.npz  policy.npz  sets.npz  neighbours.npz
    reference.npz      what the trusted listings look like, for drift; older folders lack it
    cross_fitted.npz   probabilities that the trusted listings got from heads that never saw them
    encoder-image.onnx where the image encoder is an ONNX file; encoder-text.onnx and tokenizer-text.json
                       likewise. Several encoders of a part are named as in model.json: head_text-conv1d.npz
    checksums.json     SHA-256 of every other file
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rayon import __version__
from rayon.data.taxonomy import Category, Taxonomy
from rayon.encoders.onnx_session import encoder_file, tokenizer_file
from rayon.encoders.onnx_text import OnnxTextEncoder
from rayon.errors import ModelError
from rayon.learning.card import model_card
from rayon.learning.decision import DecisionPolicy
from rayon.learning.evaluation import evaluate
from rayon.learning.factory import head_from_state, modality_from_spec
from rayon.learning.figures import Evaluation
from rayon.learning.fitting import CrossFitted
from rayon.learning.fusion import LateFusion
from rayon.learning.model import ProductClassifier
from rayon.learning.model_files import FORMAT_VERSION, MODEL_FILE, ModelReader, writing_model
from rayon.learning.neighbours import NeighbourIndex
from rayon.learning.prediction_sets import PredictionSets
from rayon.learning.reference import Reference

CARD_FILE = "MODEL_CARD.md"
_REFERENCE_FILE = "reference.npz"
M = TypeVar("M", bound=ProductClassifier)


def save_model(model: ProductClassifier, folder: Path, *, overwrite: bool = False) -> None:
    """Write the folder as a whole or not at all; see the module's page for what is in it."""
    with writing_model(folder, overwrite=overwrite) as writer:
        for modality in model.modalities_:
            encoder = getattr(modality, "encoder", None)
            if isinstance(onnx := getattr(encoder, "path", None), Path):
                writer.copy(encoder_file(modality.name), onnx)
            if isinstance(encoder, OnnxTextEncoder):
                writer.copy(tokenizer_file(modality.name), encoder.tokenizer_path)
        for name, head in model.heads_.items():
            writer.write_arrays(f"head_{name}.npz", head.to_arrays())
        writer.write_arrays("fusion.npz", model.fusion_.to_arrays())
        writer.write_arrays("policy.npz", model.policy_.to_arrays())
        writer.write_arrays("sets.npz", model.sets_.to_arrays())
        writer.write_arrays("neighbours.npz", model.neighbours_.to_arrays())
        if model.reference_ is not None:
            writer.write_arrays(_REFERENCE_FILE, model.reference_.to_arrays())
        writer.write_arrays("cross_fitted.npz", _cross_fitted_arrays(model.cross_fitted_))
        writer.write_json("taxonomy.json", model.taxonomy_.to_rows())
        document = describe(model)
        writer.write_json(MODEL_FILE, document)
        writer.write_text(CARD_FILE, model_card(document))
    model.version_ = ModelReader(folder).fingerprint()


def load_model(kind: type[M], folder: Path, *, cache: Path | None, threads: int | None) -> M:
    """Read the folder back after checking every byte of it."""
    reader = ModelReader(folder)
    try:
        return _rebuild(kind, reader, cache, threads)
    except (KeyError, TypeError, IndexError) as error:
        raise ModelError(
            f"The model file {folder / MODEL_FILE} lacks {error}",
            "It may come from another Rayon; train again",
        ) from None


def read_taxonomy(reader: ModelReader) -> Taxonomy:
    """Codes, labels and parents of a model folder."""
    return Taxonomy(Category(**row) for row in reader.read_json("taxonomy.json"))


def read_reference(reader: ModelReader) -> Reference | None:
    """What the training listings of a model folder look like; ``None`` where it is older than that."""
    if not reader.has(_REFERENCE_FILE):
        return None
    return Reference.from_arrays(reader.read_arrays(_REFERENCE_FILE))


def read_policy(reader: ModelReader) -> DecisionPolicy:
    """What decides about the answers of a model folder."""
    return DecisionPolicy.from_state(reader.model["policy"], reader.read_arrays("policy.npz"))


def read_cross_fitted(reader: ModelReader) -> CrossFitted:
    """What the trusted listings of a model folder got from a model that never saw them."""
    return _cross_fitted(reader.read_arrays("cross_fitted.npz"))


def describe(model: ProductClassifier) -> dict[str, Any]:
    """JSON-ready description of a fitted model: the content of ``model.json``."""
    return {
        "format": FORMAT_VERSION,
        "rayon": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "random_state": model.random_state,
        "folds": model.folds,
        "codes": model.taxonomy_.codes,
        "codes_are_numbers": bool(np.issubdtype(model.classes_.dtype, np.integer)),
        "encoders": {modality.name: modality.spec() for modality in model.modalities_},
        "heads": {
            name: {"kind": type(head).__name__, "params": head.params()}
            for name, head in model.heads_.items()
        },
        "fusion": model.fusion_.params(),
        "policy": model.policy_.params(),
        "sets": model.sets_.params(),
        **({"curves": model.curves_, "training": model.network_training_} if model.curves_ else {}),
        "data": {**model.n_listings_, "fingerprint": getattr(model, "fingerprint_", "")},
        "promise": _promise(model),
        "figures": cross_fitted_figures(model),
    }


def cross_fitted_figures(model: ProductClassifier) -> dict[str, Any]:
    """JSON-ready form of `cross_fitted_evaluation`."""
    return cross_fitted_evaluation(model).to_dict()


def cross_fitted_evaluation(model: ProductClassifier) -> Evaluation:
    """Figures on the trusted listings, each scored by a model that never saw it."""
    fitted = model.cross_fitted_
    return evaluate(
        fitted.probabilities,
        fitted.fused,
        fitted.y,
        fitted.accepted,
        model.taxonomy_.codes,
        labels={category.code: category.label() for category in model.taxonomy_},
        seed=model.random_state,
    )


def _promise(model: ProductClassifier) -> dict[str, Any]:
    report = model.policy_.report()
    codes = model.taxonomy_.codes
    promise = {
        **report,
        "precision": model.precision,
        "review_codes": [codes[index] for index in model.policy_.review_codes_],
    }
    return promise if model.recalibration_ is None else promise | {"recalibration": model.recalibration_}


def _cross_fitted_arrays(fitted: CrossFitted) -> dict[str, Any]:
    scores = {f"scores_{name}": proba.astype(np.float32) for name, proba in fitted.probabilities.items()}
    return {"y": fitted.y, "fused": fitted.fused.astype(np.float32), "accepted": fitted.accepted, **scores}


def _rebuild(kind: type[M], reader: ModelReader, cache: Path | None, threads: int | None) -> M:
    document = reader.model
    model = kind(
        precision=document["promise"]["precision"],
        folds=document["folds"],
        cache=cache,
        threads=threads,
        random_state=document["random_state"],
    )
    model.taxonomy_ = read_taxonomy(reader)
    codes = model.taxonomy_.codes
    model.classes_ = np.array([int(code) for code in codes] if document["codes_are_numbers"] else codes)
    model.modalities_ = [
        modality_from_spec(name, spec, reader.folder, cache=cache, threads=threads)
        for name, spec in document["encoders"].items()
    ]
    model.heads_ = {
        name: head_from_state(head["kind"], reader.read_arrays(f"head_{name}.npz"))
        for name, head in document["heads"].items()
    }
    model.fusion_ = LateFusion.from_state(document["fusion"], reader.read_arrays("fusion.npz"))
    model.policy_ = read_policy(reader)
    model.sets_ = PredictionSets.from_state(document["sets"], reader.read_arrays("sets.npz"))
    model.neighbours_ = NeighbourIndex.from_arrays(reader.read_arrays("neighbours.npz"))
    model.cross_fitted_ = read_cross_fitted(reader)
    model.recalibration_ = document["promise"].get("recalibration")
    model.reference_ = read_reference(reader)
    model.n_listings_ = {key: document["data"][key] for key in ("trusted", "train_only")}
    model.fingerprint_ = document["data"]["fingerprint"]
    model.curves_ = document.get("curves", {})
    model.network_training_ = document.get("training", {})
    model.training_errors_ = {}
    model.version_ = reader.fingerprint()
    return model


def _cross_fitted(arrays: Mapping[str, Any]) -> CrossFitted:
    scores = {
        name.removeprefix("scores_"): proba.astype(np.float64)
        for name, proba in arrays.items()
        if name.startswith("scores_")
    }
    return CrossFitted(arrays["y"], scores, arrays["fused"].astype(np.float64), arrays["accepted"])
