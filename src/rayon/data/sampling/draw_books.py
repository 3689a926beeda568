"""Drawings of books, magazines and stationery."""

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
    contrast,
    lively,
    mix,
    pattern,
    shade,
)  # fmt: skip


def artwork(pen: Pen, rng: Random, x0: float, y0: float, x1: float, y1: float, colour: Rgb) -> None:
    """A cover picture: a sun over hills, a head, a tower, rings, or a pattern."""
    wide, high, cx = x1 - x0, y1 - y0, (x0 + x1) / 2
    other = lively(rng)
    pen.rect(x0, y0, x1, y1, shade(colour, rng.uniform(1.2, 1.7)))
    kind = rng.randrange(5)
    if kind == 0:
        pen.circle(
            x0 + wide * rng.uniform(0.3, 0.7), y0 + high * 0.35, min(wide, high) * 0.18, (250, 214, 90)
        )
        pen.polygon(
            [(x0, y1), (x0, y0 + high * 0.7), (x0 + wide * 0.3, y0 + high * 0.5), (cx, y1)],
            shade(colour, 0.6),
        )
        pen.polygon(
            [(cx - wide * 0.2, y1), (x0 + wide * 0.7, y0 + high * 0.45), (x1, y0 + high * 0.8), (x1, y1)],
            other,
        )
    elif kind == 1:
        pen.pie(cx, y1, wide * 0.38, high * 0.4, 180, 360, other)
        pen.circle(cx, y0 + high * 0.42, min(wide, high) * 0.2, (238, 196, 158))
        pen.pie(
            cx, y0 + high * 0.4, min(wide, high) * 0.22, min(wide, high) * 0.22, 180, 360, shade(other, 0.4)
        )
    elif kind == 2:
        pen.rect(cx - wide * 0.1, y0 + high * 0.35, cx + wide * 0.1, y1, shade(colour, 0.5))
        pen.polygon(
            [
                (cx - wide * 0.16, y0 + high * 0.35),
                (cx, y0 + high * 0.1),
                (cx + wide * 0.16, y0 + high * 0.35),
            ],
            other,
        )
    elif kind == 3:
        for k in range(4):
            pen.circle(cx, y0 + high / 2, min(wide, high) * (0.45 - 0.1 * k), other if k % 2 else colour)
    else:
        pattern(pen, rng, x0, y0, x1, y1, other)


