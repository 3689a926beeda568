"""Pages that open offline: one file, no script, nothing loaded from elsewhere, all text escaped."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rayon.errors import OutputError
from rayon.learning.bootstrap import Interval
from rayon.reports.svg import printable, short

MISSING = "–"
"""What stands where there is no figure."""


def render_page(template: str, **values: Any) -> str:
    """Fill in one of the package's templates; text is escaped, undefined names are errors."""
    return _environment().get_template(template).render(**values)


def write_file(path: Path, text: str) -> None:
    """Write a text file that appears as a whole or not at all; its folder is made where it is missing.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    draft: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        draft = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", errors="replace"))
        draft.chmod(0o644)  # mkstemp makes private files; a report is meant to be read by others
        draft.replace(path)
    except OSError as error:
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise OutputError(
            f"The report {path} cannot be written ({error.strerror})",
            "Check the permissions and the free space, or choose another place",
        ) from None


def number(value: float | None, digits: int = 3) -> str:
    """A figure between 0 and 1 or a loss, with so many decimals."""
    return MISSING if value is None else f"{value:.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share as a percentage."""
    return MISSING if share is None else f"{100 * share:.{digits}f} %"


def p_value(value: float | None) -> str:
    """The p-value of a test with what it is called; tiny ones as a bound."""
    if value is None:
        return MISSING
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.4f}"


def count(value: int) -> str:
    """A whole number with thousands separated."""
    return f"{value:,}"


def interval(ends: Interval | None, digits: int = 3) -> str:
    """An interval in brackets; empty where there is none."""
    return "" if ends is None else f"[{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"


def span(ends: Interval | None, digits: int = 3) -> str:
    """An interval in words; empty where there is none."""
    return "" if ends is None else f"{ends[0]:.{digits}f} to {ends[1]:.{digits}f}"


def percent_interval(ends: Interval | None, digits: int = 1) -> str:
    """An interval of a share, as percentages; empty where there is none."""
    return "" if ends is None else f"{100 * ends[0]:.{digits}f} to {100 * ends[1]:.{digits}f} %"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("rayon.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(
        number=number,
        percent=percent,
        count=count,
        interval=interval,
        percent_interval=percent_interval,
        short=short,
        span=span,
    )
    environment.globals["stylesheet"] = _stylesheet()
    return environment


def _stylesheet() -> Markup:
    text = Path(__file__).with_name("templates").joinpath("report.css").read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704  # our own file


def _finalize(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return MISSING if value is None else value
