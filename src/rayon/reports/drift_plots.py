"""Plots of signals that have drifted: the shares of their bins, then and now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from rayon.reports.drift_changes import Series
from rayon.reports.monitoring_plots import LABEL_LENGTH, STEPS, legend
from rayon.reports.plots import share_axis
from rayon.reports.svg import BAD, INK, MUTED, canvas, drawing, panel, render, short
from rayon.reports.wording import ENGLISH, Wording

_WIDTH = 400


def shares_plot(
    labels: Sequence[str], series: Sequence[Series], description: str, wording: Wording = ENGLISH
) -> Markup:
    """Shares of each bin side by side: the references, and last what it is now."""
    colours = [(MUTED, 0.45), (INK, 0.6), (BAD, 0.9)] if len(series) > 2 else [(MUTED, 0.45), (BAD, 0.9)]
    thick = 8 if len(series) > 2 else 10
    row = thick * len(series) + 12
    with drawing(f"shares {description}"):
        height = max(len(labels), 1) * row
        figure = canvas(_WIDTH, height + 58)
        axes = panel(figure, 152, 28, _WIDTH - 168, height)
        largest = max([*(share for one in series for share in one.shares), 0.01])
        for place, (one, (colour, alpha)) in enumerate(zip(series, colours, strict=True)):
            offset = (place - (len(series) - 1) / 2) * thick / row
            axes.barh(
                np.arange(len(labels)) + offset, one.shares, 0.86 * thick / row, color=colour, alpha=alpha
            )
        axes.set_yticks(np.arange(len(labels)), [short(one, LABEL_LENGTH) for one in labels], fontsize=11)
        axes.set_xlim(0, 1.04 * largest)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        share_axis(axes, "x", wording)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=STEPS))
        axes.grid(visible=False, axis="y")
        legend(
            axes,
            height,
            [(wording.say(one.name), *colour) for one, colour in zip(series, colours, strict=True)],
            left=-144,
        )
        return render(figure, description)
