"""The plots of the reports, each as an SVG element."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from rayon.learning.bootstrap import exact_interval
from rayon.learning.curves import CoveragePoint, ReliabilityBin
from rayon.reports.svg import BAD, GOOD, INK, LINE, MUTED, PANEL, canvas, drawing, panel, render, short
from rayon.reports.wording import ENGLISH, Wording

MAX_CODES = 40
"""Codes that a confusion matrix shows one by one; beyond, the rarest are put together."""

_CELL = 25
_MARGIN = 250
_LABEL_LENGTH = 34


def reliability_plot(bins: Sequence[ReliabilityBin], wording: Wording = ENGLISH) -> Markup:
    """Accuracy against confidence, with the number of listings in each bin below."""
    with drawing("reliability"):
        figure = canvas(520, 440)
        curve, counts = panel(figure, 60, 16, 440, 290), panel(figure, 60, 336, 440, 54)
        curve.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 4)))
        x, y = [one.confidence for one in bins], [one.accuracy for one in bins]
        for one in bins:
            ends = exact_interval(round(one.accuracy * one.n), one.n)
            if ends is not None:
                curve.plot(
                    [one.confidence] * 2, ends, color=GOOD, linewidth=5, alpha=0.28, solid_capstyle="round"
                )
        curve.plot(x, y, color=GOOD, linewidth=2, marker="o", markersize=6, markeredgewidth=0)
        for axes in (curve, counts):
            share_axis(axes, "x", wording)
            axes.set_xlim(0, 1.01)
        share_axis(curve, "y", wording)
        curve.set_ylim(0, 1.03)
        curve.set_ylabel(wording.say("share that is right"))
        width = 0.9 * (bins[0].high - bins[0].low) if bins else 0.05
        counts.bar(
            [(one.low + one.high) / 2 for one in bins], [one.n for one in bins], width, color=MUTED, alpha=0.5
        )
        counts.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        counts.set_ylabel(wording.say("listings"))
        counts.set_xlabel(wording.say("confidence"))
        curve.tick_params(labelbottom=False)
        return render(figure, wording.say("Reliability diagram: share of right answers against confidence"))


def coverage_plot(
    curve: Sequence[CoveragePoint], promised: float | None, operating: tuple[float, float] | None
) -> Markup:
    """Precision of the accepted against how many are accepted, with promise and operating point."""
    with drawing("coverage"):
        figure = canvas(520, 440)
        axes = panel(figure, 60, 16, 440, 374)
        coverage, precision = [one.coverage for one in curve], [one.precision for one in curve]
        lowest = lower_limit(
            [*precision, *([promised] if promised else []), *(operating[1:] if operating else [])]
        )
        axes.plot(coverage, precision, color=GOOD, linewidth=2)
        if promised is not None:
            axes.axhline(promised, color=BAD, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.text(
                0.005, promised - 0.012 * (1.02 - lowest), f"promised {ENGLISH.percent(promised)}",
                color=BAD, va="top", ha="left", fontsize=11,
            )  # fmt: skip
        if operating is not None:
            _operating_point(axes, *operating)
        share_axis(axes, "x")
        share_axis(axes, "y")
        axes.set_xlim(0, 1.01)
        axes.set_ylim(lowest, 1 + 0.02 * (1 - lowest))
        axes.set_xlabel("coverage: share of listings accepted")
        axes.set_ylabel("share of the accepted that is right")
        return render(figure, "Precision of the accepted listings against coverage")


def confusion_plot(matrix: NDArray[np.int64], codes: Sequence[str], labels: Sequence[str]) -> Markup:
    """Confusion matrix: rows are true codes; the darker, the larger the share of the row."""
    matrix, names, ticks = _fold(matrix, codes, labels)
    k = len(names)
    with drawing("confusion"):
        figure = canvas(_MARGIN + k * _CELL + 60, 90 + k * _CELL + 20)
        axes = panel(figure, _MARGIN, 90, max(k, 1) * _CELL, max(k, 1) * _CELL)
        support = matrix.sum(axis=1)
        for row, column in np.argwhere(matrix).tolist():
            _cell(axes, row, column, int(matrix[row, column]), int(support[row]))
        axes.set_xlim(0, max(k, 1))
        axes.set_ylim(max(k, 1), 0)
        for edge in axes.spines.values():
            edge.set_visible(True)
        axes.set_yticks(np.arange(k) + 0.5, names, fontsize=11)
        axes.set_xticks(
            np.arange(k) + 0.5,
            ticks,
            fontsize=11,
            rotation=90,
            rotation_mode="anchor",
            ha="left",
            va="center",
        )
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        for line in range(1, k):
            axes.axhline(line, color=LINE, linewidth=0.5)
            axes.axvline(line, color=LINE, linewidth=0.5)
        for row in range(k):
            axes.text(
                k + 0.25,
                row + 0.5,
                f"{int(support[row]):,}",
                color=MUTED,
                fontsize=10,
                va="center",
                ha="left",
            )
        axes.text(0, -3.15, "predicted", color=MUTED, fontsize=11, ha="left", va="bottom")
        axes.text(-0.3, -0.35, "true", color=MUTED, fontsize=11, ha="right", va="bottom")
        axes.text(k + 0.25, -0.35, "listings", color=MUTED, fontsize=10, ha="left", va="bottom")
        return render(figure, f"Confusion matrix of {k} codes")


def bar_plot(names: Sequence[str], values: Sequence[int], description: str) -> Markup:
    """Horizontal bars with their numbers, in the given order."""
    rows = max(len(names), 1)
    with drawing(f"bars {description}"):
        figure = canvas(920, rows * 24 + 12)
        axes = panel(figure, _MARGIN + 20, 6, 560, rows * 24)
        largest = max([*values, 1])
        axes.barh(np.arange(len(values)), values, height=0.62, color=GOOD, alpha=0.85)
        for row, value in enumerate(values):
            axes.text(
                value + 0.012 * largest, row, f"{value:,}", color=INK, fontsize=11, va="center", ha="left"
            )
        axes.set_yticks(
            np.arange(len(names)), [short(name, _LABEL_LENGTH + 2) for name in names], fontsize=11
        )
        axes.set_xticks([])
        axes.set_xlim(0, largest)
        axes.set_ylim(rows - 0.5, -0.5)
        axes.spines["bottom"].set_visible(False)
        return render(figure, description)


def histogram_plot(edges: Sequence[float], counts: Sequence[int], xlabel: str, description: str) -> Markup:
    """Listings by size; ``edges`` are one more than ``counts``."""
    with drawing(f"histogram {description}"):
        figure = canvas(440, 230)
        axes = panel(figure, 62, 14, 362, 160)
        positions = np.arange(len(counts))
        axes.bar(positions + 0.5, counts, width=0.86, color=GOOD, alpha=0.85)
        axes.set_xlim(0, max(len(counts), 1))
        step = max(1, -(-len(edges) // 9))
        shown = list(range(0, len(edges), step))
        axes.set_xticks(shown, [f"{edges[index]:,.0f}" for index in shown])
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.grid(visible=True, axis="y")
        axes.set_axisbelow(True)
        axes.set_xlabel(xlabel)
        axes.set_ylabel("listings")
        return render(figure, description)


def _cell(axes: Axes, row: int, column: int, n: int, support: int) -> None:
    share = n / support
    # Logarithmic, so that one listing in a hundred can still be seen beside a full row.
    opacity = 0.08 + 0.87 * max(0.0, 1 + np.log10(max(share, 0.005)) / 2.3)
    colour = GOOD if row == column else BAD
    axes.add_patch(
        Rectangle((column, row), 1, 1, facecolor=colour, alpha=round(float(opacity), 2), linewidth=0)
    )
    ink = PANEL if opacity > 0.55 else INK
    text = f"{n}" if n < 1000 else f"{n / 1000:.0f}k"
    axes.text(column + 0.5, row + 0.52, text, fontsize=9.5, ha="center", va="center", color=ink)


def _operating_point(axes: Axes, coverage: float, precision: float) -> None:
    axes.plot([coverage], [precision], "o", color=BAD, markersize=9, markeredgewidth=0)
    left = coverage > 0.45
    axes.annotate(
        f"accepted {ENGLISH.percent(coverage)}, right {ENGLISH.percent(precision)}",
        (coverage, precision),
        xytext=(-10 if left else 10, -9 if left else 9),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top" if left else "bottom",
        color=INK,
        fontsize=11,
    )


def share_axis(axes: Axes, which: str, wording: Wording = ENGLISH) -> None:
    """Ticks in per cent, and a grid, along ``"x"`` or ``"y"``."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: wording.percent(value)))
    axis.set_major_locator(MaxNLocator(5))
    axes.grid(visible=True)
    axes.set_axisbelow(True)


