"""Labels that look wrong, by confident learning over out-of-fold probabilities.

C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal of
Artificial Intelligence Research, 2021; done by cleanlab, which is imported only here and only when used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from rayon.data.inspection import LabelIssue
from rayon.errors import MissingExtraError, TrainingError


def find_label_issues(y: ArrayLike, probabilities: ArrayLike, codes: Sequence[str]) -> list[LabelIssue]:
    """Listings whose code looks wrong, the worst first.

    Parameters
    ----------
    y
        `int64[N]`, class index of each listing's given code.
    probabilities
        `[N, K]`, out-of-fold class probabilities, K in the order of `codes`. A listing whose row holds a
        NaN was not predicted and is left out.
    codes
        The K codes.

    Raises
    ------
    MissingExtraError
        When cleanlab is not installed.
    TrainingError
        When the arrays do not fit together.
    """
    given, proba = np.asarray(y), np.asarray(probabilities, dtype=np.float64)
    if given.ndim != 1 or proba.shape != (len(given), len(codes)):
        raise TrainingError(
            f"Codes and probabilities do not fit together: their shapes are {given.shape} and {proba.shape}",
            f"Give N class indices and probabilities [N, {len(codes)}]",
        )
    if len(given) and not (given.min() >= 0 and given.max() < len(codes)):
        raise TrainingError(
            f"A class index lies outside of the {len(codes)} codes",
            f"Give indices from 0 to {len(codes) - 1}",
        )
    try:
        from cleanlab.filter import find_label_issues as suspicious
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        raise MissingExtraError("cleanlab", "Finding labels that look wrong") from None
    rows = np.flatnonzero(np.isfinite(proba).all(axis=1))
    # cleanlab wants every class to occur: classes without a listing are taken out and put back
    present, labels = np.unique(given[rows], return_inverse=True)
    if len(present) < 2:
        return []
    seen = proba[np.ix_(rows, present)]
    seen = np.where(seen.sum(axis=1, keepdims=True) > 0, seen, 1.0)
    seen /= seen.sum(axis=1, keepdims=True)
    chosen = suspicious(labels, seen, return_indices_ranked_by="self_confidence", n_jobs=1)
    quality = get_label_quality_scores(labels, seen, method="self_confidence")
    return [
        LabelIssue(
            int(rows[i]), codes[given[rows[i]]], codes[int(proba[rows[i]].argmax())], float(quality[i])
        )
        for i in chosen
        if proba[rows[i]].argmax() != given[rows[i]]
    ]
