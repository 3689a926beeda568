"""What each part of the text model is worth, cross-validated on the training files alone.

Run as ``python -m bench.ablation`` from the repository's root.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import StratifiedKFold

from bench.common import shared_data
from rayon.data.loading import read_catalogue
from rayon.encoders.base import Features
from rayon.encoders.text import NgramEncoder
from rayon.learning.text_head import TextHead

FOLDS = 5
ENCODERS = {
    "all features": NgramEncoder(),
    "without pairs in the opening": NgramEncoder(reach=0),
    "without style": NgramEncoder(style=False),
    "without either": NgramEncoder(reach=0, style=False),
}
HEADS: dict[str, tuple[str, ...]] = {"linear alone": ("linear",), "networks alone": ("network",)}


def measure() -> dict[str, Any]:
    """Weighted F1 and log-loss out of fold, and columns a listing, as a JSON-ready dictionary."""
    data = shared_data("rakuten-en")
    catalogue = read_catalogue(data / "train.csv", codes="required")
    names = catalogue.codes or []
    codes = sorted(set(names))
    y = np.array([codes.index(code) for code in names])
    found = {}
    for name, encoder in ENCODERS.items():
        vectors = encoder.encode(catalogue.listings)
        heads = {name: TextHead()} | (
            {alone: TextHead(experts) for alone, experts in HEADS.items()} if name == "all features" else {}
        )
        for label, head in heads.items():
            proba = _out_of_fold(head, vectors, y, len(codes))
            found[label] = {
                "weighted_f1": round(float(f1_score(y, proba.argmax(axis=1), average="weighted")), 4),
                "log_loss": round(float(log_loss(y, proba)), 4),
                "columns_a_listing": round(vectors.nnz / vectors.shape[0], 1),
            }
            print(label, found[label], file=sys.stderr, flush=True)
    return found


def _out_of_fold(
    head: TextHead, vectors: Features, y: NDArray[np.int64], n_classes: int
) -> NDArray[np.float64]:
    proba = np.zeros((len(y), n_classes))
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(y, y):
        proba[test] = head.fit(vectors[train], y[train], n_classes).predict_proba(vectors[test])
    proba /= proba.sum(axis=1, keepdims=True)
    return proba


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
