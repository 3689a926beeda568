"""Rayon puts every product of a catalogue on its shelf.

The names below are the public Python interface. They are imported when they are first used, so that
``import rayon`` is quick and loads nothing that is not needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rayon.data.listings import Listing as Listing
    from rayon.data.loading import read_catalogue as read_catalogue
    from rayon.data.taxonomy import Category as Category
    from rayon.data.taxonomy import Taxonomy as Taxonomy
    from rayon.errors import RayonError as RayonError
    from rayon.learning.decision import DecisionPolicy as DecisionPolicy
    from rayon.learning.explain import Explanation as Explanation
    from rayon.learning.fusion import LateFusion as LateFusion
    from rayon.learning.model import ProductClassifier as ProductClassifier
    from rayon.learning.prediction import Prediction as Prediction
    from rayon.learning.prediction_sets import PredictionSets as PredictionSets

__version__ = "0.1.0"

_PLACES = {
    "Category": "rayon.data.taxonomy",
    "DecisionPolicy": "rayon.learning.decision",
    "Explanation": "rayon.learning.explain",
    "LateFusion": "rayon.learning.fusion",
    "Listing": "rayon.data.listings",
    "Prediction": "rayon.learning.prediction",
    "PredictionSets": "rayon.learning.prediction_sets",
    "ProductClassifier": "rayon.learning.model",
    "RayonError": "rayon.errors",
    "Taxonomy": "rayon.data.taxonomy",
    "read_catalogue": "rayon.data.loading",
}
__all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'rayon' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
