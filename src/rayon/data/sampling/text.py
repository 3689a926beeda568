"""Titles and descriptions of the sample catalogue, with the flaws of real ones."""

from __future__ import annotations

import re
import unicodedata
from html import escape
from html.entities import codepoint2name
from random import Random

from rayon.data.sampling.recipes import GENERIC, VAGUE, Recipe
from rayon.data.sampling.vocabulary import CodeWords, Family, in_language, vocabulary

_SLOT = re.compile(r"\{([a-z]+)([0-9]?)\}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def write_texts(recipe: Recipe) -> tuple[str, str]:
    """Title and description of a listing; either is empty where the recipe leaves it out."""
    writer = _Writer(recipe)
    title, description = writer.title(), writer.description()
    return (title if recipe.has_title else ""), (description if recipe.has_description else "")


class _Writer:
    """Fills templates for one recipe: words by its text key, numbers and colour by its variant."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._rng = Random(f"{recipe.text_key} words")
        self._numbers = Random(f"{recipe.text_key} numbers {recipe.variant}")
        self._code: CodeWords = vocabulary().codes[recipe.code]
        self._family: Family = vocabulary().families[self._code.family]
        self._brand = self._rng.choice(self._family.brands)
        self._plain = self._rng.random() < 0.12  # a seller whose keyboard has no accents

    def title(self) -> str:
        language = self._recipe.language
        templates = {GENERIC: vocabulary().generic, VAGUE: self._family.vague}.get(
            self._recipe.style, self._code.titles
        )
        text = " ".join(self._filled(self._rng.choice(in_language(templates, language))).split())
        chance = self._rng.random()
        if chance < 0.05:
            text = text.upper()
        elif chance < 0.4:
            text = " ".join(word[:1].upper() + word[1:] for word in text.split())
        else:
            text = text[:1].upper() + text[1:]
        if self._rng.random() < 0.07:
            text = _mistyped(self._rng, text)
        return without_accents(text) if self._plain else text

    def description(self) -> str:
        language, style = self._recipe.language, self._recipe.style
        count = self._rng.choice((1, 2, 2, 3, 3, 4, 5, 8))
        sentences: list[str] = []
        for _ in range(count):
            source = vocabulary().says
            if style != GENERIC and self._rng.random() < 0.75:
                telling = 0.65 if style != VAGUE else 0.1
                source = self._code.says if self._rng.random() < telling else self._family.says
            sentence = self._filled(self._rng.choice(in_language(source, language)))
            if sentence not in sentences:
                sentences.append(sentence)
        if style not in (GENERIC, VAGUE) and self._rng.random() < 0.4:
            sentences.insert(0, self._filled("{item} {brand} {adj}.").capitalize())
        if self._plain:
            sentences = [without_accents(sentence) for sentence in sentences]
        return self._marked_up(sentences)

    def _marked_up(self, sentences: list[str]) -> str:
        chance = self._rng.random()
        if chance < 0.5:
            return " ".join(sentences)
        if chance < 0.72:
            return "<br/>".join(_with_entities(sentence) for sentence in sentences)
        if chance < 0.9:
            points = "".join(f"<li>{_with_entities(sentence)}</li>" for sentence in sentences[1:])
            return f"<p><b>{_with_entities(sentences[0])}</b></p>" + (f"<ul>{points}</ul>" if points else "")
        return escape("<br />".join(_with_entities(sentence) for sentence in sentences))

    def _filled(self, template: str) -> str:
        return _SLOT.sub(lambda slot: self._value(slot.group(1), slot.group(2)), template)

    def _value(self, slot: str, digit: str) -> str:
        language, words = self._recipe.language, self._code
        if slot == "n":
            low, high = {"": (2, 12), "2": (12, 95), "3": (100, 640)}[digit]
            return str(self._numbers.randint(low, high))
        if slot == "year":
            return str(self._numbers.randint(2004, 2021))
        if slot == "old":
            return str(self._numbers.randint(1880, 1979))
        if slot == "colour":
            return vocabulary().colours[self._recipe.colour].names[language]
        if slot == "size":
            return self._filled(self._rng.choice(words.sizes))
        if slot == "brand":
            return self._brand
        if slot == "model":
            letters = "".join(self._rng.choice(_LETTERS) for _ in range(self._rng.randint(1, 3))).upper()
            return f"{letters}{self._rng.choice(('', '-', ' '))}{self._rng.randint(10, 9899)}"
        if slot == "item":
            return self._rng.choice(in_language(words.items[self._recipe.item].words, language))
        if slot == "adj":
            return self._rng.choice(in_language(words.adjectives, language))
        return self._rng.choice(in_language(vocabulary().names[slot], language))


def without_accents(text: str) -> str:
    """The text as an old keyboard would have it."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


def _mistyped(rng: Random, text: str) -> str:
    place = rng.randrange(1, max(2, len(text) - 1))
    kind = rng.randrange(3)
    if kind == 0:
        return text[:place] + text[place + 1 :]
    if kind == 1:
        return text[: place - 1] + text[place : place + 1] + text[place - 1] + text[place + 1 :]
    return text[:place] + rng.choice(_LETTERS) + text[place:]


def _with_entities(text: str) -> str:
    return "".join(
        f"&{codepoint2name[ord(sign)]};" if ord(sign) in codepoint2name and sign not in '"' else sign
        for sign in text
    )
