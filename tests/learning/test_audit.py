"""Labels that look wrong."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from rayon.errors import MissingExtraError, TrainingError
from rayon.learning.audit import find_label_issues

CODES = ["10", "40", "50", "60"]


def problem(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """True classes among the first three codes, and good out-of-fold probabilities of all four."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, n)
    proba = rng.dirichlet(np.ones(4), n) * 0.3
    proba[np.arange(n), y] += 0.7
    return y, proba


def test_finds_the_labels_that_were_changed() -> None:
    pytest.importorskip("cleanlab")
    y, proba = problem()
    wrong = [5, 50, 100, 200]
    given = y.copy()
    given[wrong] = (y[wrong] + 1) % 3
    issues = find_label_issues(given, proba, CODES)
    assert {issue.index for issue in issues} == set(wrong)
    for issue in issues:
        assert issue.given == CODES[given[issue.index]]
        assert issue.suggested == CODES[y[issue.index]]
        assert 0 <= issue.quality <= 1
    qualities = [issue.quality for issue in issues]
    assert qualities == sorted(qualities)


def test_listings_that_were_not_predicted_are_left_out() -> None:
    pytest.importorskip("cleanlab")
    y, proba = problem()
    y[[5, 50]] = (y[[5, 50]] + 1) % 3
    proba[5] = np.nan
    assert [issue.index for issue in find_label_issues(y, proba, CODES)] == [50]


def test_nothing_to_compare() -> None:
    pytest.importorskip("cleanlab")
    assert find_label_issues(np.empty(0, dtype=np.int64), np.empty((0, 4)), CODES) == []
    assert find_label_issues(np.zeros(3, dtype=np.int64), np.full((3, 4), 0.25), CODES) == []


def test_shapes_and_indices_are_checked() -> None:
    with pytest.raises(TrainingError) as caught:
        find_label_issues(np.zeros(3, dtype=np.int64), np.zeros((3, 2)), CODES)
    assert str(caught.value) == (
        "Codes and probabilities do not fit together: their shapes are (3,) and (3, 2). "
        "Give N class indices and probabilities [N, 4]"
    )
    with pytest.raises(TrainingError) as caught:
        find_label_issues(np.array([0, 4]), np.full((2, 4), 0.25), CODES)
    assert str(caught.value) == "A class index lies outside of the 4 codes. Give indices from 0 to 3"


def test_without_cleanlab_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    y, proba = problem(20)
    with pytest.raises(MissingExtraError) as caught:
        find_label_issues(y, proba, CODES)
    assert str(caught.value) == (
        "Finding labels that look wrong needs the package 'cleanlab', which is not installed. "
        "Install it with: pip install cleanlab"
    )
