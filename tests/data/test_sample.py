"""The sample catalogue: its layout, its flaws, and that it is neither trivial nor hopeless."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import LinearSVC

from rayon.data.duplicates import duplicate_groups
from rayon.data.listings import Listing
from rayon.data.sample import TRUTH, SampleSummary, make_sample
from rayon.data.sampling import text
from rayon.data.sampling.overlap import WordOverlap
from rayon.data.sampling.pictures import DRAWINGS, draw_picture
from rayon.data.sampling.recipes import class_counts, new_recipe, training_recipes
from rayon.data.sampling.text import write_texts
from rayon.data.sampling.vocabulary import vocabulary
from rayon.data.taxonomy import Taxonomy
from rayon.errors import CatalogueError, OutputError

CODES = Taxonomy.rakuten_france().codes
LISTINGS = 900


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    return make_sample(tmp_path_factory.mktemp("shop") / "sample", LISTINGS, seed=3)


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def codes_of(folder: Path, name: str) -> list[str]:
    return [row["prdtypecode"] for row in rows(folder, name)]


def picture(folder: Path, part: str, row: dict[str, str]) -> Path:
    return folder / f"images/image_{part}/image_{row['imageid']}_product_{row['productid']}.jpg"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def as_listings(folder: Path, part: str) -> list[Listing]:
    return [
        Listing(
            row["designation"], row["description"], picture(folder, part, row) if row["imageid"] else None
        )
        for row in rows(folder, f"X_{part}_update.csv")
    ]


def test_has_the_layout_of_the_challenge(made: SampleSummary) -> None:
    assert sorted(path.name for path in made.folder.iterdir()) == [
        "X_test_update.csv", "X_train_update.csv", "Y_test_truth.csv", "Y_train_CVw08PX.csv", "images",
    ]  # fmt: skip
    header = (made.folder / "X_train_update.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == ",designation,description,productid,imageid"
    assert (made.folder / TRUTH).read_text(encoding="utf-8").splitlines()[0] == ",prdtypecode"


@pytest.mark.parametrize(
    ("part", "labels", "count", "first"),
    [("train", "Y_train_CVw08PX.csv", LISTINGS, 0), ("test", TRUTH, LISTINGS // 10, LISTINGS)],
)
def test_rows_and_codes_belong_together(
    made: SampleSummary, part: str, labels: str, count: int, first: int
) -> None:
    expected = [str(first + place) for place in range(count)]
    assert [row[""] for row in rows(made.folder, f"X_{part}_update.csv")] == expected
    assert [row[""] for row in rows(made.folder, labels)] == expected
    assert set(codes_of(made.folder, labels)) <= set(CODES)


def test_ids_are_unique_and_pictures_are_those_that_rows_name(made: SampleSummary) -> None:
    both = rows(made.folder, "X_train_update.csv") + rows(made.folder, "X_test_update.csv")
    images = [row["imageid"] for row in both if row["imageid"]]
    assert len({row["productid"] for row in both}) == len(both)
    assert len(set(images)) == len(images) == made.pictures
    for part in ("train", "test"):
        named = {
            picture(made.folder, part, r) for r in rows(made.folder, f"X_{part}_update.csv") if r["imageid"]
        }
        assert set((made.folder / f"images/image_{part}").iterdir()) == named


def test_every_listing_has_something_in_it(made: SampleSummary) -> None:
    for part in ("train", "test"):
        assert not any(listing.is_empty for listing in as_listings(made.folder, part))


def test_pictures_are_small_jpeg_files(made: SampleSummary) -> None:
    for path in (made.folder / "images/image_test").iterdir():
        with Image.open(path) as image:
            image.load()
            assert image.format == "JPEG"
            assert image.mode == "RGB"
            assert 180 <= image.width == image.height <= 272
    assert made.size == sum(len(data) for data in files(made.folder).values())
    assert made.size < 7_000 * (LISTINGS * 1.1)


def test_unseen_listings_are_no_near_duplicates_of_training_ones(made: SampleSummary) -> None:
    train, unseen = as_listings(made.folder, "train"), as_listings(made.folder, "test")
    groups = duplicate_groups(train + unseen)
    assert not set(groups[: len(train)]) & set(groups[len(train) :])


def test_near_duplicates_are_found_among_training_listings(made: SampleSummary) -> None:
    assert made.near_duplicates == round(0.05 * LISTINGS)
    groups = duplicate_groups(as_listings(made.folder, "train"))
    joined = LISTINGS - len(set(groups.tolist()))
    assert 0.6 * made.near_duplicates <= joined <= 1.5 * made.near_duplicates


def test_flaws_are_as_frequent_as_promised() -> None:
    recipes = training_recipes(3000, seed=1)
    texts = [write_texts(recipe) for recipe in recipes]
    assert sum(recipe.label != recipe.code for recipe in recipes) == 90
    assert sum(recipe.copied for recipe in recipes) == 150
    assert 0.30 <= np.mean([not description for _, description in texts]) <= 0.40
    assert 0.03 <= np.mean([not recipe.has_picture for recipe in recipes]) <= 0.07
    assert 0.005 <= np.mean([not title for title, _ in texts]) <= 0.03
    languages = Counter(recipe.language for recipe in recipes)
    assert 0.21 <= languages["en"] / 3000 <= 0.29
    assert 0.03 <= languages["de"] / 3000 <= 0.07
    assert sum("&lt;br" in description for _, description in texts) > 50
    assert sum("&eacute;" in description for _, description in texts) > 200
    assert sum(title.isupper() for title, _ in texts) > 80


@pytest.mark.parametrize(
    ("listings", "floor"), [(27, 1), (28, 1), (299, 2), (2999, 29), (3000, 30), (20_000, 30)]
)
def test_class_counts_add_up_above_the_floor(listings: int, floor: int) -> None:
    counts = class_counts(listings)
    assert list(counts) == CODES
    assert sum(counts.values()) == listings
    assert min(counts.values()) >= floor
    assert max(counts.values()) == counts["2583"] or listings < 1000


@pytest.mark.parametrize(("listings", "floor"), [(27, 1), (500, 5), (3000, 30)])
def test_wrong_labels_leave_every_code_its_floor(listings: int, floor: int) -> None:
    for seed in range(3):
        labels = Counter(recipe.label for recipe in training_recipes(listings, seed))
        assert set(labels) == set(CODES)
        assert min(labels.values()) >= floor


def test_class_frequencies_are_unbalanced_as_in_the_challenge() -> None:
    counts = class_counts(3000)
    assert 0.11 <= counts["2583"] / 3000 <= 0.13
    assert min(counts.values()) == 30


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    make_sample(tmp_path / "one", 40, seed=5)
    make_sample(tmp_path / "two", 40, seed=5)
    make_sample(tmp_path / "three", 40, seed=6)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    one, three = files(tmp_path / "one"), files(tmp_path / "three")
    assert one["X_train_update.csv"] != three["X_train_update.csv"]


def test_the_smallest_sample_shows_every_code(tmp_path: Path) -> None:
    made = make_sample(tmp_path / "small", 27)
    assert made.codes == 27
    assert set(codes_of(made.folder, "Y_train_CVw08PX.csv")) == set(CODES)
    assert made.unseen == 3


def test_progress_ends_with_all_listings(tmp_path: Path) -> None:
    seen: list[int] = []
    make_sample(tmp_path / "shop", 120, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 120


def test_an_empty_folder_and_missing_parents_are_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make_sample(tmp_path / "empty", 27)
    make_sample(tmp_path / "new" / "shop", 27)
    assert (tmp_path / "empty" / TRUTH).exists()
    assert (tmp_path / "new" / "shop" / TRUTH).exists()


def test_too_few_listings(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError) as caught:
        make_sample(tmp_path / "shop", 26)
    assert str(caught.value) == "A sample of 26 listings cannot show 27 codes. Ask for at least 27 listings"
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError) as caught:
        make_sample(tmp_path, 27)
    assert caught.value.message == f"{tmp_path} is not empty"
    assert caught.value.hint == "Choose a new folder, or remove this one first"
    with pytest.raises(OutputError, match=r"notes\.txt is a file"):
        make_sample(tmp_path / "notes.txt", 27)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError) as caught:
        make_sample(tmp_path / "file" / "shop", 27)
    assert (
        caught.value.message == f"The sample cannot be written to {tmp_path / 'file' / 'shop'} (File exists)"
    )
    assert caught.value.hint == "Choose a folder that you may write to, on a disk with room"


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int) -> None:
        if done >= 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_sample(tmp_path / "shop", 120, progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_vocabulary_fits_the_taxonomy_and_the_drawings() -> None:
    words = vocabulary()
    assert set(words.codes) == set(CODES)
    for code, entry in words.codes.items():
        assert set(entry.looks_like) <= set(CODES) - {code}
        assert {item.drawing for item in entry.items} <= set(DRAWINGS)
    used = {item.drawing for entry in words.codes.values() for item in entry.items}
    assert set(DRAWINGS) - used == {"parcel", "tag"}


def test_every_template_can_be_filled() -> None:
    for code in CODES:
        for number in range(60):
            title, description = write_texts(new_recipe(code, f"fill {number}"))
            assert not re.search(r"[{}]", title + description)


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_every_drawing_draws_and_varies(name: str) -> None:
    first, again = draw_picture(name, (200, 60, 50), "a"), draw_picture(name, (200, 60, 50), "a")
    assert first == again
    assert first != draw_picture(name, (200, 60, 50), "b")
    assert first != draw_picture(name, (200, 60, 50), "a", take=1)
    assert 1_500 < len(first) < 40_000


def test_without_accents() -> None:
    assert text.without_accents("Épée à l'été, größe") == "Epee a l'ete, große"


def test_word_overlap_finds_what_shares_most_words() -> None:
    overlap = WordOverlap(0.7)
    overlap.add("Coussin brodé rouge 45 x 45 cm")
    assert overlap.has_like("COUSSIN BRODE BLEU 45 x 45 cm")
    assert overlap.has_like("<b>coussin</b> brod&amp;eacute; rouge 45 x cm")
    assert not overlap.has_like("Coussin rouge 60 cm")
    assert not overlap.has_like("")


def small_grey(folder: Path, part: str) -> tuple[list[int], np.ndarray]:
    listings = rows(folder, f"X_{part}_update.csv")
    kept = [place for place, row in enumerate(listings) if row["imageid"]]
    shapes = []
    for place in kept:
        with Image.open(picture(folder, part, listings[place])) as image:
            shapes.append(
                np.asarray(image.convert("RGB").resize((16, 16), Image.Resampling.BOX)).ravel() / 255
            )
    return kept, np.array(shapes)


def test_pictures_tell_codes_apart_and_their_borders_do_not(made: SampleSummary) -> None:
    labels = np.array(codes_of(made.folder, "Y_train_CVw08PX.csv"))
    truth = np.array(codes_of(made.folder, TRUTH))
    train, shapes = small_grey(made.folder, "train")
    unseen, others = small_grey(made.folder, "test")
    border = np.zeros((16, 16, 3), dtype=bool)
    border[[0, -1]] = True
    border[:, [0, -1]] = True

    def accuracy(columns: np.ndarray) -> float:
        head = RidgeClassifier(alpha=30.0).fit(shapes[:, columns], labels[train])
        return float((head.predict(others[:, columns]) == truth[unseen]).mean())

    guess = float(np.mean(truth == Counter(labels).most_common(1)[0][0]))
    inside, outside = accuracy(~border.ravel()), accuracy(border.ravel())
    assert inside > guess + 0.12
    assert outside < guess + 0.12


def test_texts_are_neither_trivial_nor_hopeless(made: SampleSummary) -> None:
    def words(part: str) -> list[str]:
        return [
            f"{row['designation']} {row['description']}" for row in rows(made.folder, f"X_{part}_update.csv")
        ]

    encoder = TfidfVectorizer(sublinear_tf=True, strip_accents="unicode")
    head = LinearSVC().fit(
        encoder.fit_transform(words("train")), codes_of(made.folder, "Y_train_CVw08PX.csv")
    )
    right = head.predict(encoder.transform(words("test"))) == np.array(codes_of(made.folder, TRUTH))
    assert 0.65 <= right.mean() <= 0.95
