"""Two models on the same listings, of which neither has seen any."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rayon.data.loading import read_catalogue
from rayon.data.sample import make_sample
from rayon.errors import CatalogueError
from rayon.learning.model import ProductClassifier
from rayon.operations.comparison import compare_models


def silent(stage: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand labelled listings of another seed."""
    folder = tmp_path_factory.mktemp("golden") / "shop"
    make_sample(folder, 1000, seed=9)
    return folder


@pytest.fixture(scope="session")
def better(tmp_path_factory: pytest.TempPathFactory) -> ProductClassifier:
    """A model of five times as many listings."""
    folder = tmp_path_factory.mktemp("better") / "shop"
    make_sample(folder, 2000, seed=2)
    catalogue = read_catalogue(folder, codes="required")
    return ProductClassifier(precision=0.8, folds=3).fit(catalogue.listings, catalogue.codes or [])


def test_more_listings_make_a_better_model(
    model: ProductClassifier, better: ProductClassifier, golden: Path
) -> None:
    found = compare_models(model, better, [golden], silent)
    assert found.verdict.passed, found.verdict
    assert found.listings + found.seen == 1000
    back = compare_models(better, model, [golden], silent)
    assert [check.name for check in back.verdict.checks if not check.passed][:1] == ["better"]
    assert back.listings == found.listings


def test_a_model_is_not_better_than_itself(model: ProductClassifier, golden: Path) -> None:
    found = compare_models(model, model, [golden], silent)
    assert [check.name for check in found.verdict.checks if not check.passed] == ["better"]
    assert found.verdict.checks[0].figures["differ"] == 0
    assert found.verdict.checks[0].figures["p_value"] == 1


def test_a_code_that_the_challenger_does_not_know_blocks_it(
    model: ProductClassifier, golden: Path, shop: Path
) -> None:
    ((most, n),) = Counter(read_catalogue(golden, codes="required").codes or []).most_common(1)
    assert n >= 60
    catalogue = read_catalogue(shop, codes="required")
    codes = catalogue.codes or []
    kept = [row for row, code in enumerate(codes) if code != most]
    fewer = ProductClassifier(precision=0.8, folds=3).fit(
        [catalogue.listings[row] for row in kept], [codes[row] for row in kept]
    )
    assert most not in fewer.taxonomy_.codes
    found = compare_models(model, fewer, [golden], silent)
    blocking = [one["code"] for one in found.verdict.checks[1].figures["blocking"]]
    assert blocking == [most]


def test_what_they_have_learned_from_is_left_out(
    model: ProductClassifier, better: ProductClassifier, shop: Path
) -> None:
    with pytest.raises(CatalogueError, match="No listing is left to compare on"):
        compare_models(model, better, [shop], silent)
