"""Two models on the same listings, of which neither has seen any."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from rayon.data.listings import Listing
from rayon.data.loading import read_catalogue
from rayon.data.taxonomy import Category, Taxonomy
from rayon.data.taxonomy_change import TaxonomyChange
from rayon.errors import CatalogueError, TaxonomyError
from rayon.learning.model import ProductClassifier
from rayon.operations.comparison import Comparison, compare_on


def silent(stage: str, done: int, total: int) -> None:
    pass


def compare_catalogue(
    champion: ProductClassifier,
    challenger: ProductClassifier,
    catalogue: Path,
    change: TaxonomyChange | None = None,
) -> Comparison:
    loaded = read_catalogue(catalogue, codes="required")
    return compare_on(champion, challenger, loaded.listings, loaded.codes or [], silent, change)


@pytest.fixture(scope="module")
def better(better_trained: Path) -> ProductClassifier:
    """A model of five times as many listings."""
    return ProductClassifier.load(better_trained)


def test_more_listings_make_a_better_model(
    model: ProductClassifier, better: ProductClassifier, held_out: Path
) -> None:
    found = compare_catalogue(model, better, held_out)
    assert found.verdict.passed, found.verdict
    assert found.listings + found.seen == 1000
    back = compare_catalogue(better, model, held_out)
    assert [check.name for check in back.verdict.checks if not check.passed][:1] == ["better"]
    assert back.listings == found.listings


def test_a_model_is_not_better_than_itself(model: ProductClassifier, held_out: Path) -> None:
    found = compare_catalogue(model, model, held_out)
    assert [check.name for check in found.verdict.checks if not check.passed] == ["better"]
    assert found.verdict.checks[0].figures["differ"] == 0
    assert found.verdict.checks[0].figures["p_value"] == 1


def test_a_code_that_the_challenger_does_not_know_blocks_it(
    model: ProductClassifier, held_out: Path, shop: Path
) -> None:
    ((most, n),) = Counter(read_catalogue(held_out, codes="required").codes or []).most_common(1)
    assert n >= 60
    catalogue = read_catalogue(shop, codes="required")
    codes = catalogue.codes or []
    kept = [row for row, code in enumerate(codes) if code != most]
    fewer = ProductClassifier(precision=0.8, folds=3).fit(
        [catalogue.listings[row] for row in kept], [codes[row] for row in kept]
    )
    assert most not in fewer.taxonomy_.codes
    found = compare_catalogue(model, fewer, held_out)
    blocking = [one["code"] for one in found.verdict.checks[1].figures["blocking"]]
    assert blocking == [most]


def test_what_they_have_learned_from_is_left_out(
    model: ProductClassifier, better: ProductClassifier, shop: Path
) -> None:
    with pytest.raises(CatalogueError, match="No listing is left to compare on"):
        compare_catalogue(model, better, shop)


@pytest.fixture(scope="module")
def labelled(held_out: Path) -> tuple[list[Listing], list[str]]:
    """Some golden listings and their codes."""
    loaded = read_catalogue(held_out, codes="required")
    return loaded.listings[:400], (loaded.codes or [])[:400]


@pytest.fixture(scope="module")
def renamed(trained: Path) -> ProductClassifier:
    """The model with other names for its codes, and nothing else that differs."""
    model = ProductClassifier.load(trained)
    model.taxonomy_ = Taxonomy(Category(f"new-{code}") for code in model.taxonomy_.codes)
    return model


@pytest.fixture(scope="module")
def pair(shop: Path) -> tuple[str, str]:
    """The two most frequent codes of the shop."""
    (first, _), (second, _) = Counter(read_catalogue(shop, codes="required").codes or []).most_common(2)
    return first, second


@pytest.fixture(scope="module")
def merged(shop: Path, pair: tuple[str, str]) -> ProductClassifier:
    """A model of the same listings to which the two codes are one."""
    loaded = read_catalogue(shop, codes="required")
    codes = ["both" if code in pair else code for code in loaded.codes or []]
    return ProductClassifier(precision=0.8, folds=3).fit(loaded.listings, codes)


def differ(found: Comparison) -> object:
    return found.verdict.checks[0].figures["differ"]


def test_a_renamed_code_is_the_same_code(
    model: ProductClassifier, renamed: ProductClassifier, labelled: tuple[list[Listing], list[str]]
) -> None:
    listings, codes = labelled
    itself = compare_on(model, model, listings, codes, silent)
    change = TaxonomyChange({code: (f"new-{code}",) for code in model.taxonomy_.codes})
    assert differ(compare_on(model, renamed, listings, codes, silent)) == itself.listings
    for labels in (codes, [f"new-{code}" for code in codes], [*codes[:9], *(f"new-{c}" for c in codes[9:])]):
        assert compare_on(model, renamed, listings, labels, silent, change) == itself


def test_merged_codes_count_as_one_in_both_directions(
    model: ProductClassifier,
    merged: ProductClassifier,
    pair: tuple[str, str],
    labelled: tuple[list[Listing], list[str]],
) -> None:
    listings, codes = labelled
    fresh = [row for row, one in enumerate(listings) if not model.neighbours_.was_seen(one)]
    both = [code in pair for code in model.taxonomy_.codes]
    names = [code for code in model.taxonomy_.codes if code not in pair]
    fused = model.scores([listings[row] for row in fresh]).fused
    summed = np.column_stack([fused[:, both].sum(axis=1), fused[:, np.invert(both)]])
    before = [["both", *names][best] for best in summed.argmax(axis=1)]
    after = [one.code for one in merged.decide([listings[row] for row in fresh])]
    true = ["both" if codes[row] in pair else codes[row] for row in fresh]
    gain = f1_score(true, after, average="weighted", zero_division=0.0) - f1_score(
        true, before, average="weighted", zero_division=0.0
    )

    merging = TaxonomyChange(dict.fromkeys(pair, ("both",)))
    found = compare_on(model, merged, listings, codes, silent, merging)
    assert found.listings == len(fresh)
    assert differ(found) == sum(a != b for a, b in zip(before, after, strict=True))
    assert found.verdict.checks[0].figures["gain"] == pytest.approx(gain)
    back = compare_on(merged, model, listings, codes, silent, TaxonomyChange({"both": pair}))
    assert back.verdict.checks[0].figures["gain"] == pytest.approx(-gain)


def test_what_was_retired_is_left_out_and_counted(
    model: ProductClassifier, shop: Path, pair: tuple[str, str], labelled: tuple[list[Listing], list[str]]
) -> None:
    listings, codes = labelled
    catalogue = read_catalogue(shop, codes="required")
    kept = [row for row, code in enumerate(catalogue.codes or []) if code not in pair]
    fewer = ProductClassifier(precision=0.8, folds=3).fit(
        [catalogue.listings[row] for row in kept], [(catalogue.codes or [])[row] for row in kept]
    )
    change = TaxonomyChange(dict.fromkeys(pair, ()))
    found = compare_on(model, fewer, listings, codes, silent, change)
    others = [row for row, code in enumerate(codes) if code not in pair]
    without = compare_on(
        model, fewer, [listings[row] for row in others], [codes[row] for row in others], silent
    )
    assert found.retired == sum(
        code in pair and not model.neighbours_.was_seen(one)
        for one, code in zip(listings, codes, strict=True)
    )
    assert found.retired > 50
    assert found.listings == without.listings == len(codes) - found.seen - found.retired
    assert found.verdict == without.verdict
    assert found.to_dict()["retired"] == found.retired
    retired = sorted(set(range(len(codes))) - set(others))
    with pytest.raises(CatalogueError) as error:
        compare_on(model, fewer, [listings[row] for row in retired], [pair[0]] * len(retired), silent, change)
    assert error.value.message == "No listing is left to compare on: their codes were retired"


def test_a_challenger_that_answers_what_was_taken_away_is_refused(
    model: ProductClassifier, held_out: Path, pair: tuple[str, str]
) -> None:
    with pytest.raises(TaxonomyError, match=f"The change takes the code '{pair[0]}' away"):
        compare_catalogue(model, model, held_out, TaxonomyChange({pair[0]: ("new",)}))
