"""The whole model on short English titles: text only, trained on one file and scored on the other."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from bench.common import progress, shared_data
from rayon.data.loading import read_catalogue
from rayon.learning.evaluation import evaluate
from rayon.learning.model import ProductClassifier


def measure() -> dict[str, Any]:
    """Weighted F1 on the test file with its interval, and what the card of the model said beforehand."""
    train = read_catalogue(shared_data("rakuten-en", "train.csv"), codes="required")
    test = read_catalogue(shared_data("rakuten-en", "test.csv"), codes="required")
    model = ProductClassifier(image="none").fit(train.listings, train.codes or [], progress=progress)
    codes = model.taxonomy_.codes
    fused = model.scores(test.listings).fused
    y = np.array([codes.index(code) for code in test.codes or []])
    figures = evaluate({}, fused, y, model.policy_.accept(fused), codes).to_dict()["modalities"]["fused"]
    low, high = figures["intervals"]["weighted_f1"]
    return {**figures, "low": low, "high": high, "promise": model.policy_.report()}


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
