"""Cleaning and normalising of titles and descriptions.

The same object serves training and prediction: it is frozen, and its parameters travel with the encoder.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rayon.data.listings import Listing

RAW_FACTOR = 8
"""Raw characters read per character kept: room for tags and entities, and a bound for absurd input."""

_UNESCAPE_ROUNDS = 3
_TAG = r"<(?:!--.{0,4096}?--|[/!?]?[a-zA-Z][^<>]{0,4096})>"
_HIDDEN = r"<(?P<hidden>script|style)\b[^<>]{0,4096}>.{0,16384}?</(?P=hidden)\s*>"
_ENTITY = r"&(?:amp;)*(?:\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});"
_MARKUP = re.compile(f"{_HIDDEN}|{_TAG}", re.DOTALL | re.IGNORECASE)
_ACCENTS = re.compile("[\u0300-\u036f]+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]+")
_LETTERS = {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "œ": "oe", "æ": "ae", "þ": "th", "ð": "d"}
_LETTER = re.compile(f"[{''.join(_LETTERS)}]")
# Vowel signs are part of their word in Indic and other scripts, though `\w` leaves them out.
_MARKS = "".join(chr(i) for i in range(0x0370, 0x1B00) if unicodedata.category(chr(i)) in ("Mn", "Mc"))
_BREAK = re.compile(f"(?:[^\\w{_MARKS}]|_)+")
_WORD = re.compile(f"(?:[^\\W_]|[{_MARKS}\u0300-\u036f\u00ad\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff])+")
_SPAN = re.compile(
    f"(?P<markup>{_HIDDEN}|{_TAG})|(?P<entity>{_ENTITY})|(?P<word>{_WORD.pattern})", re.DOTALL | re.IGNORECASE
)
_ASCII = bytes(ord(chr(i).lower()) if chr(i).isascii() and chr(i).isalnum() else ord(" ") for i in range(256))


@dataclass(frozen=True, slots=True)
class TextPreprocessor:
    """Raw text to lower-case words of plain letters and digits, one space between them.

    Tags go, entities are resolved (also where they were escaped twice), letters lose their accents and their
    case, compatibility forms become plain ones (Unicode NFKC), and whatever is neither letter, digit nor
    vowel sign separates words. Other scripts than Latin stay as they are. `normalise` is idempotent.

    Parameters
    ----------
    max_title, max_description
        Characters of the normalised title and description that are used; the rest is dropped. At most
        `RAW_FACTOR` times as many raw characters are looked at, so that the time is bounded whatever arrives.
    """

    max_title: int = 1000
    max_description: int = 500

    def title(self, listing: Listing) -> str:
        """Normalised title; empty where there is none."""
        return self.normalise(listing.designation, self.max_title)

    def description(self, listing: Listing) -> str:
        """Normalised description; empty where there is none."""
        return self.normalise(listing.description, self.max_description)

    def normalise(self, text: str, limit: int | None = None) -> str:
        """Normalise one text.

        Parameters
        ----------
        text
            Any text, of any length.
        limit
            Characters kept at the most; `max_title` where not given.
        """
        if not text:
            return text
        limit = self.max_title if limit is None else limit
        text = text[: limit * RAW_FACTOR]
        if "&" in text:
            text = unescape(text)
        if "<" in text:
            text = _MARKUP.sub(" ", text)
        if not text.isascii():
            text = _fold(text)
        if text.isascii():
            text = text.encode("ascii").translate(_ASCII).decode("ascii")
        else:
            text = _BREAK.sub(" ", text)
        text = " ".join(text.split())
        return text if len(text) <= limit else text[:limit].rstrip()

    def tokens(self, text: str) -> list[tuple[int, int, str]]:
        """Words of a raw text with their places, for explanations.

        Parameters
        ----------
        text
            The raw text, as it stands in the listing; only the part that `title` would look at is used.

        Returns
        -------
        list of (start, end, word)
            ``text[start:end]`` is the word as written, entities included; ``word`` is its normalised form.
        """
        return [span for span in self._spans(text[: self.max_title * RAW_FACTOR]) if span[2]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready parameters."""
        return asdict(self)

    def _spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        start = end = -1
        for match in _SPAN.finditer(text):
            piece = match.group()
            if match.lastgroup == "markup" or match["hidden"]:
                continue
            if match["entity"] and not _WORD.fullmatch(unescape(piece)):
                continue
            if match.start() != end:
                if start >= 0:
                    yield start, end, self.normalise(text[start:end])
                start = match.start()
            end = match.end()
        if start >= 0:
            yield start, end, self.normalise(text[start:end])


def unescape(text: str) -> str:
    """Resolve entities, also those whose ampersand was escaped."""
    for _ in range(_UNESCAPE_ROUNDS):
        plain = html.unescape(text)
        if plain == text:
            break
        text = plain
    return text


def _fold(text: str) -> str:
    """Casefold, and drop accents and compatibility forms; letters of other scripts are put back together."""
    text = unicodedata.normalize("NFKD", text)
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
        text = unicodedata.normalize("NFKD", text.casefold())
        text = _ACCENTS.sub("", text)
        text = _LETTER.sub(lambda match: _LETTERS[match.group()], text)
        text = unicodedata.normalize("NFC", text)
    return text
