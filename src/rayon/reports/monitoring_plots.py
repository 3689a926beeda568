"""The plots of the monitoring report: volumes, and quality over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rayon.reports.plots import lower_limit, share_axis
from rayon.reports.svg import BAD, GOOD, MUTED, PANEL, canvas, drawing, panel, render, short
from rayon.reports.volumes import Bar, Unit, bar_name
from rayon.reports.wording import ENGLISH, Wording

MAX_LOOKS = 80
"""Earlier looks that are drawn; where there are more, the last one of each of so many equal times."""

LABEL_LENGTH = 22
"""Characters of what stands beside a bar, or in a legend."""

STEPS = (1, 2, 5, 10)
"""Of the ticks, times a power of ten."""

VOLUMES: Mapping[Unit, str] = {
    "day": "Predictions of each day, and how many of them were accepted",
    "week": "Predictions of each week, and how many of them were accepted",
    "month": "Predictions of each month, and how many of them were accepted",
    "year": "Predictions of each year, and how many of them were accepted",
}
"""What is seen on the plot of volumes."""

_WIDTH = 400


@dataclass(frozen=True, slots=True)
class Look:
    """A figure as one look found it.

    Parameters
    ----------
    at
        The end of the window that was looked at.
    current
        Whether it is of the model that the report is about.
    estimate, low, high
        The figure and its interval; ``None`` as the estimate where there are bounds alone.
    promised
        What was promised of the figure; ``None`` where nothing was.
    """

    at: datetime
    current: bool
    estimate: float | None
    low: float
    high: float
    promised: float | None = None


def volume_plot(unit: Unit, bars: Sequence[Bar], wording: Wording = ENGLISH) -> Markup:
    """Predictions over time; the accepted ones are the lower part of a bar."""
    with drawing("volumes"):
        figure = canvas(920, 244)
        axes = panel(figure, 62, 30, 840, 184)
        positions = np.arange(len(bars))
        accepted = np.array([one.accepted for one in bars])
        rest = np.array([one.predictions for one in bars]) - accepted
        axes.bar(positions, accepted, width=0.78, color=GOOD, alpha=0.9)
        axes.bar(positions, rest, width=0.78, bottom=accepted, color=MUTED, alpha=0.4)
        axes.set_xlim(-0.6, max(len(bars), 14) - 0.4)  # a few bars do not fill the plot
        axes.set_ylim(0, 1.06 * max([*(one.predictions for one in bars), 1]))
        shown = positions[:: max(1, -(-len(bars) // 12))]
        axes.set_xticks(shown, [bar_name(bars[place].start, unit, wording) for place in shown])
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, steps=STEPS))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: wording.number(value, 0)))
        axes.grid(visible=True, axis="y")
        axes.set_axisbelow(True)
        names = [(wording.say("accepted"), GOOD, 0.9), (wording.say("sent to review"), MUTED, 0.4)]
        legend(axes, 184, names)
        return render(figure, wording.say(VOLUMES[unit]))


def thinned(looks: Sequence[Look]) -> list[Look]:
    """In the order of time, at most `MAX_LOOKS` and the last of all; the last one of each equal time."""
    ordered = sorted(looks, key=lambda one: one.at)
    if len(ordered) <= MAX_LOOKS:
        return ordered
    first, last = ordered[0].at, ordered[-1].at
    step = (last - first) / MAX_LOOKS or timedelta(seconds=1)
    latest = {min(int((one.at - first) / step), MAX_LOOKS - 1): one for one in ordered}
    return list(latest.values())


def history_plot(
    looks: Sequence[Look],
    trained: float | None,
    description: str,
    *,
    share: bool = True,
    wording: Wording = ENGLISH,
) -> Markup:
    """A figure from 0 to 1 over time with intervals, and what was promised and what training saw.

    Parameters
    ----------
    looks
        One at least, in the order of time.
    trained
        Training's figure.
    description
        Of the plot.
    share
        Whether the figure is a share, to be written in per cent.
    wording
        The language.
    """
    with drawing(f"history {description}"):
        figure, axes = _over_time(looks, wording)
        levels = [one.low for one in looks] + [one.promised for one in looks if one.promised is not None]
        lowest = lower_limit([*levels, *([] if trained is None else [trained])])
        if trained is not None:
            axes.axhline(trained, color=MUTED, linewidth=1.2, linestyle=(0, (1, 3)))
        _promises(axes, looks)
        share_axis(axes, "y", wording)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
        if not share:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: wording.number(value, 2)))
        axes.set_ylim(lowest, 1 + 0.03 * (1 - lowest))
        return render(figure, description)


def overconfidence_plot(looks: Sequence[Look], description: str, wording: Wording = ENGLISH) -> Markup:
    """Mean confidence minus accuracy over time, in points; an honest model is at 0."""
    with drawing("overconfidence"):
        figure, axes = _over_time(looks, wording)
        axes.axhline(0, color=MUTED, linewidth=1.2, linestyle=(0, (4, 4)))
        low, high = min([-0.02, *(one.low for one in looks)]), max([0.02, *(one.high for one in looks)])
        room = 0.05 * (high - low)
        axes.set_ylim(low - room, high + room)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _points(value, wording)))
        axes.grid(visible=True, axis="y")
        axes.set_axisbelow(True)
        return render(figure, description)


def legend(axes: Axes, height: float, entries: Sequence[tuple[str, str, float]], left: float = 0) -> None:
    """Swatches and their names in pixels above the axes, which are so high."""
    for words, colour, alpha in entries:
        name = short(words, LABEL_LENGTH)
        for text, place, ink, opacity in (("■", left, colour, alpha), (name, left + 14, MUTED, 1.0)):
            axes.annotate(
                text,
                (place, height + 10),
                xycoords="axes pixels",
                annotation_clip=False,
                color=ink,
                alpha=opacity,
                fontsize=11,
                va="baseline",
            )
        left += 34 + 6.3 * len(name)


def _over_time(looks: Sequence[Look], wording: Wording) -> tuple[Figure, Axes]:
    figure = canvas(_WIDTH, 226)
    axes = panel(figure, 52, 12, _WIDTH - 82, 186)
    moments = [_place(one.at) for one in looks]
    thin = len(looks) > 30
    for moment, one in zip(moments, looks, strict=True):
        colour = GOOD if one.current else MUTED
        axes.plot(
            [moment] * 2, [one.low, one.high], color=colour, alpha=0.35 if one.current else 0.3,
            linewidth=2 if thin else 4, solid_capstyle="round",
        )  # fmt: skip
        if one.estimate is not None:
            axes.plot(
                [moment], [one.estimate], "o", color=colour, markersize=4 if thin else 6,
                markerfacecolor=colour if one.current else PANEL,
            )  # fmt: skip
    first, last = min(moments), max(moments)
    room = max(1.5, 0.05 * (last - first))
    axes.set_xlim(first - room, last + room)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(_moment_label(last - first > 300, wording)))
    return figure, axes


def _points(value: float, wording: Wording) -> str:
    """A difference of shares in points, with its sign, and with decimals where it has some."""
    points = round(100 * value, 1)
    sign = "+" if points > 0 else ""
    return f"{sign}{wording.number(points, 0 if points == round(points) else 1)}"


def _moment_label(years: bool, wording: Wording) -> Any:
    def label(place: float, _: int | None = None) -> str:
        if place != round(place) or place < 1:
            return ""
        return bar_name(date.fromordinal(round(place)), "month" if years else "day", wording)

    return label


def _place(moment: datetime) -> float:
    return moment.toordinal() + (moment.hour * 3600 + moment.minute * 60 + moment.second) / 86_400


def _promises(axes: Axes, looks: Sequence[Look]) -> None:
    """What was promised holds until the next look; a single look gets a line through the plot."""
    style: dict[str, Any] = {"color": BAD, "linewidth": 1.2, "linestyle": (0, (4, 3))}
    promised = [one.promised for one in looks]
    if len(set(promised)) == 1:
        if promised[0] is not None:
            axes.axhline(promised[0], **style)
        return
    ends = [*(_place(one.at) for one in looks), axes.get_xlim()[1]]
    for (start, end), level in zip(pairwise(ends), promised, strict=True):
        if level is not None:
            axes.plot([start, end], [level] * 2, **style)
