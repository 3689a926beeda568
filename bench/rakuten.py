"""Text and pictures of Rakuten France: true labels calibrate, weak ones only teach.

Trusted: ``train-gold`` (text) and ``train-image-only`` (pictures). Train-only: ``train-silver``. Scored on
the two ``dev-*`` folders, which nothing was chosen on. The reference is plain TF-IDF with LinearSVC on the
same text; the reference for the promise lets the weak labels set the thresholds.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from bench.common import embedding_cache, progress, shared_data
from bench.text_reference import fit_reference
from rayon.data.listings import Listing
from rayon.data.loading import LoadedCatalogue, read_catalogue
from rayon.data.taxonomy import Taxonomy
from rayon.learning.decision import DecisionPolicy
from rayon.learning.evaluation import evaluate
from rayon.learning.model import ProductClassifier
from rayon.operations.evaluation import evaluate_model

DEV = ("dev-natural", "dev-balanced")
PROMISES = (0.95, 0.90)


def measure() -> dict[str, Any]:
    """Train once with the ONNX image encoder and once with the builtin one; score both on ``dev-*``."""
    data, models = shared_data("rakuten"), shared_data("..", "models")
    encoders = {"onnx": str(models / "mobilenet_v2_int8_embedding.onnx"), "builtin": "builtin"}
    found: dict[str, Any] = {"reference": _reference(data)}
    with tempfile.TemporaryDirectory() as scratch:
        for name, encoder in encoders.items():
            model = _train(data, encoder)
            folder = Path(scratch) / name
            model.save(folder)
            loaded = ProductClassifier.load(folder, cache=embedding_cache())
            found[name] = {
                dev: evaluate_model(loaded, [data / dev], progress).to_dict()["modalities"] for dev in DEV
            }
            found[name]["promise"] = _promises(loaded, data)
            found[name]["model_bytes"] = sum(path.stat().st_size for path in folder.iterdir())
    return found


def _train(data: Path, encoder: str) -> ProductClassifier:
    trusted = _read([data / "train-gold", data / "train-image-only"])
    weak = _read([data / "train-silver"])
    model = ProductClassifier(image=encoder, taxonomy=Taxonomy.rakuten_france(), cache=embedding_cache())
    return model.fit(
        trusted.listings, trusted.codes or [], train_only=(weak.listings, weak.codes or []), progress=progress
    )


def _promises(model: ProductClassifier, data: Path) -> dict[str, Any]:
    """Accepted precision and coverage on both ``dev-*`` folders together, at each promise."""
    dev = _read([data / name for name in DEV])
    codes = model.taxonomy_.codes
    fused = model.scores(dev.listings).fused
    y = np.array([codes.index(code) for code in dev.codes or []])
    fitted = model.cross_fitted_
    found = {}
    for promise in PROMISES:
        policy = DecisionPolicy(precision=promise).fit(fitted.fused, fitted.y)
        accepted = policy.accept(fused)
        figures = evaluate({}, fused, y, accepted, codes).to_dict()["modalities"]["fused"]
        found[f"{promise:.2f}"] = {
            "coverage": figures["coverage"],
            "accepted_precision": figures["accepted_precision"],
            "interval": figures["intervals"]["accepted_precision_exact"],
        }
    return found


def _reference(data: Path) -> dict[str, float]:
    teaching = _read([data / "train-gold", data / "train-silver"])
    model = fit_reference(_texts(teaching.listings), teaching.codes or [])
    scores = {}
    for name in DEV:
        dev = _read([data / name])
        predicted: NDArray[Any] = model.predict(_texts(dev.listings))
        scores[name] = float(f1_score(dev.codes, predicted, average="weighted"))
    return scores


def _texts(listings: Sequence[Listing]) -> list[str]:
    return [f"{listing.designation} {listing.description}" for listing in listings]


def _read(paths: Sequence[Path]) -> LoadedCatalogue:
    return read_catalogue(paths, codes="required")


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