def lower_limit(shares: Sequence[float]) -> float:
    """A round share somewhat below the lowest."""
    lowest = min(shares, default=0.0)
    return max(0.0, float(np.floor((lowest - 0.02) * 20) / 20))


def _fold(
    matrix: NDArray[np.int64], codes: Sequence[str], labels: Sequence[str]
) -> tuple[NDArray[np.int64], list[str], list[str]]:
    """Leave out codes that never occur, and put the rarest together where there are too many."""
    occurs = matrix.sum(axis=0) + matrix.sum(axis=1)
    shown = np.flatnonzero(occurs)
    others = np.array([], dtype=np.intp)
    if len(shown) > MAX_CODES:
        ranked = shown[np.argsort(-occurs[shown], kind="stable")]
        shown, others = np.sort(ranked[: MAX_CODES - 1]), ranked[MAX_CODES - 1 :]
    names = [_name(codes[index], labels[index]) for index in shown.tolist()]
    ticks = [short(codes[index], 9) for index in shown.tolist()]
    if not len(others):
        return matrix[np.ix_(shown, shown)], names, ticks
    groups = [*([index] for index in shown.tolist()), others.tolist()]
    folded = np.array([[matrix[np.ix_(rows, columns)].sum() for columns in groups] for rows in groups])
    return folded, [*names, f"{len(others)} other codes"], [*ticks, "others"]


def _name(code: str, label: str) -> str:
    code = short(code, 12)
    return code if label == code else f"{short(label, _LABEL_LENGTH - len(code) - 2)}  {code}"
