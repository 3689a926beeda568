"""Texts of listings as people read them: many come with entities and with the formatting of a web page."""

from __future__ import annotations

import re

from rayon.data.text import unescape

_ATTRIBUTES = r"(?:\s[^<>]{0,500})?/?>"
_LINE = r"</?(?:br|p|div|li|ul|ol|tr|table|tbody|h[1-6])" + _ATTRIBUTES
_LINES = re.compile(rf"(?:{_LINE}\s*)+", re.IGNORECASE)
_LETTERS = re.compile(r"</?(?:b|i|u|em|strong|span|font|small|big)" + _ATTRIBUTES, re.IGNORECASE)


def readable(text: str) -> str:
    """Resolve entities, make line ends of the tags that end a line, and leave out those that dress letters.

    All other markup stays as it is. The answer is text like any other, and never to be taken for HTML.

    Parameters
    ----------
    text
        A title or a description, or a piece of one.
    """
    if "&" in text:
        text = unescape(text)
    if "<" in text:
        text = _LETTERS.sub("", _LINES.sub("\n", text))
    return text
