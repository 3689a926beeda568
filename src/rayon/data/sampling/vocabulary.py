"""The words of the sample catalogue, read from the JSON file beside this module."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

LANGUAGES = ("fr", "en", "de")

Words = Mapping[str, Sequence[str]]
"""Words or templates by language; French is always there and stands in for a language that is not."""


@dataclass(frozen=True)
class Colour:
    """A colour that a title can name and a picture can have."""

    names: Mapping[str, str]
    rgb: tuple[int, int, int]


@dataclass(frozen=True)
class Item:
    """A kind of product: what it is called, and the drawing that shows it."""

    drawing: str
    words: Words


@dataclass(frozen=True)
class Family:
    """What neighbouring codes share: brands, and texts that do not say which of them it is."""

    brands: Sequence[str]
    vague: Words
    says: Words


@dataclass(frozen=True)
class CodeWords:
    """What the listings of one code are made of.

    Parameters
    ----------
    weight
        Share of the catalogue, in per cent before the floor.
    family
        Name of its family.
    looks_like
        Codes whose pictures are sometimes seen on its listings.
    items, adjectives, sizes, titles, says
        Products, adjectives, templates of sizes, titles and sentences.
    """

    weight: float
    family: str
    looks_like: Sequence[str]
    items: Sequence[Item]
    adjectives: Words
    sizes: Sequence[str]
    titles: Words
    says: Words


@dataclass(frozen=True)
class Vocabulary:
    """All words; `names` holds what fills the other placeholders of a template."""

    colours: Sequence[Colour]
    names: Mapping[str, Words]
    families: Mapping[str, Family]
    generic: Words
    says: Words
    codes: Mapping[str, CodeWords]


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary, read once."""
    raw = json.loads(resources.files(__package__).joinpath("vocabulary.json").read_text(encoding="utf-8"))
    colours = [
        Colour(
            {language: row[language] for language in LANGUAGES}, (row["rgb"][0], row["rgb"][1], row["rgb"][2])
        )
        for row in raw["colours"]
    ]
    families = {
        name: Family(row["brands"], row["vague"], row["says"]) for name, row in raw["families"].items()
    }
    codes = {
        code: CodeWords(
            weight=row["weight"],
            family=row["family"],
            looks_like=row["looks_like"],
            items=[Item(item["draw"], item) for item in row["items"]],
            adjectives=row["adj"],
            sizes=row["sizes"],
            titles=row.get("titles", raw["titles"]),
            says=row["says"],
        )
        for code, row in raw["codes"].items()
    }
    return Vocabulary(colours, raw["names"], families, raw["generic"], raw["says"], codes)


def in_language(words: Words, language: str) -> Sequence[str]:
    """The words of a language, the French ones where there are none."""
    return words.get(language) or words["fr"]
