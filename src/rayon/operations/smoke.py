"""A few listings that every model must answer before it may answer anybody."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from rayon.data.listings import Listing
from rayon.errors import ModelError
from rayon.learning.model import ProductClassifier
from rayon.learning.prediction import Prediction


def _picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(buffer, "PNG")
    return buffer.getvalue()


SMOKE_SET = (
    Listing("Piscine ronde 3 m avec pompe", "<p>Facile &agrave; monter</p>"),
    Listing("Lampe", image=_picture()),
    Listing(image=_picture()),
    Listing("a"),
    Listing("🎲 РУССКИЙ 中文 " * 40, "x" * 5000),
)
"""Text, picture and both; short, long, and in scripts that no training catalogue may have."""


def run_smoke_set(model: ProductClassifier) -> list[Prediction]:
    """Have a model answer the smoke set, which also warms it up.

    Returns
    -------
    list of Prediction
        One for each of its listings.

    Raises
    ------
    ModelError
        When it cannot, or when an answer has not the form that every answer has.
    """
    try:
        scores = model.scores(SMOKE_SET)
        predictions = model.decide(SMOKE_SET)
    except Exception as error:  # whatever it is, this model must not serve
        raise ModelError(f"The model does not answer ({type(error).__name__}: {error})", _HINT) from error
    usable = scores.usable()
    proba = scores.fused[usable]
    if not len(proba) or not np.isfinite(proba).all() or not np.allclose(proba.sum(axis=1), 1, atol=1e-4):
        raise ModelError("The model gives no probabilities", _HINT)
    codes = set(model.taxonomy_.codes)
    for one, answered in zip(predictions, usable, strict=True):
        if (one.code in codes) != answered or not 0 <= one.confidence <= 1:
            raise ModelError(f"The model gives an answer that is none ({one.code!r}, {one.error})", _HINT)
    return predictions


_HINT = "Train it again, or serve another"
