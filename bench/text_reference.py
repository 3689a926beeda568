"""The reference of every text figure: TF-IDF of words and characters, and a linear support vector machine.

Word (1, 2)-grams and ``char_wb`` (2, 5)-grams, both with damped counts, and scikit-learn's defaults for all
else. What Rayon is compared with is exactly this, run in the same process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.svm import LinearSVC


def reference() -> Pipeline:
    """Make the unfitted reference."""
    return make_pipeline(
        make_union(
            TfidfVectorizer(analyzer="word", ngram_range=(1, 2), sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
        ),
        LinearSVC(),
    )


def fit_reference(texts: Sequence[str], y: Sequence[Any]) -> Pipeline:
    """Fit the reference on texts and their codes."""
    return reference().fit(texts, y)
