"""What is told of a model to whoever keeps track of it: its parameters and its figures, under flat names."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST_VALUE = 500
"""Characters of a parameter or tag; every MLflow server takes as many."""


def run_params(document: Mapping[str, Any]) -> dict[str, str]:
    """What was chosen for a model and what it learned from, such as ``encoders.text.bits``.

    Parameters
    ----------
    document
        The content of its ``model.json``.
    """
    promise = document["promise"]
    chosen = {
        "random_state": document["random_state"],
        "folds": document["folds"],
        "codes": len(document["codes"]),
        "promise": {key: promise[key] for key in ("precision", "confidence", "min_code_listings")},
        "data": document["data"],
        "encoders": document["encoders"],
        "heads": document["heads"],
        "training": document.get("training", {}),
    }
    return {key: as_text(value) for key, value in _flat(chosen)}


def run_metrics(document: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a model, such as ``fused.weighted_f1``, and the threshold of its promise.

    The figures are cross-fitted, on the trusted listings. What is undefined is left out.

    Parameters
    ----------
    document
        The content of its ``model.json``.
    """
    figures = {
        **document["figures"]["modalities"],
        "promise": {"threshold": document["promise"]["threshold"]},
    }
    return {
        key: float(value)
        for key, value in _flat(figures)
        if isinstance(value, int | float) and math.isfinite(value)
    }


def as_text(value: Any) -> str:
    """Text for a parameter or tag: JSON for what is no number and no text."""
    if isinstance(value, list | tuple | dict | bool) or value is None:
        value = json.dumps(value, ensure_ascii=False, default=str)
    return str(value)[:LONGEST_VALUE]


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
