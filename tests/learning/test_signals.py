"""What is measured of texts and pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import stats

from rayon import Listing
from rayon.learning.picture_statistics import PICTURE_SIGNALS, picture_values
from rayon.learning.signals import (
    PARTS,
    Vocabulary,
    languages,
    novelty,
    sample_parts,
    text_lengths,
    word_hashes,
)


def hashes_of(*titles: str) -> list[NDArray[np.uint32]]:
    return [word_hashes(Listing(title)) for title in titles]


def jpeg(picture: Image.Image, orientation: int = 1) -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


def product(size: tuple[int, int] = (400, 300), background: int = 255) -> Image.Image:
    """A striped red box in the middle of a plain background."""
    width, height = size
    pixels = np.full((height, width, 3), background, dtype=np.uint8)
    box = pixels[height // 4 : -height // 4, width // 4 : -width // 4]
    box[:] = (180, 40, 40)
    box[:, :: max(2, width // 20)] = (20, 20, 20)
    return Image.fromarray(pixels)


def values(picture: Image.Image | bytes) -> dict[str, float]:
    found = picture_values(picture if isinstance(picture, bytes) else jpeg(picture))
    assert found is not None
    return dict(found)


def test_words_are_the_same_without_case_accents_and_markup() -> None:
    plain = word_hashes(Listing("piscine ronde", "bache ete"))
    assert len(plain) == 4
    np.testing.assert_array_equal(
        plain, word_hashes(Listing("Ronde PISCINE, ronde", "<b>Bâche</b> &eacute;té"))
    )
    assert word_hashes(Listing("  ", "?!")).shape == (0,)


def test_a_word_is_known_from_its_second_listing_on() -> None:
    vocabulary, _ = Vocabulary.learn(hashes_of("piscine ronde", "piscine carree", "table table"))
    strange = novelty(hashes_of("piscine", "piscine table", "ronde chaise carree"), vocabulary.known)
    np.testing.assert_allclose(strange, [0, 0.5, 1])


def test_a_training_listing_is_measured_as_if_it_were_left_out() -> None:
    titles = ["a b c", "a b", "a c d", "a b e", "f g", "g a", "b c"]
    hashes = hashes_of(*titles)
    _, known_to_others = Vocabulary.learn(hashes)
    for row, own in enumerate(novelty(hashes, known_to_others)):
        others, _ = Vocabulary.learn(hashes[:row] + hashes[row + 1 :])
        assert own == novelty(hashes[row : row + 1], others.known)[0]


def test_novelty_inside_and_outside_of_training_has_one_distribution() -> None:
    rng = np.random.default_rng(0)
    chance = 1 / np.arange(1, 3001)
    chance /= chance.sum()
    titles = [" ".join(f"w{i}" for i in rng.choice(3000, 12, p=chance)) for _ in range(4000)]
    hashes = hashes_of(*titles)
    vocabulary, known_to_others = Vocabulary.learn(hashes[:2000])
    inside = novelty(hashes[:2000], known_to_others)
    outside = novelty(hashes[2000:], vocabulary.known)
    assert stats.ks_2samp(inside, outside).pvalue > 0.05
    # Its own words counted in, training would look far too familiar.
    assert stats.ks_2samp(novelty(hashes[:2000], vocabulary.known), outside).pvalue < 1e-6


def test_of_too_many_words_the_most_frequent_are_known() -> None:
    titles = ["often seldom"] * 2 + ["often"] * 3 + ["always often"] * 4
    vocabulary, known_to_others = Vocabulary.learn(hashes_of(*titles), limit=2)
    assert set(vocabulary.known) == set(hashes_of("often always")[0])
    assert set(known_to_others) <= set(vocabulary.known)
    assert len(Vocabulary.learn(hashes_of(*titles), limit=3)[0].known) == 3


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(0, 40), max_size=8), max_size=12), st.sets(st.integers(0, 40)))
def test_novelty_is_the_share_of_unknown_words(texts: list[list[int]], known: set[int]) -> None:
    hashes = [np.unique(np.array(text, dtype=np.uint32)) for text in texts]
    expected = [len(set(text) - known) / len(set(text)) for text in texts if text]
    found = novelty(hashes, np.array(sorted(known), dtype=np.uint32))
    np.testing.assert_allclose(found, expected)


def test_lengths_and_languages_are_of_title_and_description() -> None:
    listings = [
        Listing("Piscine", "pour les enfants avec une pompe"),
        Listing("the box for you and me"),
        Listing(),
    ]
    np.testing.assert_array_equal(text_lengths(listings), [38, 22, 0])
    assert languages(listings) == ["fr", "en", "unknown"]


def test_parts_count_an_unreadable_picture_as_absent(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff not a picture")
    listings = [
        Listing("Lampe", image=jpeg(product())),
        Listing("Lampe", image=broken),
        Listing(image=jpeg(product())),
        Listing(" ", image=tmp_path / "none.jpg"),
        Listing("Lampe"),
    ]
    sampled = sample_parts(listings, 100, threads=1)
    assert sorted(sampled.parts) == sorted([PARTS[0], "text", "picture", "nothing", "text"])
    assert {len(one) for one in sampled.pictures.values()} == {2}
    unread = sample_parts(listings, 0)
    assert sorted(unread.parts) == ["nothing", "nothing", "text", "text", "text"]
    assert unread.pictures["brightness"].shape == (0,)


def test_no_more_pictures_are_opened_than_asked_for_and_the_share_stays_true() -> None:
    data = jpeg(product())
    listings = [Listing("Lampe", image=data if row % 4 == 0 else None) for row in range(2000)]
    sampled = sample_parts(listings, 60, seed=3)
    assert len(sampled.pictures["contrast"]) == 60
    assert 0.15 < sampled.parts.count("text and picture") / len(sampled.parts) < 0.35
    again = sample_parts(listings, 60, seed=3, threads=1)
    assert again.parts == sampled.parts
    assert sample_parts(listings, 60, seed=4).parts != sampled.parts


def test_values_of_a_plain_picture_are_known() -> None:
    grey = values(Image.new("RGB", (200, 100), (128, 128, 128)))
    assert grey["brightness"] == pytest.approx(128 / 255, abs=0.01)
    assert grey["aspect_ratio"] == 2
    for name in ("contrast", "colourfulness", "sharpness", "white_border", "border_spread"):
        assert grey[name] == pytest.approx(0, abs=0.002), name
    red = values(Image.new("RGB", (100, 100), (255, 0, 0)))
    # Without spread only the mean opponent colours count: |(255, 127.5)| · 0.3.
    assert red["colourfulness"] == pytest.approx(0.3 * np.hypot(255, 127.5) / 255, abs=0.01)
    assert set(grey) == set(PICTURE_SIGNALS)


def test_each_change_shows_in_its_value() -> None:
    plain = values(product())
    assert plain["white_border"] > 0.99
    assert values(product().point(lambda level: level * 0.6))["brightness"] < 0.7 * plain["brightness"]
    assert values(product().convert("L").convert("RGB"))["colourfulness"] < 0.01 < plain["colourfulness"]
    assert values(product().filter(ImageFilter.GaussianBlur(6)))["sharpness"] < plain["sharpness"] / 4
    noise = np.random.default_rng(0).normal(170, 40, (300, 400, 1)).clip(0, 255).astype(np.uint8)
    pixels = np.where(np.asarray(product()) > 250, noise, np.asarray(product()))
    noisy = values(Image.fromarray(pixels.astype(np.uint8)))
    assert noisy["white_border"] < 0.2
    assert noisy["border_spread"] > 5 * plain["border_spread"]


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (900, 60), (333, 332)])
def test_the_white_that_pads_a_picture_is_not_part_of_it(size: tuple[int, int]) -> None:
    dark = values(product(size, background=90))
    assert dark["white_border"] == 0
    assert dark["border_spread"] < 0.05
    assert dark["aspect_ratio"] == size[0] / size[1]


def test_a_picture_that_its_camera_turned_is_measured_upright() -> None:
    turned = values(jpeg(product((400, 200), background=90), orientation=6))
    assert turned["aspect_ratio"] == 0.5
    assert turned["white_border"] == 0


def test_the_size_in_which_a_picture_is_stored_hardly_matters() -> None:
    large = product((800, 800))
    first, second = values(large), values(large.resize((250, 250), Image.Resampling.LANCZOS))
    for name in PICTURE_SIGNALS:
        assert second[name] == pytest.approx(first[name], rel=0.15, abs=0.01), name
