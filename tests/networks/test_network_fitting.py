"""A network's place in a model: what it is left out for."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rayon.learning.finetuning.modality import ImageNetwork, TextNetwork
from rayon.learning.finetuning.settings import NetworkTraining
from rayon.learning.network_fitting import Material, fit_network, unheard

QUICK = NetworkTraining(epochs=1, batch_size=8, max_length=16)


def material_of(items, codes) -> Material:
    names = sorted(set(codes))
    n = len(codes)
    y = np.array([names.index(code) for code in codes])
    return Material(items, y, len(names), np.ones(n, bool), np.arange(n), np.arange(n) % 2, 0, 1)


def fit(network, material: Material, held_out, progress=lambda *told: None):
    return fit_network(network, material, held_out, progress, unheard)


@pytest.mark.proof
def test_a_network_that_nothing_can_score_is_left_out(
    listings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images").mkdir()
    items, codes = listings(30, images=tmp_path / "images")
    held_out = np.arange(30) < 6
    for item in items[:6]:
        item.image.unlink()
    network = ImageNetwork("image", None, replace(QUICK, refit=True), tmp_path, threads=1)
    done: list[float] = []
    with caplog.at_level(logging.WARNING):
        material = material_of(items, codes)
        assert (
            fit(network, material, held_out, lambda stage, so_far, total: done.append(so_far / total)) is None
        )
    assert max(done) == 0.5  # the one that would serve is not even trained
    assert caplog.messages == [
        "The network image is left out: none of the listings that it has not seen could be scored"
    ]
    assert not list((tmp_path / "training").iterdir())


def test_a_network_that_has_nothing_to_learn_from_is_left_out(
    listings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    items, codes = listings(30)
    network = TextNetwork("text-conv1d", None, QUICK, tmp_path)
    material = material_of(items, codes)
    with caplog.at_level(logging.WARNING):
        assert fit(network, material, material.y != 0) is None
        assert fit(ImageNetwork("image", None, QUICK, tmp_path), material, None) is None
    assert caplog.messages == [
        "The network text-conv1d is left out: there is too little that it could learn from",
        "The network image is left out: fewer than two codes have listings for it",
    ]
