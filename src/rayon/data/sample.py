"""The sample catalogue: 27 codes, French and English texts, drawn pictures and the flaws of a real shop."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from rayon.data.sampling.lookalikes import LookAlikes
from rayon.data.sampling.overlap import WordOverlap
from rayon.data.sampling.pictures import draw_picture
from rayon.data.sampling.recipes import Recipe, new_recipe, training_recipes, unseen_codes
from rayon.data.sampling.text import write_texts
from rayon.data.sampling.vocabulary import vocabulary
from rayon.data.taxonomy import Taxonomy
from rayon.errors import CatalogueError, OutputError

TRUTH = "Y_test_truth.csv"
"""Name of the file with the true codes of the unseen listings, which no reader takes for labels."""

_UNSEEN_SHARE = 0.1
_TITLE_LIKENESS, _TEXT_LIKENESS = 0.65, 0.7
_ATTEMPTS = 40
_PROGRESS_STEP = 50


@dataclass(frozen=True)
class SampleSummary:
    """What was made.

    Parameters
    ----------
    folder
        Where it lies.
    listings, unseen
        Training listings, and those to classify afterwards.
    codes
        Number of codes.
    pictures
        Picture files, of both parts.
    near_duplicates, wrong_labels, without_description, without_title, without_picture
        Training listings with each flaw.
    size
        Bytes of all files.
    """

    folder: Path
    listings: int
    unseen: int
    codes: int
    pictures: int
    near_duplicates: int
    wrong_labels: int
    without_description: int
    without_title: int
    without_picture: int
    size: int


@dataclass(frozen=True)
class _Row:
    recipe: Recipe
    designation: str
    description: str


def make_sample(
    folder: Path,
    listings: int = 3000,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> SampleSummary:
    """Make a catalogue in the challenge's layout, and a tenth as many unseen listings to classify.

    ``X_train_update.csv``, ``Y_train_CVw08PX.csv`` and ``images/image_train`` hold the training listings;
    ``X_test_update.csv`` and ``images/image_test`` the unseen ones, none of which is a near-duplicate of a
    training listing and whose true codes are in ``Y_test_truth.csv``. The folder appears when all of it is
    there. The same seed writes the same text files, and with the same Pillow the same pictures.

    Parameters
    ----------
    folder
        One that does not exist yet or is empty.
    listings
        Training listings, at least one for each of the 27 codes; each code has 30 or more of 3,000.
    seed
        Of everything that is left to chance.
    progress
        Called now and then with the number of training listings that are done, at the end with all of them.

    Raises
    ------
    CatalogueError
        When `listings` are fewer than the codes.
    OutputError
        When there is something at `folder`, or it cannot be written.
    """
    folder = Path(folder)
    codes = len(Taxonomy.rakuten_france())
    if listings < codes:
        raise CatalogueError(
            f"A sample of {listings} listings cannot show {codes} codes", f"Ask for at least {codes} listings"
        )
    _require_room(folder)
    train = [_Row(recipe, *write_texts(recipe)) for recipe in training_recipes(listings, seed)]
    unseen = _unseen_rows(train, seed)
    try:
        with _made_at_once(folder) as draft:
            seen = LookAlikes()
            _write_part(draft, "train", train, 0, seed, _remembering(seen, progress))
            _write_part(draft, "test", unseen, len(train), seed, _avoiding(seen))
            _write_codes(draft / "Y_train_CVw08PX.csv", [row.recipe.label for row in train], 0)
            _write_codes(draft / TRUTH, [row.recipe.code for row in unseen], len(train))
            size = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
    except OSError as error:
        raise OutputError(
            f"The sample cannot be written to {folder} ({error.strerror or error})",
            "Choose a folder that you may write to, on a disk with room",
        ) from None
    if progress is not None:
        progress(listings)
    return _summary(folder, train, unseen, size)


def _require_room(folder: Path) -> None:
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be looked into ({error.strerror})", "Choose another folder"
        ) from None
    if taken:
        what = "is not empty" if folder.is_dir() else "is a file"
        raise OutputError(f"{folder} {what}", "Choose a new folder, or remove this one first")


def _unseen_rows(train: Sequence[_Row], seed: int) -> list[_Row]:
    titles, texts = WordOverlap(_TITLE_LIKENESS), WordOverlap(_TEXT_LIKENESS)
    for row in train:
        titles.add(row.designation)
        texts.add(f"{row.designation} {row.description}")
    rows = []
    for place, code in enumerate(unseen_codes(max(1, round(_UNSEEN_SHARE * len(train))), seed)):
        for attempt in range(_ATTEMPTS):
            recipe = new_recipe(code, f"{seed} unseen {place} {attempt}")
            row = _Row(recipe, *write_texts(recipe))
            if titles.has_like(row.designation) or texts.has_like(f"{row.designation} {row.description}"):
                continue
            rows.append(row)
            break
    return rows


@contextmanager
def _made_at_once(folder: Path) -> Iterator[Path]:
    """A draft beside `folder` that takes its place when all went well and vanishes when it did not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        draft = room / "draft"
        draft.mkdir()
        yield draft
        draft.rename(folder)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _write_part(
    draft: Path, part: str, rows: Sequence[_Row], first: int, seed: int, draw: Callable[[int, Recipe], bytes]
) -> None:
    pictures = draft / "images" / f"image_{part}"
    pictures.mkdir(parents=True)
    products = _numbers(f"{seed} {part} products", len(rows), 100_000_000, part)
    images = _numbers(f"{seed} {part} images", len(rows), 1_000_000_000, part)
    table = []
    for place, (row, product, image) in enumerate(zip(rows, products, images, strict=True)):
        recipe = row.recipe
        if recipe.has_picture:
            (pictures / f"image_{image}_product_{product}.jpg").write_bytes(draw(place, recipe))
        shown = str(image) if recipe.has_picture else ""
        table.append((str(first + place), row.designation, row.description, str(product), shown))
    _write_table(
        draft / f"X_{part}_update.csv", ("", "designation", "description", "productid", "imageid"), table
    )


