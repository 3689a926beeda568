"""Text of listings as people read it: without tags and entities, case and accents kept."""

from __future__ import annotations

import html
import re

_MAX_RAW = 4000
_TAG = re.compile(r"<[/!?]?[a-zA-Z][^<>]{0,1000}>")


def plain_text(text: str) -> str:
    """One line of readable text, still not to be trusted: it is escaped where it is shown."""
    return " ".join(html.unescape(_TAG.sub(" ", text[:_MAX_RAW])).split())
