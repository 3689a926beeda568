"""Drawings of groceries and pet supplies."""

from __future__ import annotations

from random import Random

from rayon.data.sampling.canvas import (
    INK,
    PAPER,
    STEEL,
    WHITE,
    Drawing,
    Pen,
    Rgb,
    contrast,
    lively,
    mix,
    pattern,
    shade,
)


def jar(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A jar of jam or honey."""
    jam = mix(colour, rng.choice([(200, 60, 50), (230, 160, 40), (120, 60, 90)]), 0.7)
    pen.rounded(-0.56, -0.6, 0.56, 0.92, 0.18, jam, shade(jam, 0.6))
    pen.rect(-0.46, -0.5, -0.36, 0.7, shade(jam, 1.4))
    lid = lively(rng)
    pen.rounded(-0.6, -0.86, 0.6, -0.58, 0.05, lid, shade(lid, 0.6))
    if rng.random() < 0.4:
        pattern(pen, rng, -0.56, -0.84, 0.56, -0.62, WHITE)
    pen.rounded(-0.42, -0.16, 0.42, 0.52, 0.05, PAPER)
    pen.circle(0, 0.04, 0.12, jam)
    pen.bars(rng, -0.3, 0.24, 0.3, 0.44, 2, INK, 0.4)


def bottle(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A bottle of wine, oil or syrup."""
    glass = mix(colour, rng.choice([(40, 80, 50), (110, 60, 30), (200, 190, 90)]), 0.75)
    pen.polygon(
        [
            (-0.11, -0.9),
            (0.11, -0.9),
            (0.12, -0.4),
            (0.34, -0.1),
            (0.34, 0.95),
            (-0.34, 0.95),
            (-0.34, -0.1),
            (-0.12, -0.4),
        ],
        glass,
        shade(glass, 0.6),
    )
    pen.rect(-0.13, -0.98, 0.13, -0.7, lively(rng))
    pen.rect(-0.26, 0.0, -0.18, 0.9, shade(glass, 1.4))
    pen.rect(-0.34, 0.18, 0.34, 0.74, PAPER)
    pen.bars(rng, -0.24, 0.26, 0.24, 0.46, 2, INK, 0.5)
    pen.star(0, 0.6, 0.09, colour)


def packet(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A packet of coffee, tea or biscuits."""
    pen.polygon([(-0.56, -0.76), (0.56, -0.76), (0.62, 0.92), (-0.62, 0.92)], colour, shade(colour, 0.6))
    pen.rect(-0.56, -0.92, 0.56, -0.74, shade(colour, 0.7))
    pen.ellipse(0, 0.3, 0.42, 0.3, PAPER)
    for _ in range(rng.randint(3, 6)):
        bean = pen.moved(rng.uniform(-0.26, 0.26), rng.uniform(0.16, 0.44), 1, rng.uniform(0, 180))
        bean.ellipse(0, 0, 0.11, 0.07, (112, 70, 42))
        bean.line([(-0.1, 0), (0.1, 0)], (80, 48, 28), 0.02)
    pen.bars(rng, -0.4, -0.56, 0.4, -0.16, 2, contrast(colour), 0.6)


def bone(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A chew bone."""
    fill = mix(colour, (240, 220, 180), rng.choice([0.3, 0.9]))
    turned = pen.moved(0, 0, 1, rng.uniform(-35, 35))
    for x in (-0.66, 0.66):
        for y in (-0.2, 0.2):
            turned.circle(x, y, 0.27, fill, shade(fill, 0.7))
    turned.rect(-0.68, -0.2, 0.68, 0.2, fill)
    for x in (-0.66, 0.66):
        for y in (-0.18, 0.18):
            turned.circle(x, y, 0.22, fill)
    turned.line([(-0.4, -0.06), (0.3, -0.06)], shade(fill, 1.5), 0.04)


def collar(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A dog's collar with buckle and tag."""
    pen.ellipse(0, -0.12, 0.82, 0.6, None, colour, 0.18)
    for k in range(9):
        stud = sector_point(k)
        pen.circle(stud[0], stud[1], 0.04, STEEL)
    pen.rect(-0.16, -0.86, 0.16, -0.58, None, STEEL, 0.06)
    pen.circle(0, 0.56, 0.06, None, STEEL, 0.03)
    pen.circle(0, 0.74, 0.18, (222, 184, 80), (170, 130, 50))
    pen.star(0, 0.74, 0.09, WHITE, rng.choice([4, 5]))


def sector_point(k: int) -> tuple[float, float]:
    """Place of the k-th stud of a collar."""
    return 0.82 * (k - 4) / 4.6, -0.12 + 0.6 * (1 - ((k - 4) / 4.6) ** 2) ** 0.5


def bowl(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A feeding bowl with a bone on its side."""
    pen.polygon([(-0.66, -0.16), (0.66, -0.16), (0.92, 0.6), (-0.92, 0.6)], colour, shade(colour, 0.6))
    pen.ellipse(0, -0.16, 0.66, 0.18, STEEL, shade(colour, 0.7))
    for _ in range(9):
        pen.circle(
            rng.uniform(-0.42, 0.42),
            rng.uniform(-0.3, -0.12),
            0.08,
            shade((150, 96, 56), rng.uniform(0.7, 1.2)),
        )
    bone(pen.moved(0, 0.24, 0.3), rng, WHITE)


def cat_tree(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A scratching post with platforms and a cat."""
    rope = (206, 178, 126)
    pen.rounded(-0.8, 0.78, 0.8, 0.94, 0.04, colour, shade(colour, 0.6))
    for x, top in ((-0.45, -0.6), (0.4, 0.05)):
        pen.rect(x - 0.1, top, x + 0.1, 0.78, rope)
        for k in range(round((0.78 - top) * 10)):
            pen.line([(x - 0.1, top + k * 0.1), (x + 0.1, top + 0.05 + k * 0.1)], shade(rope, 0.75), 0.02)
        pen.rounded(x - 0.4, top - 0.08, x + 0.4, top + 0.04, 0.04, colour, shade(colour, 0.6))
    coat = rng.choice([(70, 70, 74), (214, 140, 70), (200, 196, 190)])
    x, y = rng.choice([(-0.45, -0.68), (0.4, -0.03)])
    pen.ellipse(x, y - 0.1, 0.17, 0.16, coat)
    pen.circle(x, y - 0.3, 0.12, coat)
    pen.polygon([(x - 0.12, y - 0.32), (x - 0.1, y - 0.5), (x, y - 0.38)], coat)
    pen.polygon([(x + 0.12, y - 0.32), (x + 0.1, y - 0.5), (x, y - 0.38)], coat)


DRAWINGS: dict[str, Drawing] = {
    "jar": jar,
    "bottle": bottle,
    "packet": packet,
    "bone": bone,
    "collar": collar,
    "bowl": bowl,
    "cat_tree": cat_tree,
}
