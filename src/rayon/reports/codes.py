"""Codes in the order in which people should look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def by_need(codes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The codes with most listings that are wrong beyond doubt first: by the upper end of the interval."""
    return sorted(
        codes,
        key=lambda one: (-round(one["listings"] * (1 - one["precision"]["high"]), 6), -one["listings"]),
    )
