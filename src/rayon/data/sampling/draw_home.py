"""Drawings of furniture, linen and decoration."""

from __future__ import annotations

from random import Random

from rayon.data.sampling.canvas import (
    INK,
    LEAF,
    PAPER,
    STEEL,
    WHITE,
    WOOD,
    Drawing,
    Pen,
    Rgb,
    lively,
    mix,
    pattern,
    shade,
)
from rayon.data.sampling.draw_books import artwork


def chair(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A chair: wooden legs, padded seat and back."""
    leg = rng.choice([WOOD, INK, STEEL])
    pen.line([(-0.5, 0.15), (-0.6, 0.95)], leg, 0.07)
    pen.line([(0.42, 0.15), (0.56, 0.95)], leg, 0.07)
    pen.line([(-0.2, 0.15), (-0.26, 0.75)], shade(leg, 0.75), 0.06)
    pen.line([(0.3, 0.15), (0.32, 0.75)], shade(leg, 0.75), 0.06)
    pen.rounded(-0.5, -0.95, 0.32, -0.05, 0.14, colour, shade(colour, 0.65))
    if rng.random() < 0.5:
        pen.bars(rng, -0.36, -0.8, 0.22, -0.15, 4, shade(colour, 0.8), 0.3)
    pen.polygon(
        [(-0.5, -0.05), (0.36, -0.05), (0.54, 0.2), (-0.6, 0.2)], shade(colour, 0.85), shade(colour, 0.6)
    )


def armchair(pen: Pen, rng: Random, colour: Rgb) -> None:
    """An armchair or a two-seat sofa."""
    wide = rng.choice([0.7, 0.96])
    pen.rounded(-wide + 0.1, -0.7, wide - 0.1, 0.3, 0.16, shade(colour, 0.85), shade(colour, 0.6))
    for k in (-1, 1) if wide > 0.8 else (0,):
        half = (wide - 0.22) / (2 if wide > 0.8 else 1)
        pen.rounded(
            k * half - half, 0.05, k * half + half, 0.42, 0.08, shade(colour, 1.15), shade(colour, 0.6)
        )
    for side in (-1, 1):
        x = side * (wide - 0.12)
        pen.rounded(x - 0.14, -0.2, x + 0.14, 0.66, 0.12, colour, shade(colour, 0.6))
        pen.rect(x - 0.06, 0.66, x + 0.04, 0.86, WOOD)
    pen.rect(-wide + 0.26, 0.42, wide - 0.26, 0.64, shade(colour, 0.75))


def table(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A table seen a little from above."""
    top = mix(rng.choice([WOOD, (224, 196, 150), WHITE, (96, 70, 52)]), colour, rng.choice([0.0, 0.5]))
    leg = rng.choice([shade(top, 0.6), INK])
    for x, foot in ((-0.86, 0.85), (0.8, 0.85), (-0.6, 0.55), (0.56, 0.55)):
        pen.rect(x, -0.1, x + 0.07, foot, leg)
    if rng.random() < 0.35:
        pen.ellipse(0, -0.16, 0.96, 0.26, top, shade(top, 0.6), 0.04)
    else:
        pen.polygon([(-0.68, -0.4), (0.68, -0.4), (0.98, -0.02), (-0.98, -0.02)], top, shade(top, 0.7))
        pen.rect(-0.98, -0.02, 0.98, 0.08, shade(top, 0.75))


def shelf(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A bookcase or chest: boards, some doors, some things on them."""
    wood = mix(rng.choice([WOOD, (226, 204, 166), WHITE, (80, 62, 52)]), colour, rng.choice([0.0, 0.3]))
    pen.rect(-0.64, -0.95, 0.64, 0.95, shade(wood, 0.6), shade(wood, 0.5), 0.04)
    rows = rng.randint(3, 5)
    high = 1.8 / rows
    for row in range(rows):
        y = -0.9 + row * high
        if rng.random() < 0.45:
            pen.rect(-0.6, y + 0.02, -0.01, y + high - 0.02, wood, shade(wood, 0.7))
            pen.rect(0.01, y + 0.02, 0.6, y + high - 0.02, wood, shade(wood, 0.7))
            for x in (-0.08, 0.08):
                pen.circle(x, y + high / 2, 0.03, STEEL)
            continue
        pen.rect(-0.6, y + 0.02, 0.6, y + high - 0.02, shade(wood, 1.3))
        for k in range(rng.randint(1, 6)):
            pen.rect(-0.55 + k * 0.11, y + high * 0.35, -0.46 + k * 0.11, y + high - 0.03, lively(rng))


def cushion(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A cushion with a pattern and hollow sides."""
    outline = [
        (-0.88, -0.88),
        (0, -0.76),
        (0.88, -0.88),
        (0.76, 0),
        (0.88, 0.88),
        (0, 0.76),
        (-0.88, 0.88),
        (-0.76, 0),
    ]
    pen.polygon(outline, colour, shade(colour, 0.65), 0.03)
    pattern(pen, rng, -0.66, -0.66, 0.66, 0.66, shade(colour, rng.choice([0.7, 1.4, 1.7])))
    if rng.random() < 0.3:
        for x, y in ((-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)):
            pen.circle(x, y, 0.09, shade(colour, 0.6))


def towels(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A pile of folded towels or sheets."""
    for k in range(rng.randint(3, 5)):
        y = 0.66 - k * 0.32
        cloth = shade(colour, rng.uniform(0.8, 1.5))
        pen.rounded(-0.84 + 0.03 * k, y - 0.14, 0.84 - 0.03 * k, y + 0.15, 0.13, cloth, shade(cloth, 0.7))
        pen.line([(-0.7, y), (0.76, y)], shade(cloth, 0.8), 0.02)
        pen.rect(0.3, y - 0.14, 0.42, y + 0.15, shade(cloth, rng.choice([0.8, 1.4])))


def curtain(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A pair of curtains on a rod."""
    pen.rect(-0.98, -0.92, 0.98, -0.86, INK)
    gap = rng.uniform(0.0, 0.3)
    for left, right in ((-0.92, -gap), (gap, 0.92)):
        folds = 6
        wide = (right - left) / folds
        for k in range(folds):
            pen.rect(
                left + k * wide, -0.84, left + (k + 1) * wide, 0.94, shade(colour, 1.25 if k % 2 else 0.9)
            )
            pen.circle(left + (k + 0.5) * wide, -0.86, 0.05, STEEL)


def rug(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A rug or tablecloth with a border and fringes."""
    for k in range(20):
        for y in (-0.72, 0.64):
            pen.rect(-0.94 + k * 0.098, y, -0.91 + k * 0.098, y + 0.08, PAPER, WOOD, 0.008)
    pen.rect(-0.96, -0.64, 0.96, 0.64, colour, shade(colour, 0.6))
    pen.rect(-0.84, -0.52, 0.84, 0.52, None, shade(colour, rng.choice([0.6, 1.6])), 0.05)
    pattern(pen, rng, -0.76, -0.44, 0.76, 0.44, shade(colour, rng.choice([0.7, 1.5])))


def lamp(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A table lamp."""
    pen.polygon([(-0.36, -0.9), (0.36, -0.9), (0.66, -0.06), (-0.66, -0.06)], colour, shade(colour, 0.7))
    if rng.random() < 0.4:
        pen.rect(-0.6, -0.2, 0.6, -0.12, shade(colour, 1.5))
    pen.rect(-0.04, -0.06, 0.04, 0.3, STEEL)
    foot = rng.choice([WOOD, WHITE, INK, lively(rng)])
    pen.ellipse(0, 0.5, 0.24, 0.32, foot, shade(foot, 0.6))
    pen.ellipse(0, 0.88, 0.4, 0.09, shade(foot, 0.8))


def vase(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A vase with flowers."""
    for k in range(rng.randint(2, 5)):
        x = rng.uniform(-0.5, 0.5)
        y = rng.uniform(-0.9, -0.5)
        pen.line([(0, 0.0), (x, y)], LEAF, 0.04)
        pen.star(x, y, 0.2, lively(rng), rng.choice([6, 7, 8]), 0.6)
        pen.circle(x, y, 0.06, (250, 214, 80))
        pen.moved(x * 0.5, y * 0.4, 1, 40 * (k - 1)).ellipse(0, 0, 0.14, 0.05, LEAF)
    pen.polygon(
        [
            (-0.2, -0.1),
            (0.2, -0.1),
            (0.16, 0.1),
            (0.42, 0.42),
            (0.26, 0.94),
            (-0.26, 0.94),
            (-0.42, 0.42),
            (-0.16, 0.1),
        ],
        colour,
        shade(colour, 0.6),
    )
    pen.line([(-0.4, 0.44), (0.4, 0.44)], shade(colour, 1.5), 0.06)


def frame(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A framed picture or canvas."""
    rim = rng.choice([WOOD, INK, (206, 176, 100), WHITE])
    high = rng.choice([0.7, 0.95])
    pen.rect(-0.9, -high, 0.9, high, rim, shade(rim, 0.6), 0.03)
    pen.rect(-0.76, -high + 0.14, 0.76, high - 0.14, WHITE)
    artwork(pen, rng, -0.62, -high + 0.27, 0.62, high - 0.27, colour)


def clock(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A wall clock."""
    pen.circle(0, 0, 0.92, colour, shade(colour, 0.6))
    pen.circle(0, 0, 0.76, PAPER)
    for k in range(12):
        mark = pen.moved(0, 0, 1, 30 * k)
        mark.rect(-0.025, -0.72, 0.025, -0.6 if k % 3 else -0.5, INK)
    pen.moved(0, 0, 1, rng.uniform(0, 360)).rect(-0.035, -0.4, 0.035, 0.06, INK)
    pen.moved(0, 0, 1, rng.uniform(0, 360)).rect(-0.022, -0.6, 0.022, 0.08, INK)
    pen.circle(0, 0, 0.06, colour)


def bauble(pen: Pen, rng: Random, colour: Rgb) -> None:
    """Christmas baubles hanging on a string."""
    for x, y, size in ((0.0, 0.2, 0.6), (-0.62, -0.3, 0.32), (0.62, -0.2, 0.34))[: rng.randint(1, 3)]:
        shell = colour if x == 0 else lively(rng)
        pen.line([(x, -1.0), (x, y - size)], (206, 176, 100), 0.025)
        pen.rect(x - 0.08, y - size - 0.1, x + 0.08, y - size + 0.04, (206, 176, 100))
        pen.circle(x, y, size, shell, shade(shell, 0.6))
        pen.line(
            [(x - size, y), (x - size / 2, y - 0.1), (x, y), (x + size / 2, y - 0.1), (x + size, y)],
            PAPER,
            0.05,
        )
        pen.ellipse(x - size * 0.36, y - size * 0.45, size * 0.16, size * 0.1, shade(shell, 1.7))


DRAWINGS: dict[str, Drawing] = {
    "chair": chair,
    "armchair": armchair,
    "table": table,
    "shelf": shelf,
    "cushion": cushion,
    "towels": towels,
    "curtain": curtain,
    "rug": rug,
    "lamp": lamp,
    "vase": vase,
    "frame": frame,
    "clock": clock,
    "bauble": bauble,
}
