"""Duplicates by text and by picture."""

from __future__ import annotations

import io
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from rayon.data.duplicates import (
    PLACEHOLDER,
    duplicate_groups,
    merge_groups,
    picture_duplicates,
    text_duplicates,
)
from rayon.data.listings import Listing
from rayon.data.loading import read_catalogue
from rayon.data.picture_hashes import hash_pictures
from rayon.data.shingles import near_pairs, shingle, words

LONG = (
    "Lampe de bureau articulée en métal noir mat avec abat jour conique et bras réglable pour chambre "
    "salon ou atelier livrée sans ampoule culot E27 puissance maximale quarante watts"
)


def groups(*titles: str) -> list[int]:
    return duplicate_groups([Listing(title) for title in titles]).tolist()


def picture(seed: int, size: int = 256, quality: int = 90) -> bytes:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (1024, 1024), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(30):
        x, y, w, h = rng.integers(0, 800, 4).tolist()
        draw.ellipse((x, y, x + 60 + w // 4, y + 60 + h // 4), fill=tuple(rng.integers(0, 255, 3).tolist()))
    buffer = io.BytesIO()
    image.resize((size, size), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def test_case_accents_markup_and_punctuation_do_not_count() -> None:
    assert groups(
        "Théière en grès", "THEIERE en gres!", "<b>Th&eacute;i&egrave;re</b> en gr&egrave;s", "Théière"
    ) == [
        0,
        0,
        0,
        1,
    ]


def test_other_scripts_are_compared_too() -> None:
    assert groups("настольная лампа", "Настольная  лампа!", "настольная игра") == [0, 0, 1]


def test_exact_and_near_are_told_apart() -> None:
    near = LONG.replace("quarante", "soixante")
    found = text_duplicates([Listing(LONG), Listing(near), Listing(LONG.upper()), Listing("Un livre")])
    assert found.exact.tolist() == [0, 1, 0, 2]
    assert found.near.tolist() == [0, 0, 0, 1]


def test_listings_without_text_are_alone() -> None:
    assert duplicate_groups([Listing(productid="1"), Listing(" "), Listing("!!"), Listing()]).tolist() == [
        0,
        1,
        2,
        3,
    ]


def test_short_titles_do_not_chain() -> None:
    titles = [f"coussin {color} {n} cm" for color in ("rouge", "bleu", "vert") for n in range(30, 60)]
    assert len(set(groups(*titles))) == len(titles)


def test_a_long_title_is_one_product_whatever_its_description() -> None:
    title = "Lot de 5 romans de Jules Verne reliés"
    listings = [Listing(title), Listing(title, LONG), Listing("Lampe"), Listing("Lampe", LONG)]
    assert duplicate_groups(listings).tolist() == [0, 0, 1, 2]


def test_the_threshold_is_a_jaccard_similarity() -> None:
    listings = [Listing(LONG), Listing(LONG.replace("quarante watts", "et autre chose"))]
    assert duplicate_groups(listings, threshold=0.5).tolist() == [0, 0]
    assert duplicate_groups(listings, threshold=0.99).tolist() == [0, 1]


def test_nothing_to_compare() -> None:
    assert duplicate_groups([]).tolist() == []
    assert duplicate_groups([Listing("a"), Listing("a")], text=False).tolist() == [0, 1]


def jaccard(left: list[bytes], right: list[bytes]) -> float:
    one, other = ({*text, *pairwise(text)} for text in (left, right))
    return len(one & other) / len(one | other)


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=12), min_size=2, max_size=12))
def test_pairs_are_those_of_the_true_similarity(table: list[list[str]]) -> None:
    texts = [[word.encode() for word in text] for text in table]
    found = {tuple(pair) for pair in near_pairs(shingle(texts), 0.8).tolist()}
    for i, j in combinations(range(len(texts)), 2):
        big = min(len({*text, *pairwise(text)}) for text in (texts[i], texts[j])) >= 3
        similarity = jaccard(texts[i], texts[j])
        if (i, j) in found:
            assert similarity >= 0.8
        elif big:
            assert similarity < 0.9


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_merging_groups(first: list[int], second: list[int]) -> None:
    n = min(len(first), len(second))
    one, other = np.array(first[:n], dtype=np.int64), np.array(second[:n], dtype=np.int64)
    merged = merge_groups([one, other], n)
    assert len(merged) == n
    for grouping in (one, other):
        for group in np.unique(grouping):
            assert len(np.unique(merged[grouping == group])) == 1
    numbers = [int(group) for group in dict.fromkeys(merged.tolist())]
    assert numbers == list(range(len(numbers)))


