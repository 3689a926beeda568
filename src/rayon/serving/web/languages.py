"""French and English: which of them a browser gets, texts, and how figures and moments are written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Literal

from fastapi import Request

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")
COOKIE = "rayon_language"
MISSING = "–"
"""What stands where there is no figure."""

_LONGEST_MESSAGE = 2000
_THIN = "\u202f"
_GAP = "\u00a0"
_LATER = ("juill.", "août", "sept.", "oct.", "nov.", "déc.")
_MONTHS = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "fr": (*("janv.", "févr.", "mars", "avr.", "mai", "juin"), *_LATER),
}


def language_of(request: Request) -> Language:
    """The language that was chosen, or else the first that the browser asks for and that there is."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    for name in _wanted(request.headers.get("accept-language", "")):
        if name in LANGUAGES:
            return name
    return "en"


def translator(language: Language) -> Callable[[str], str]:
    """Give what turns an English text of a page into one of the language; unknown ones stay as they are."""
    if language == "en":
        return lambda text: text
    texts = french()
    return lambda text: texts.get(text, text)


def translate_message(message: str, language: Language) -> str:
    """A sentence that was made elsewhere, with names and figures in it, in the language of the page.

    Sentences that are not known stay in English: better that than nothing. The full stop may be missing.
    """
    if language == "en" or len(message) > _LONGEST_MESSAGE:
        return message
    if message in french():
        return french()[message]
    bare = message.removesuffix(".")
    for parts, translated in _patterns():
        if (gaps := _gaps(parts, bare)) is not None:
            with suppress(LookupError):  # a gap has something else than the pattern is for
                return translated.format(*map(_Gap, gaps)) + message[len(bare) :]
    return message


def _gaps(parts: Sequence[str], message: str) -> list[str] | None:
    """What stands between the fixed parts of a message; ``None`` where these differ.

    In one pass, whatever strangers have put into the gaps: a regular expression would try them all.
    """
    first, *rest = parts
    if not rest:
        return [] if message == first else None
    at, end = len(first), len(message) - len(rest[-1])
    if end < at or not message.startswith(first) or not message.endswith(rest[-1]):
        return None
    gaps = []
    for part in rest[:-1]:
        found = message.find(part, at, end)
        if found < 0:
            return None
        gaps.append(message[at:found])
        at = found + len(part)
    return [*gaps, message[at:end]]


class _Gap(str):
    """What fills a gap of a message; after a colon, the French one says how it is put there."""

    __slots__ = ()

    def __format__(self, how: str) -> str:
        if how == "figure":
            return self.replace(",", _THIN).replace(".", ",").replace("%", f"{_THIN}%")
        if how == "word":
            return french()[self]
        if how == "list":
            return ", ".join(translate_message(one, "fr") for one in self.split(", "))
        return translate_message(self, "fr") if how == "sentence" else str(self)


@cache
def french() -> Mapping[str, str]:
    """English texts to French ones, from all files but that of the messages."""
    return {
        english: text for name in _files() if name != "messages.json" for english, text in _read(name).items()
    }


@cache
def _patterns() -> list[tuple[list[str], str]]:
    """Fixed parts of messages with gaps, ``{}``, those with most text first; without full stops."""
    messages = sorted(_read("messages.json").items(), key=lambda one: -len(one[0].replace("{}", "")))
    return [(english.removesuffix(".").split("{}"), text.removesuffix(".")) for english, text in messages]


def _files() -> Iterable[str]:
    folder = resources.files("rayon.serving.web") / "translations"
    return sorted(file.name for file in folder.iterdir() if file.name.endswith(".json"))


def _read(name: str) -> dict[str, str]:
    path = resources.files("rayon.serving.web") / "translations" / name
    texts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return texts


def _wanted(header: str) -> list[str]:
    """Languages of an Accept-Language header, most wanted first."""
    weighted = []
    for part in header[:500].split(","):
        name, _, options = part.strip().partition(";")
        match = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", options)
        weighted.append((-(float(match[1]) if match else 1.0), name.partition("-")[0].lower()))
    return [name for weight, name in sorted(weighted, key=lambda one: one[0]) if weight < 0]


class Formats:
    """How figures and moments are written in a language.

    Parameters
    ----------
    language
        ``"en"`` or ``"fr"``.
    """

    def __init__(self, language: Language) -> None:
        self.language = language

    def number(self, value: float | None, digits: int = 0) -> str:
        """A figure with so many decimals, its thousands apart."""
        if value is None:
            return MISSING
        text = f"{value:,.{digits}f}"
        return text if self.language == "en" else text.replace(",", _THIN).replace(".", ",")

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A share as a percentage."""
        if share is None:
            return MISSING
        return f"{self.number(100 * share, digits)}{_THIN if self.language == 'fr' else ''}%"

    def interval(self, low: float | None, high: float | None, digits: int = 1) -> str:
        """An interval of a share, as percentages; empty where there is none."""
        if low is None or high is None:
            return ""
        between = " to " if self.language == "en" else " à "
        return f"{self.number(100 * low, digits)}{between}{self.percent(high, digits)}"

    def day(self, moment: datetime | None) -> str:
        """The day of a moment, in UTC."""
        if moment is None:
            return MISSING
        moment = moment.astimezone(UTC)
        return f"{moment.day}{_GAP}{_MONTHS[self.language][moment.month - 1]}{_GAP}{moment.year}"

    def moment(self, moment: datetime | None) -> str:
        """A moment to the minute, in UTC; the browser shows its own time instead where it can."""
        if moment is None:
            return MISSING
        return f"{self.day(moment)}, {moment.astimezone(UTC):%H:%M}{_GAP}UTC"

    def size(self, n_bytes: float) -> str:
        """A number of bytes in a unit that suits it."""
        units = ("B", "kB", "MB", "GB") if self.language == "en" else ("o", "ko", "Mo", "Go")
        for unit in units[:-1]:
            if n_bytes < 1000:
                return f"{self.number(n_bytes, 0 if unit == units[0] else 1)}{_GAP}{unit}"
            n_bytes /= 1000
        return f"{self.number(n_bytes, 1)}{_GAP}{units[-1]}"


def N_(text: str) -> str:  # noqa: N802  # the name that everybody gives it
    """Mark a text that a template translates later."""
    return text
