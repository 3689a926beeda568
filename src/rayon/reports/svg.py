"""Matplotlib figures as SVG that can be put inside a page and follows its colours.

Figures are drawn with stand-in colours that become CSS variables, so that one drawing serves the light and
the dark theme. What Matplotlib writes as styles becomes attributes, which the strictest page allows. No
pyplot, no date, fixed identifiers: the same figures give the same bytes.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#0a0b01"
MUTED = "#0a0b02"
LINE = "#0a0b03"
GOOD = "#0a0b04"
BAD = "#0a0b05"
PANEL = "#0a0b06"
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    GOOD: "var(--good)",
    BAD: "var(--bad)",
    PANEL: "var(--panel)",
}

_SETTINGS: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 12,
    "font.family": ["DejaVu Sans"],
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.linewidth": 1,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.pad": 6,
    "figure.facecolor": "none",
    "grid.color": LINE,
    "grid.linewidth": 1,
    "path.simplify": True,
}

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


_STROKES = 'stroke-linejoin="round" stroke-linecap="butt"'
"""What Matplotlib says of all lines in a stylesheet of its own."""

_FONT = re.compile(r"([\d.]+)px .*")


_DRAWING = threading.RLock()
"""Held while a figure is made: Matplotlib's settings are those of the whole process."""


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """Settings under which figures are made and rendered; ``name`` makes their identifiers unique."""
    settings = {**_SETTINGS, "svg.hashsalt": name}
    with _DRAWING, matplotlib.rc_context(settings), warnings.catch_warnings():
        # The browser picks the font; what Matplotlib's own lacks is no concern of ours.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        yield


def canvas(width: int, height: int) -> Figure:
    """An empty figure of so many pixels."""
    return Figure(figsize=(width / 72, height / 72), dpi=72)


def panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in pixels from the upper left corner."""
    total_width, total_height = figure.get_size_inches() * 72
    return figure.add_axes(
        (
            left / total_width,
            1 - (top + height) / total_height,
            width / total_width,
            height / total_height,
        )
    )


def render(figure: Figure, description: str) -> Markup:
    """The figure as an ``<svg>`` element to be put in a page, with a description for screen readers."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    width, height = (round(float(inches) * 72) for inches in figure.get_size_inches())
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'aria-label="{escape(description)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" {_STROKES}>'
    )
    return Markup(head + _body(buffer.getvalue()))  # noqa: S704  # Matplotlib escapes all text


def short(text: str, length: int) -> str:
    """One printable line of at most ``length`` characters, with an ellipsis where some were cut."""
    line = " ".join(printable(text).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def printable(text: str) -> str:
    """The text without control characters and lone surrogates, which neither XML nor UTF-8 can carry."""
    return _UNPRINTABLE.sub("", text)


def _body(document: str) -> str:
    """What is inside the ``<svg>`` element, in the colours and the font of the page."""
    start = document.index(">", document.index("<svg")) + 1
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", document[start:], flags=re.DOTALL)
    body = re.sub(r'(<g) id="[^"]*"', r"\1", body)  # groups are numbered anew in every figure of the page
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'style="([^"]*)"', lambda found: _attributes(found[1]), body)
    for stand_in, variable in _VARIABLES.items():
        body = body.replace(stand_in, variable)
    return body.strip()


def _attributes(style: str) -> str:
    """A style as attributes of the element; the font is left to the page."""
    written = []
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font" and (size := _FONT.match(value)):
            written.append(f'font-size="{size[1]}"')
        elif name and name != "font-family":
            written.append(f'{name}="{value}"')
    return " ".join(written)
