"""Text of listings as people read it, without tags and entities; and what their languages are called."""

from __future__ import annotations

import html
import re

LANGUAGES = {
    "fr": "French",
    "en": "English",
    "de": "German",
    "es": "Spanish",
    "it": "Italian",
    "other": "Other",
    "unknown": "Not recognised",
}
"""Readable names of what the inspection counts."""

_MAX_RAW = 4000
_TAG = re.compile(r"<[/!?]?[a-zA-Z][^<>]{0,1000}>")


def plain_text(text: str) -> str:
    """One line of readable text, still not to be trusted: it is escaped where it is shown."""
    return " ".join(html.unescape(_TAG.sub(" ", text[:_MAX_RAW])).split())