def old_book(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A worn leather-bound volume with gilt rules."""
    leather = mix(colour, rng.choice([(110, 66, 38), (90, 40, 36), (70, 74, 50)]), 0.75)
    gilt = (202, 166, 92)
    pen.polygon([(-0.62, 0.9), (-0.52, 0.98), (0.74, 0.98), (0.66, 0.88)], (222, 204, 160))
    pen.polygon([(0.62, -0.92), (0.74, -0.82), (0.74, 0.98), (0.62, 0.9)], (206, 186, 140))
    pen.rounded(-0.66, -0.94, 0.64, 0.92, 0.05, leather, shade(leather, 0.6))
    pen.rect(-0.66, -0.94, -0.5, 0.92, shade(leather, 0.75))
    for y in (-0.6, -0.2, 0.2, 0.6):
        pen.rect(-0.66, y, -0.5, y + 0.05, gilt)
    pen.rect(-0.38, -0.8, 0.54, 0.78, None, gilt, 0.025)
    if rng.random() < 0.7:
        pen.rect(-0.32, -0.74, 0.48, 0.72, None, gilt, 0.012)
    pen.bars(rng, -0.2, -0.5, 0.36, -0.14, 3, gilt, 0.4)
    pen.star(0.08, 0.26, rng.uniform(0.12, 0.22), gilt, rng.choice([4, 6, 8]), 0.5)
    for _ in range(rng.randint(2, 6)):
        pen.circle(
            rng.uniform(-0.6, 0.6), rng.uniform(-0.9, 0.85), rng.uniform(0.01, 0.05), shade(leather, 1.25)
        )


def new_book(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A paperback with a bright cover."""
    pen.polygon([(0.6, -0.92), (0.68, -0.86), (0.68, 0.98), (0.6, 0.94)], (226, 226, 222))
    pen.rect(-0.64, -0.94, 0.6, 0.94, colour)
    if rng.random() < 0.75:
        artwork(pen, rng, -0.64, rng.choice([-0.94, -0.3]), 0.6, rng.choice([0.5, 0.94]), colour)
    top = rng.choice([-0.84, 0.46])
    ink = contrast(colour)
    pen.rect(-0.64, top - 0.06, 0.6, top + 0.36, colour)
    pen.bars(rng, -0.5, top, 0.46, top + 0.24, 2, ink, 0.6)
    pen.bars(rng, -0.3, top + 0.26, 0.3, top + 0.33, 1, ink, 0.6)
    pen.rect(-0.64, -0.94, -0.6, 0.94, shade(colour, 0.7))


def book_lot(pen: Pen, rng: Random, colour: Rgb) -> None:
    """Several volumes: a row of spines, or a pile of them."""
    flat = rng.random() < 0.5
    turned = pen.moved(0, 0, 1, 90) if flat else pen
    x = -0.95
    while x < 0.8:
        wide, high = rng.uniform(0.14, 0.3), rng.uniform(1.3, 1.8)
        spine = lively(rng) if rng.random() < 0.6 else shade(colour, rng.uniform(0.6, 1.3))
        foot = 0.85 if not flat else high / 2 + rng.uniform(-0.08, 0.08)
        turned.rect(x, foot - high, min(x + wide, 0.98), foot, spine, shade(spine, 0.6), 0.015)
        right = min(x + wide, 0.98)
        turned.rect(x + 0.02, foot - high * 0.86, right - 0.02, foot - high * 0.8, contrast(spine))
        turned.rect(
            (x + right) / 2 - 0.025,
            foot - high * 0.7,
            (x + right) / 2 + 0.025,
            foot - high * 0.3,
            contrast(spine),
        )
        x += wide


def comic(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A comic album: big lettering, a scene, a speech bubble."""
    pen.rect(-0.7, -0.95, 0.7, 0.95, colour, shade(colour, 0.5))
    artwork(pen, rng, -0.6, -0.5, 0.6, 0.85, lively(rng))
    for k in range(rng.randint(4, 6)):
        pen.rounded(
            -0.6 + k * 0.21, -0.86 + 0.04 * (k % 2), -0.43 + k * 0.21, -0.58, 0.03, (250, 220, 60), INK, 0.02
        )
    side = rng.choice([-0.25, 0.25])
    pen.ellipse(side, -0.2, 0.32, 0.16, WHITE, INK, 0.02)
    pen.polygon([(side - 0.05, -0.07), (side + 0.1, -0.07), (side - 0.04, 0.12)], WHITE)
    pen.bars(rng, side - 0.2, -0.27, side + 0.2, -0.12, 2, INK, 0.4)


def magazine(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A glossy cover: masthead, portrait, headlines, barcode."""
    back = shade(lively(rng), 1.5)
    pen.rect(-0.72, -0.96, 0.72, 0.96, back, (190, 190, 190), 0.01)
    x = -0.66
    while x < 0.55:
        wide = rng.uniform(0.16, 0.26)
        pen.rect(x, -0.9, x + wide - 0.04, -0.6, colour)
        x += wide
    pen.pie(0.1, 0.96, 0.52, 0.62, 180, 360, shade(lively(rng), 0.8))
    pen.ellipse(0.1, -0.02, 0.27, 0.34, shade((150, 100, 60), rng.uniform(0.4, 1.5)))
    pen.ellipse(0.1, 0.04, 0.21, 0.28, (240, 200, 166))
    pen.bars(rng, -0.66, -0.4, -0.22, 0.7, rng.randint(6, 9), rng.choice([INK, colour, WHITE]), 0.4)
    pen.rect(0.4, 0.68, 0.68, 0.9, WHITE)
    for k in range(8):
        pen.rect(0.43 + k * 0.03, 0.7, 0.43 + k * 0.03 + 0.015, 0.88, INK)


def newspaper(pen: Pen, rng: Random, colour: Rgb) -> None:
    """An old front page: title, columns, a grey photograph."""
    tint = mix(PAPER, (214, 196, 150), rng.random())
    pen.rect(-0.74, -0.96, 0.74, 0.96, tint, shade(tint, 0.7), 0.01)
    pen.rect(-0.62, -0.86, 0.62, -0.66, mix(INK, colour, rng.choice([0.0, 0.7])))
    pen.rect(-0.66, -0.58, 0.66, -0.56, INK)
    pen.bars(rng, -0.62, -0.5, 0.62, -0.32, 2, INK, 0.5)
    grey = rng.randint(110, 170)
    pen.rect(-0.18, -0.22, 0.64, 0.3, (grey, grey, grey))
    pen.pie(0.22, 0.3, 0.26, 0.3, 180, 360, (80, 80, 80))
    pen.circle(0.22, -0.02, 0.12, (215, 215, 215))
    for left, top in ((-0.64, -0.22), (-0.18, 0.38), (0.26, 0.38)):
        pen.bars(rng, left, top, left + 0.38, 0.9, round((0.9 - top) * 14), (96, 92, 86), 0.4)


def notebook(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A spiral notebook with a label."""
    pen.rounded(-0.58, -0.9, 0.7, 0.94, 0.06, PAPER, (190, 190, 190))
    pen.rounded(-0.62, -0.92, 0.66, 0.9, 0.06, colour, shade(colour, 0.7))
    if rng.random() < 0.5:
        pattern(pen, rng, -0.4, -0.85, 0.62, 0.85, shade(colour, rng.choice([0.8, 1.3])))
    pen.rounded(-0.2, -0.6, 0.46, -0.2, 0.04, PAPER)
    pen.bars(rng, -0.12, -0.5, 0.38, -0.26, 2, (120, 120, 130), 0.35)
    for k in range(13):
        y = -0.82 + k * 0.135
        pen.circle(-0.5, y, 0.03, WHITE)
        pen.arc(-0.6, y, 0.12, 0.045, 150, 380, STEEL, 0.035)


def pens(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A fan of pencils or felt pens."""
    count = rng.randint(3, 6)
    for k in range(count):
        tilt = (k - (count - 1) / 2) * 13
        ink = colour if k == count // 2 else lively(rng)
        one = pen.moved(0, 0.95, 1, tilt)
        one.rect(-0.09, -1.5, 0.09, 0, ink)
        one.rect(-0.03, -1.5, 0.03, 0, shade(ink, 1.3))
        one.polygon([(-0.09, -1.5), (0.09, -1.5), (0, -1.78)], (232, 200, 150))
        one.polygon([(-0.035, -1.67), (0.035, -1.67), (0, -1.78)], shade(ink, 0.7))
        one.rect(-0.09, -0.16, 0.09, -0.06, STEEL)


def envelope(pen: Pen, rng: Random, colour: Rgb) -> None:
    """An envelope with its flap and a stamp or seal."""
    paper = mix(PAPER, colour, rng.choice([0.1, 0.5, 0.9]))
    pen.rect(-0.95, -0.6, 0.95, 0.62, paper, shade(paper, 0.7))
    pen.line([(-0.95, 0.62), (-0.1, -0.02), (0.1, -0.02), (0.95, 0.62)], shade(paper, 0.75), 0.02)
    pen.polygon([(-0.95, -0.6), (0.95, -0.6), (0, 0.14)], shade(paper, 0.92), shade(paper, 0.65))
    pen.circle(0, 0.08, 0.13, lively(rng))


def school_kit(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A set square, a ruler and a rubber."""
    pen.polygon([(-0.85, 0.7), (-0.85, -0.8), (0.65, 0.7)], mix(WHITE, colour, 0.55), colour)
    pen.polygon([(-0.62, 0.48), (-0.62, -0.24), (0.1, 0.48)], WHITE, colour)
    ruler = pen.moved(0.35, -0.3, 1, rng.uniform(35, 55))
    ruler.rect(-0.95, -0.12, 0.95, 0.12, (244, 214, 110), WOOD)
    for k in range(18):
        ruler.rect(-0.9 + k * 0.1, -0.12, -0.885 + k * 0.1, -0.12 + (0.12 if k % 5 == 0 else 0.06), INK)
    pen.rounded(0.3, 0.6, 0.85, 0.88, 0.05, (236, 120, 140))
    pen.rect(0.3, 0.6, 0.48, 0.88, mix(LEAF, colour, 0.8))


DRAWINGS: dict[str, Drawing] = {
    "old_book": old_book, "new_book": new_book, "book_lot": book_lot, "comic": comic, "magazine": magazine,
    "newspaper": newspaper, "notebook": notebook, "pens": pens, "envelope": envelope,
    "school_kit": school_kit,
}  # fmt: skip