@given(st.text(max_size=60))
def test_words_are_the_same_for_upper_case_ascii(text: str) -> None:
    plain = text.encode("ascii", "ignore").decode()
    assert words(plain.upper().replace("&", " ")) == words(plain.lower().replace("&", " "))


def test_pictures_scaled_or_compressed_anew_are_near() -> None:
    sources = [picture(1), picture(1), picture(1, 512), picture(1, 256, 50), picture(2), None, b"no picture"]
    hashes = hash_pictures(sources, workers=2)
    found = picture_duplicates(hashes)
    assert found.exact.tolist() == [0, 0, 1, 2, 3, 4, 5]
    assert found.near.tolist() == [0, 0, 0, 0, 1, 2, 3]
    assert [error is None for error in hashes.errors] == [True] * 6 + [False]


def test_different_pictures_are_not_near() -> None:
    hashes = hash_pictures([picture(seed, 128) for seed in range(60)])
    assert len(set(picture_duplicates(hashes).near.tolist())) == 60


def test_plain_pictures_are_compared_exactly() -> None:
    plain = []
    for level in (250, 128):
        buffer = io.BytesIO()
        Image.new("RGB", (64, 64), (level, level, 0)).save(buffer, "PNG")
        plain.append(buffer.getvalue())
    found = picture_duplicates(hash_pictures([plain[0], plain[1], plain[0]]))
    assert found.near.tolist() == [0, 1, 0]


def test_a_placeholder_joins_nothing() -> None:
    empty = picture(7)
    listings = [Listing(f"produit numéro {i}", image=empty) for i in range(PLACEHOLDER + 1)]
    assert len(set(duplicate_groups(listings).tolist())) == PLACEHOLDER + 1
    assert set(duplicate_groups(listings[:-1]).tolist()) == {0}
    assert len(set(duplicate_groups(listings[:-1], image=False).tolist())) == PLACEHOLDER


def test_pictures_join_what_texts_do_not() -> None:
    listings = [
        Listing("Lampe", image=picture(1)),
        Listing("Livre"),
        Listing("Luminaire", image=picture(1, 300)),
    ]
    calls: list[tuple[int, int]] = []
    found = duplicate_groups(listings, progress=lambda done, n: calls.append((done, n)))
    assert found.tolist() == [0, 1, 0]
    assert calls == [(3, 3)]


@pytest.mark.proof
def test_a_catalogue_of_85_000_has_no_giant_group() -> None:
    rng = np.random.default_rng(0)
    vocabulary = np.array([f"mot{i}" for i in range(3000)])
    texts = [" ".join(row) for row in vocabulary[rng.integers(0, 3000, (40_000, 68))]]
    listings = [Listing(text[:50], text[50:]) for text in texts]
    listings += [Listing(item.designation, item.description + " neuf") for item in listings] + listings[:5000]
    found = duplicate_groups(listings)
    sizes = np.bincount(found)
    assert len(sizes) == 40_000
    assert sizes.max() == 3


def test_real_listings_hold_duplicates_and_no_giant_group(shared: Path) -> None:
    loaded = read_catalogue(shared / "data" / "rakuten" / "train-gold")
    found = text_duplicates(loaded.listings)
    sizes = np.bincount(found.near)
    assert 4000 < len(sizes) < 4486
    assert sizes.max() < 40
