"""Thresholds set anew, the weights untouched: stricter for the time being, or from fresh listings."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from datetime import datetime

from numpy.typing import ArrayLike
from sklearn.base import clone

from rayon.learning.decision import DecisionPolicy
from rayon.learning.model import ProductClassifier


def tightened(policy: DecisionPolicy, proba: ArrayLike, y: ArrayLike) -> float | None:
    """Threshold for half as many errors among the accepted as the policy promises.

    Parameters
    ----------
    policy
        The one that is to be tightened.
    proba, y
        Class probabilities `[N, K]` and class indices `[N]` from which it learned.

    Returns
    -------
    float or None
        ``None`` where the listings do not support it, or where it is no stricter than the present threshold.
    """
    if policy.threshold_ is None:
        return None
    halved = clone(policy).set_params(precision=1.0 - (1.0 - policy.precision) / 2.0).fit(proba, y)
    stricter = halved.threshold_ is not None and halved.threshold_ > policy.threshold_
    return float(halved.threshold_) if stricter else None


def recalibrated(model: ProductClassifier, proba: ArrayLike, y: ArrayLike, at: datetime) -> ProductClassifier:
    """The same model, its threshold and prediction sets from listings that it has not learned from.

    Parameters
    ----------
    model
        Fitted and saved, or loaded; it stays as it is.
    proba
        Its answers for them, `[N, K]`.
    y
        Class indices `[N]`; -1 where the true code is one that it does not know.
    at
        When.

    Raises
    ------
    TrainingError
        When there is no row, or shapes and values are wrong.
    """
    made = copy(model)
    made.policy_ = model.policy_.recalibrated(proba, y)
    made.sets_ = model.sets_.recalibrated(proba, y)
    learned = model.cross_fitted_
    made.cross_fitted_ = replace(learned, accepted=made.policy_.accept(learned.fused))
    made.recalibration_ = {
        "at": at.isoformat(timespec="seconds"),
        "listings": made.policy_.report()["n"],
        "parent": model.version_,
        "threshold_before": model.policy_.threshold_,
    }
    return made
