"""Tiny networks with random weights, made on the spot: no network, no GPU, no download."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rayon.data.listings import Listing

WORDS = {
    "10": "roman policier poche auteur",
    "1560": "table chaise bois salon",
    "2583": "piscine ronde pompe bâche",
}
COLOURS = {"10": (200, 30, 30), "1560": (30, 160, 40), "2583": (40, 60, 210)}


def make_listings(n: int, seed: int = 0, images: Path | None = None) -> tuple[list[Listing], list[str]]:
    """Listings of three codes, each with words (and a colour) of its own."""
    rng = np.random.default_rng(seed)
    listings, codes = [], []
    for number in range(n):
        code = list(WORDS)[number % 3]
        words = [str(rng.choice(WORDS[code].split())) for _ in range(3)] + [f"lot{rng.integers(0, 500)}"]
        image = None
        if images is not None:
            shade = np.clip(np.array(COLOURS[code]) + rng.integers(-25, 25, 3), 0, 255)
            image = images / f"{seed}-{number}.png"
            pixels = np.full((40, 40, 3), shade, np.uint8)
            pixels[8:14, 8:30] = rng.integers(0, 255, 3)
            Image.fromarray(pixels).save(image)
        listings.append(Listing(" ".join(words), "", image, productid=str(number)))
        codes.append(code)
    return listings, codes


@pytest.fixture(scope="session")
def text_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a BERT with two layers, as save_pretrained makes it; not to be changed."""
    import torch
    from transformers import BertConfig, BertModel

    from rayon.encoders.deep.text_networks import train_tokenizer, vocabulary_size

    folder = tmp_path_factory.mktemp("weights") / "tiny-bert"
    folder.mkdir()
    tokenizer = train_tokenizer([listing.designation for listing in make_listings(300)[0]], 200)
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    config = BertConfig(
        vocab_size=vocabulary_size(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def image_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a vision transformer with two layers; not to be changed."""
    import torch
    from transformers import ViTConfig, ViTModel

    folder = tmp_path_factory.mktemp("weights") / "tiny-vit"
    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=32,
        patch_size=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ViTModel(config).save_pretrained(folder)
    settings = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "size": {"height": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def listings():
    """Makes listings, see `make_listings`."""
    return make_listings
