"""Two models are timed side by side, and their answers compared by form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rayon.data.loading import read_catalogue
from rayon.learning.gate import Check
from rayon.learning.model import ProductClassifier
from rayon.learning.prediction import Prediction
from rayon.operations.trials import TIMED, try_out


class Laborious(ProductClassifier):
    """Works every answer out twenty times."""

    def decide(self, listings: Any) -> list[Prediction]:
        for _ in range(19):
            super().decide(listings)
        return super().decide(listings)


def tried(
    champion: ProductClassifier, challenger: ProductClassifier, folders: tuple[Path, Path], shop: Path
) -> dict[str, Check]:
    stages: list[tuple[str, int, int]] = []
    listings = read_catalogue(shop).listings
    checks = try_out(champion, challenger, folders, listings, lambda *stage: stages.append(stage))
    assert stages[-1] == ("Timing both", TIMED, TIMED)
    return {check.name: check for check in checks}


def test_a_model_is_no_slower_and_no_larger_than_itself(
    model: ProductClassifier, trained: Path, shop: Path
) -> None:
    checks = tried(model, ProductClassifier.load(trained), (trained, trained), shop)
    assert list(checks) == ["latency", "size", "smoke"]
    assert all(check.passed for check in checks.values()), checks
    latency, size = checks["latency"].figures, checks["size"].figures
    assert latency["listings"] == TIMED
    assert 0 < latency["champion"] < 1
    assert size["champion"] == size["challenger"] == sum(one.stat().st_size for one in trained.iterdir())


@pytest.mark.proof
def test_a_slow_challenger_is_seen(model: ProductClassifier, trained: Path, shop: Path) -> None:
    latency = tried(model, Laborious.load(trained), (trained, trained), shop)["latency"]
    assert not latency.passed
    assert latency.figures["challenger"] > 5 * latency.figures["champion"]
    assert "beyond" in latency.reason


@pytest.mark.parametrize("swapped", [False, True])
def test_other_modalities_are_another_form(
    model: ProductClassifier, trained: Path, shop: Path, swapped: bool
) -> None:
    catalogue = read_catalogue(shop, codes="required")
    blind = ProductClassifier(image="none", precision=0.8, folds=3)
    blind.fit(catalogue.listings, catalogue.codes or [])
    pair = (blind, model) if swapped else (model, blind)
    smoke = tried(*pair, (trained, trained), shop)["smoke"]
    assert not smoke.passed
    assert [one["what"] for one in smoke.figures["differences"] if one["listing"] == 3][:2] == [
        "answered",
        "modalities",
    ]
    before, after = ("False", "True") if swapped else ("True", "False")
    assert f"answered of listing 3 was {before} and is {after}" in smoke.reason
