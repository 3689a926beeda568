"""Listings and places that several tests of operations share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rayon.data.listings import Listing
from rayon.data.loading import read_catalogue
from rayon.data.sample import make_sample
from rayon.store.images import FolderImageStore

Labelled = tuple[list[Listing], list[str]]


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    """A thousand listings of six codes, and what these are."""
    folder = tmp_path_factory.mktemp("listings") / "shop"
    make_sample(folder, 2600, seed=1)
    loaded = read_catalogue([folder], codes="required")
    codes = np.array(loaded.codes)
    frequent = [code for code, _ in Counter(codes.tolist()).most_common(6)]
    rows = np.random.default_rng(0).permutation(np.flatnonzero(np.isin(codes, frequent))).tolist()
    return [loaded.listings[row] for row in rows], codes[rows].tolist()


@pytest.fixture
def images(tmp_path: Path) -> FolderImageStore:
    return FolderImageStore(tmp_path / "images")
