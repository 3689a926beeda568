"""The plan of a sample catalogue: what each listing will be, before anything is written or drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from rayon.data.sampling.vocabulary import vocabulary
from rayon.data.taxonomy import Taxonomy

PLAIN, VAGUE, GENERIC = "plain", "vague", "generic"

NEAR_DUPLICATES = 0.05
"""Share of training listings that are another seller's copy of one that is there."""
WRONG_LABELS = 0.03
"""Share of training listings with another code than their own."""
FLOOR = 30
"""Training listings that each code has at least, where there are a hundred times as many in all."""

_VAGUE_TEXT, _GENERIC_TEXT = 0.15, 0.06
_NO_DESCRIPTION, _NO_TITLE, _NO_PICTURE = 0.32, 0.015, 0.05
_BORROWED_LOOK, _PARCEL, _TAG = 0.11, 0.03, 0.01


@dataclass(frozen=True)
class Recipe:
    """One listing to make.

    Parameters
    ----------
    code, label
        What it is, and what its seller says it is.
    language, item, colour, style
        Language; places of its item and colour in the vocabulary; how much its title says.
    drawing
        Name of what its picture shows.
    text_key, variant, picture_key, take
        Seeds of its texts, of the numbers in them, of its picture and of how that is compressed.
    picture_colour
        Place of the colour of its picture.
    has_title, has_description, has_picture
        Its parts; never all missing.
    copied
        Whether it is a near-duplicate of a listing before it.
    """

    code: str
    label: str
    language: str
    item: int
    colour: int
    style: str
    drawing: str
    text_key: str
    picture_key: str
    picture_colour: int
    has_title: bool
    has_description: bool
    has_picture: bool
    variant: int = 0
    take: int = 0
    copied: bool = False


def training_recipes(listings: int, seed: int) -> list[Recipe]:
    """Plan the training part: natural frequencies, near-duplicates and wrong labels included."""
    counts = class_counts(listings)
    rng = Random(f"rayon sample {seed}")
    codes = [code for code, count in counts.items() for _ in range(count)]
    rng.shuffle(codes)
    recipes = [new_recipe(code, f"{seed} train {place}") for place, code in enumerate(codes)]
    _copy_some(rng, recipes)
    _mislabel_some(rng, recipes, counts)
    return recipes


def unseen_codes(listings: int, seed: int) -> list[str]:
    """Codes of the listings that are to be classified afterwards: the same frequencies, drawn by chance."""
    words = vocabulary().codes
    weights = [words[code].weight for code in Taxonomy.rakuten_france().codes]
    rng = Random(f"rayon sample {seed} unseen")
    return rng.choices(Taxonomy.rakuten_france().codes, weights, k=listings)


def class_counts(listings: int) -> dict[str, int]:
    """How many of so many listings each code has: its natural share, but never fewer than the floor."""
    words = vocabulary().codes
    codes = Taxonomy.rakuten_france().codes
    floor = max(1, min(FLOOR, listings // 100))
    total = sum(words[code].weight for code in codes)
    counts = {code: max(floor, round(listings * words[code].weight / total)) for code in codes}
    while (excess := sum(counts.values()) - listings) > 0:
        most = max(codes, key=lambda code: counts[code])
        second = sorted(counts.values())[-2]
        counts[most] -= min(excess, max(1, counts[most] - second))
    counts[max(codes, key=lambda code: counts[code])] -= excess
    return counts


def new_recipe(code: str, key: str) -> Recipe:
    """A listing of this code, all else left to chance by its key."""
    rng = Random(f"{key} recipe")
    words = vocabulary().codes[code]
    item = rng.randrange(len(words.items))
    colour = rng.randrange(len(vocabulary().colours))
    chance = rng.random()
    style = GENERIC if chance < _GENERIC_TEXT else VAGUE if chance < _GENERIC_TEXT + _VAGUE_TEXT else PLAIN
    has_title = rng.random() >= _NO_TITLE
    silent = 0.7 if style == GENERIC else _NO_DESCRIPTION
    return Recipe(
        code=code,
        label=code,
        language=rng.choices(("fr", "en", "de"), (0.7, 0.25, 0.05))[0],
        item=item,
        colour=colour,
        style=style,
        drawing=_look(rng, words.looks_like, words.items[item].drawing),
        text_key=key,
        picture_key=key,
        picture_colour=colour,
        has_title=has_title,
        has_description=has_title and rng.random() >= silent,
        has_picture=not has_title or rng.random() >= _NO_PICTURE,
    )


def _look(rng: Random, neighbours: Sequence[str], own: str) -> str:
    chance = rng.random()
    if chance < _PARCEL:
        return "parcel"
    if chance < _PARCEL + _TAG:
        return "tag"
    if chance < _PARCEL + _TAG + _BORROWED_LOOK:
        return rng.choice(vocabulary().codes[rng.choice(neighbours)].items).drawing
    return own


def _copy_some(rng: Random, recipes: list[Recipe]) -> None:
    originals: dict[str, list[int]] = {}
    for place, recipe in enumerate(recipes):
        originals.setdefault(recipe.code, []).append(place)
    later = [place for place, recipe in enumerate(recipes) if place != originals[recipe.code][0]]
    copies = set(rng.sample(later, min(len(later), round(NEAR_DUPLICATES * len(recipes)))))
    for place in sorted(copies):
        source = rng.choice([p for p in originals[recipes[place].code] if p < place and p not in copies])
        recipes[place] = _copy(rng, recipes[source])


def _copy(rng: Random, recipe: Recipe) -> Recipe:
    copy = replace(recipe, take=rng.randint(1, 1_000_000), copied=True)
    kind = rng.randrange(3)
    if kind == 0:  # the same words, another account
        return copy
    colour = rng.randrange(len(vocabulary().colours))
    copy = replace(copy, colour=colour, variant=rng.randint(1, 1_000_000))
    return copy if kind == 1 else replace(copy, picture_colour=colour)


def _mislabel_some(rng: Random, recipes: list[Recipe], counts: dict[str, int]) -> None:
    floor, left = min(counts.values()), Counter(counts)
    wanted = round(WRONG_LABELS * len(recipes))
    codes = list(counts)
    for place in rng.sample(range(len(recipes)), len(recipes)):
        if not wanted:
            return
        recipe = recipes[place]
        if left[recipe.code] <= floor:
            continue
        neighbours = vocabulary().codes[recipe.code].looks_like
        others = neighbours if rng.random() < 0.6 else [code for code in codes if code != recipe.code]
        recipes[place] = replace(recipe, label=rng.choice(others))
        left[recipe.code] -= 1
        left[recipes[place].label] += 1
        wanted -= 1