def _remembering(seen: LookAlikes, progress: Callable[[int], None] | None) -> Callable[[int, Recipe], bytes]:
    def draw(place: int, recipe: Recipe) -> bytes:
        if progress is not None and place % _PROGRESS_STEP == 0:
            progress(place)
        data = _picture(recipe)
        seen.add(data)
        return data

    return draw


def _avoiding(seen: LookAlikes) -> Callable[[int, Recipe], bytes]:
    def draw(_: int, recipe: Recipe) -> bytes:
        data = _picture(recipe)
        for attempt in range(_ATTEMPTS):
            if not seen.has_like(data):
                break
            data = _picture(replace(recipe, picture_key=f"{recipe.picture_key} again {attempt}"))
        return data

    return draw


def _picture(recipe: Recipe) -> bytes:
    colour = vocabulary().colours[recipe.picture_colour].rgb
    return draw_picture(recipe.drawing, colour, recipe.picture_key, recipe.take)


def _numbers(key: str, count: int, low: int, part: str) -> list[int]:
    """Distinct numbers as a shop would give them: odd in training, even among the unseen."""
    spread = max(3 * count, 100_000_000)
    drawn = Random(key).sample(range(spread), count)
    return [low + 2 * number + (part == "train") for number in drawn]


def _write_codes(path: Path, codes: Sequence[str], first: int) -> None:
    _write_table(path, ("", "prdtypecode"), [(str(first + place), code) for place, code in enumerate(codes)])


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _summary(folder: Path, train: Sequence[_Row], unseen: Sequence[_Row], size: int) -> SampleSummary:
    recipes = [row.recipe for row in train]
    return SampleSummary(
        folder=folder,
        listings=len(train),
        unseen=len(unseen),
        codes=len({recipe.code for recipe in recipes}),
        pictures=sum(row.recipe.has_picture for row in [*train, *unseen]),
        near_duplicates=sum(recipe.copied for recipe in recipes),
        wrong_labels=sum(recipe.label != recipe.code for recipe in recipes),
        without_description=sum(not recipe.has_description for recipe in recipes),
        without_title=sum(not recipe.has_title for recipe in recipes),
        without_picture=sum(not recipe.has_picture for recipe in recipes),
        size=size,
    )
