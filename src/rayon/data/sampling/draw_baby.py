"""Drawings of things for babies and for the games room."""

from __future__ import annotations

from random import Random

from rayon.data.sampling.canvas import (
    INK,
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
    sector,
    shade,
)


def socks(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A pair of baby socks."""
    shape = [
        (-0.2, -0.8),
        (0.2, -0.8),
        (0.2, 0.2),
        (0.5, 0.42),
        (0.56, 0.66),
        (0.4, 0.78),
        (-0.1, 0.7),
        (-0.22, 0.44),
    ]
    for side in (-1, 1):
        sock = pen.moved(side * 0.42, 0.04 * side, 1, side * 6)
        sock.polygon(shape, colour, shade(colour, 0.7))
        sock.rect(-0.22, -0.84, 0.22, -0.6, shade(colour, 1.4), shade(colour, 0.7))
        for k in range(3):
            sock.rect(-0.2, -0.4 + k * 0.2, 0.2, -0.32 + k * 0.2, shade(colour, rng.choice([0.75, 1.5])))
        sock.pie(0.36, 0.64, 0.2, 0.17, -60, 120, shade(colour, 1.4))


def bodysuit(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A baby's bodysuit."""
    half = [
        (-0.16, -0.8),
        (-0.36, -0.78),
        (-0.82, -0.4),
        (-0.62, -0.12),
        (-0.44, -0.26),
        (-0.46, 0.3),
        (-0.18, 0.86),
    ]
    cloth = shade(colour, 1.4)
    pen.polygon([*half, *[(-x, y) for x, y in reversed(half)]], cloth, shade(colour, 0.8), 0.03)
    pen.pie(0, -0.8, 0.18, 0.18, 0, 180, shade(colour, 0.8))
    for x in (-0.1, 0, 0.1):
        pen.circle(x, 0.78, 0.03, STEEL)
    if rng.random() < 0.5:
        pattern(pen, rng, -0.38, -0.3, 0.38, 0.3, colour)
    else:
        pen.circle(0, 0.0, 0.2, colour)
        pen.circle(-0.15, -0.18, 0.09, colour)
        pen.circle(0.15, -0.18, 0.09, colour)


def billiards(pen: Pen, rng: Random, colour: Rgb) -> None:
    """Billiard balls and a cue on green cloth."""
    pen.rounded(-0.98, -0.75, 0.98, 0.75, 0.08, (36, 120, 76), WOOD, 0.1)
    pen.line([(-0.9, 0.62), (0.3, -0.1)], (214, 172, 110), 0.06)
    for k in range(rng.randint(3, 6)):
        ball = colour if k == 0 else lively(rng)
        x, y = -0.1 + 0.26 * (k % 3) + 0.1 * (k // 3), -0.4 + 0.3 * (k // 3) + rng.uniform(-0.03, 0.03)
        pen.circle(x, y, 0.15, ball, shade(ball, 0.6))
        pen.circle(x, y, 0.07, WHITE)


def darts(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A dartboard with a dart."""
    pen.circle(0, 0, 0.95, INK)
    for k in range(20):
        pen.polygon([(0, 0), *_wedge(k, 0.8)], PAPER if k % 2 else (60, 60, 62))
        pen.polygon([*_wedge(k, 0.8), *reversed(_wedge(k, 0.72))], (190, 40, 44) if k % 2 else (40, 130, 70))
    pen.circle(0, 0, 0.12, (40, 130, 70))
    pen.circle(0, 0, 0.06, (190, 40, 44))
    x, y = rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)
    pen.line([(x, y), (x + 0.42, y + 0.36)], STEEL, 0.05)
    pen.polygon(
        [(x + 0.36, y + 0.22), (x + 0.66, y + 0.44), (x + 0.5, y + 0.58), (x + 0.28, y + 0.34)], colour
    )


def pram(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A pram with its hood up."""
    pen.line([(0.5, -0.1), (0.8, -0.55), (0.98, -0.55)], STEEL, 0.06)
    pen.pie(-0.1, 0.0, 0.72, 0.72, 180, 270, shade(colour, 0.75))
    for k in range(1, 3):
        pen.line([(-0.1, 0.0), (-0.1 - 0.7 * k / 3, -0.72 + 0.14 * k * k)], shade(colour, 0.5), 0.02)
    pen.pie(-0.1, 0.0, 0.72, 0.5, 0, 180, colour)
    pen.rect(-0.82, -0.05, 0.62, 0.06, shade(colour, 1.4))
    pen.line([(-0.4, 0.42), (0.35, 0.78)], STEEL, 0.05)
    pen.line([(0.25, 0.42), (-0.5, 0.78)], STEEL, 0.05)
    size = rng.uniform(0.16, 0.24)
    for x in (-0.5, 0.35):
        pen.circle(x, 0.76, size, None, INK, 0.06)
        pen.circle(x, 0.76, 0.05, STEEL)


def baby_bottle(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A baby's bottle, filled to some mark."""
    pen.rounded(-0.36, -0.36, 0.36, 0.95, 0.14, (236, 242, 248), STEEL)
    level = rng.uniform(-0.1, 0.5)
    pen.rounded(-0.32, level, 0.32, 0.9, 0.1, (252, 246, 226))
    for k in range(6):
        pen.rect(0.12, -0.1 + k * 0.15, 0.3, -0.08 + k * 0.15, colour)
    pen.rounded(-0.4, -0.54, 0.4, -0.32, 0.05, colour, shade(colour, 0.7))
    pen.pie(0, -0.54, 0.26, 0.24, 180, 360, (240, 212, 160))
    pen.rounded(-0.1, -0.95, 0.1, -0.66, 0.08, (240, 212, 160))


def dummy(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A dummy (pacifier)."""
    pen.circle(0, 0.55, 0.34, None, shade(colour, 0.8), 0.1)
    pen.ellipse(0, -0.4, 0.27, 0.42, (238, 214, 170), (206, 176, 126))
    pen.ellipse(0, 0.06, 0.8, 0.32, colour, shade(colour, 0.7))
    for x in (-0.5, 0.5):
        pen.circle(x, 0.05, 0.08, WHITE)
    pen.circle(0, 0.12, 0.2, shade(colour, 1.4))
    if rng.random() < 0.6:
        pen.star(0, 0.12, 0.12, lively(rng))


def cot(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A cot with bars."""
    wood = mix(rng.choice([WOOD, WHITE, (224, 200, 160)]), colour, 0.1)
    edge = shade(wood, 0.7)
    pen.rect(-0.84, 0.3, 0.84, 0.52, colour)
    pen.rect(-0.84, 0.22, 0.84, 0.32, WHITE)
    for k in range(11):
        pen.rect(-0.82 + k * 0.16, -0.42, -0.77 + k * 0.16, 0.6, wood, edge, 0.012)
    pen.rect(-0.9, -0.5, 0.9, -0.38, wood, edge)
    pen.rect(-0.9, 0.55, 0.9, 0.68, wood, edge)
    for x in (-0.95, 0.83):
        pen.rect(x, -0.68, x + 0.12, 0.92, wood, edge)


def _wedge(k: int, reach: float) -> list[tuple[float, float]]:
    return sector(0, 0, reach, reach, 18 * k - 9, 18 * k + 9)


DRAWINGS: dict[str, Drawing] = {
    "socks": socks,
    "bodysuit": bodysuit,
    "billiards": billiards,
    "darts": darts,
    "pram": pram,
    "baby_bottle": baby_bottle,
    "dummy": dummy,
    "cot": cot,
}
