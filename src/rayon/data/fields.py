"""The fields of a row: text that can be classified and written out again, and indices that occur once."""

from __future__ import annotations

from typing import Any

from rayon.data.readers import MAX_TEXT
from rayon.errors import ListingError


def field_text(field: str, value: Any) -> str:
    """The text of a field; empty where it is missing.

    Raises
    ------
    ListingError
        When the value is neither text nor a number, too long, or text that no file could hold.
    """
    if not isinstance(value, str):
        return _number_text(field, value)
    if len(value) > MAX_TEXT:
        raise ListingError(too_long(field))
    if "\x00" in value:
        raise ListingError(f"the field {field!r} holds a NUL byte")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ListingError(
                f"the field {field!r} holds half of a surrogate pair, which is no text"
            ) from None
    return value


def _number_text(field: str, value: Any) -> str:
    if value is None or value != value:  # NaN is how data frames say "missing"
        return ""
    if not isinstance(value, float | int) or isinstance(value, bool):
        raise ListingError(f"the field {field!r} is of the type {type(value).__name__}, not text")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def id_text(value: Any) -> str:
    """An id as it stands in the file; empty where it is missing or cannot be used."""
    try:
        return field_text("id", value)
    except ListingError:
        return ""


def too_long(field: str) -> str:
    """What is said of a field beyond the limit."""
    return f"the field {field!r} is longer than {MAX_TEXT:,} characters"


class SeenIndices:
    """Which indices have come by; a byte for each whole number of up to seven digits, a set for others."""

    def __init__(self) -> None:
        self._numbers = bytearray()
        self._others: set[str] = set()

    def add(self, index: str) -> None:
        """Note an index.

        Raises
        ------
        ListingError
            When it is empty or was noted before.
        """
        if not index:
            raise ListingError("the field 'index' is empty")
        if index.isascii() and index.isdecimal() and len(index) <= 7 and str(int(index)) == index:
            place = int(index)
            self._numbers.extend(bytes(max(0, place + 1 - len(self._numbers))))
            known, self._numbers[place] = bool(self._numbers[place]), 1
        else:
            known = index in self._others
            self._others.add(index)
        if known:
            raise ListingError(f"the index {index!r} is there a second time")
