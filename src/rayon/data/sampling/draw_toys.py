"""Drawings of figurines, toys, models and things for outdoors."""

from __future__ import annotations

from random import Random

from rayon.data.sampling.canvas import (
    INK,
    PAPER,
    SKIN,
    STEEL,
    WHITE,
    WOOD,
    Drawing,
    Pen,
    Rgb,
    lively,
    mix,
    shade,
)


def figurine(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A hero with a large head on a stand."""
    hair, suit = lively(rng), colour
    pen.ellipse(0, 0.88, 0.5, 0.1, INK)
    for side in (-1, 1):
        pen.rect(side * 0.13 - 0.1, 0.4, side * 0.13 + 0.1, 0.86, shade(suit, 0.6))
        arm = pen.moved(side * 0.27, 0.08, 1, side * rng.uniform(-70, -15))
        arm.rounded(-0.08, 0, 0.08, 0.42, 0.07, suit)
        arm.circle(0, 0.44, 0.08, SKIN)
    if rng.random() < 0.5:
        pen.polygon([(-0.24, 0.04), (0.24, 0.04), (0.5, 0.74), (-0.5, 0.74)], lively(rng))
    pen.rounded(-0.26, 0.0, 0.26, 0.5, 0.08, suit, shade(suit, 0.6))
    pen.star(0, 0.22, 0.12, shade(suit, 1.6))
    pen.circle(0, -0.42, 0.44, SKIN, shade(SKIN, 0.7))
    pen.pie(0, -0.46, 0.47, 0.46, 180, 360, hair)
    for k in range(5):
        x = -0.4 + k * 0.2
        pen.polygon([(x - 0.12, -0.6), (x + 0.12, -0.6), (x + rng.uniform(-0.1, 0.1), -1.0)], hair)
    for x in (-0.17, 0.17):
        pen.ellipse(x, -0.34, 0.06, 0.09, INK)
    pen.arc(0, -0.2, 0.12, 0.07, 20, 160, INK, 0.02)


def mug(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A mug with a hero's mask on it."""
    pen.arc(0.55, 0.05, 0.32, 0.38, -100, 100, shade(colour, 0.8), 0.14)
    pen.polygon([(-0.7, -0.6), (0.56, -0.6), (0.5, 0.76), (-0.64, 0.76)], colour, shade(colour, 0.7))
    pen.ellipse(-0.07, -0.6, 0.63, 0.13, shade(colour, 1.5), shade(colour, 0.7))
    pen.circle(-0.07, 0.1, 0.34, lively(rng))
    pen.star(-0.07, 0.1, 0.26, PAPER, rng.choice([4, 5, 6]))


def tee_shirt(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A T-shirt with a printed emblem."""
    half = [(-0.18, -0.85), (-0.4, -0.82), (-0.95, -0.42), (-0.76, -0.12), (-0.52, -0.28), (-0.52, 0.9)]
    pen.polygon([*half, *[(-x, y) for x, y in reversed(half)]], colour, shade(colour, 0.65))
    pen.pie(0, -0.86, 0.2, 0.16, 0, 180, shade(colour, 0.6))
    print_colour = lively(rng)
    if rng.random() < 0.5:
        pen.circle(0, 0.06, 0.3, print_colour)
        pen.star(0, 0.06, 0.22, shade(print_colour, 1.6))
    else:
        pen.star(0, 0.1, 0.36, print_colour, rng.choice([5, 6, 8]))


def teddy(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A teddy bear, sitting."""
    fur = mix(colour, (190, 140, 90), rng.choice([0.2, 0.7, 0.9]))
    light = shade(fur, 1.5)
    for side in (-1, 1):
        pen.circle(side * 0.36, -0.78, 0.18, fur, shade(fur, 0.7))
        pen.circle(side * 0.36, -0.78, 0.09, light)
        pen.moved(side * 0.5, 0.18, 1, side * -40).ellipse(0, 0, 0.17, 0.36, fur, shade(fur, 0.7))
        pen.ellipse(side * 0.44, 0.76, 0.26, 0.22, fur, shade(fur, 0.7))
        pen.circle(side * 0.46, 0.78, 0.12, light)
    pen.ellipse(0, 0.36, 0.46, 0.52, fur, shade(fur, 0.7))
    pen.ellipse(0, 0.42, 0.26, 0.32, light)
    pen.circle(0, -0.46, 0.44, fur, shade(fur, 0.7))
    pen.ellipse(0, -0.3, 0.2, 0.16, light)
    pen.ellipse(0, -0.36, 0.08, 0.05, INK)
    for x in (-0.17, 0.17):
        pen.circle(x, -0.54, 0.05, INK)
    if rng.random() < 0.5:
        bow = lively(rng)
        pen.polygon([(-0.24, -0.1), (0, 0.0), (-0.24, 0.12)], bow)
        pen.polygon([(0.24, -0.1), (0, 0.0), (0.24, 0.12)], bow)


def blocks(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A tower of building bricks."""
    for row in range(4):
        x, y = -0.8 + 0.14 * row + rng.uniform(-0.05, 0.1), 0.55 - row * 0.38
        for k in range(4 - row):
            brick = colour if rng.random() < 0.3 else lively(rng)
            for stud in (0.08, 0.26):
                pen.rect(x + k * 0.44 + stud, y - 0.07, x + k * 0.44 + stud + 0.1, y, shade(brick, 0.85))
            pen.rect(x + k * 0.44, y, x + k * 0.44 + 0.42, y + 0.3, brick, shade(brick, 0.7))


def duck(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A bath duck."""
    coat = mix(colour, (250, 214, 60), 0.6)
    pen.ellipse(-0.05, 0.32, 0.78, 0.46, coat, shade(coat, 0.75))
    pen.polygon([(-0.78, 0.3), (-0.98, -0.12), (-0.45, 0.1)], coat)
    pen.circle(0.34, -0.36, 0.4, coat, shade(coat, 0.75))
    pen.ellipse(0.76, -0.28, 0.22, 0.1, (240, 130, 40))
    pen.circle(0.44, -0.48, 0.07, INK)
    pen.circle(0.46, -0.5, 0.02, WHITE)
    pen.pie(-0.1, 0.25, 0.4, 0.28, 0, 180, shade(coat, 0.85))
    if rng.random() < 0.4:
        pen.polygon([(0.1, -0.66), (0.34, -1.0), (0.58, -0.68)], lively(rng))


def car(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A car from the side."""
    roof = rng.uniform(-0.55, -0.35)
    pen.polygon([(-0.55, -0.1), (-0.32, roof), (0.3, roof), (0.58, -0.1)], shade(colour, 0.85))
    pen.polygon([(-0.42, -0.1), (-0.26, roof + 0.08), (-0.02, roof + 0.08), (-0.02, -0.1)], (196, 224, 238))
    pen.polygon([(0.05, -0.1), (0.05, roof + 0.08), (0.25, roof + 0.08), (0.45, -0.1)], (196, 224, 238))
    pen.rounded(-0.95, -0.12, 0.95, 0.32, 0.12, colour, shade(colour, 0.6))
    pen.rect(-0.95, 0.1, 0.95, 0.14, shade(colour, rng.choice([0.7, 1.6])))
    pen.ellipse(0.88, 0.02, 0.06, 0.07, (252, 240, 170))
    big = rng.choice([0.22, 0.32])
    for x in (-0.52, 0.52):
        pen.circle(x, 0.34, big, INK)
        pen.circle(x, 0.34, big * 0.5, STEEL)
    if big > 0.3:
        pen.line([(-0.8, -0.12), (-0.86, -0.95)], INK, 0.02)


def plane(pen: Pen, rng: Random, colour: Rgb) -> None:
    """An aeroplane from above."""
    wing = shade(colour, 0.8)
    pen.polygon([(-0.12, -0.25), (-0.98, 0.2), (-0.98, 0.36), (-0.12, 0.22)], wing)
    pen.polygon([(0.12, -0.25), (0.98, 0.2), (0.98, 0.36), (0.12, 0.22)], wing)
    pen.polygon([(0, 0.6), (-0.4, 0.86), (-0.4, 0.96), (0.4, 0.96), (0.4, 0.86)], wing)
    pen.ellipse(0, 0, 0.15, 0.96, colour, shade(colour, 0.6))
    pen.ellipse(0, -0.5, 0.08, 0.16, (180, 214, 236))
    for x in (-0.62, 0.62):
        mark = lively(rng)
        pen.circle(x, 0.18, 0.12, WHITE)
        pen.circle(x, 0.18, 0.07, mark)
    if rng.random() < 0.6:
        pen.rect(-0.3, -0.96, 0.3, -0.92, WOOD)


def drone(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A quadcopter from above."""
    for x, y in ((-0.66, -0.6), (0.66, -0.6), (-0.66, 0.6), (0.66, 0.6)):
        pen.line([(0, 0), (x, y)], shade(colour, 0.6), 0.1)
        pen.circle(x, y, 0.32, None, (186, 190, 196), 0.03)
        pen.moved(x, y, 1, rng.uniform(0, 180)).ellipse(0, 0, 0.3, 0.04, (90, 94, 100))
        pen.circle(x, y, 0.06, INK)
    pen.rounded(-0.3, -0.36, 0.3, 0.36, 0.14, colour, shade(colour, 0.6))
    pen.circle(0, -0.26, 0.1, INK)
    pen.circle(0, -0.26, 0.05, (120, 160, 210))
    pen.rect(-0.16, 0.02, 0.16, 0.08, shade(colour, 1.5))


def train(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A steam engine on its rails."""
    pen.rect(-0.98, 0.68, 0.98, 0.73, (120, 110, 104))
    for k in range(9):
        pen.rect(-0.94 + k * 0.22, 0.73, -0.84 + k * 0.22, 0.8, WOOD)
    pen.rounded(-0.4, -0.2, 0.8, 0.32, 0.14, colour, shade(colour, 0.6))
    pen.rect(-0.86, -0.6, -0.36, 0.32, shade(colour, 0.8), shade(colour, 0.5))
    pen.rect(-0.92, -0.7, -0.3, -0.58, INK)
    pen.rect(-0.74, -0.45, -0.48, -0.16, (200, 224, 236))
    pen.polygon([(0.46, -0.2), (0.4, -0.62), (0.72, -0.62), (0.66, -0.2)], INK)
    pen.rect(-0.86, 0.3, 0.86, 0.4, INK)
    for x, size in ((-0.58, 0.26), (-0.02, 0.2), (0.5, 0.2)):
        pen.circle(x, 0.68 - size, size, (170, 40, 40), INK, 0.04)
        pen.circle(x, 0.68 - size, size * 0.3, STEEL)
    for k in range(rng.randint(0, 3)):
        pen.circle(0.5 - 0.22 * k, -0.75 - 0.06 * k, 0.1 + 0.03 * k, (226, 228, 230))


def ball(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A football, or a ball in two colours."""
    if rng.random() < 0.5:
        pen.circle(0, 0, 0.86, WHITE, INK, 0.03)
        pen.star(0, 0, 0.3, colour, 5, 0.8)
        for k in range(5):
            spot = pen.moved(0, 0, 1, 72 * k)
            spot.line([(0, -0.28), (0, -0.6)], INK, 0.03)
            spot.polygon([(0, -0.58), (0.2, -0.7), (0.14, -0.84), (-0.14, -0.84), (-0.2, -0.7)], colour)
    else:
        pen.circle(0, 0, 0.86, colour, shade(colour, 0.6), 0.03)
        pen.arc(-0.9, 0, 0.6, 0.9, -50, 50, shade(colour, 0.5), 0.03)
        pen.arc(0.9, 0, 0.6, 0.9, 130, 230, shade(colour, 0.5), 0.03)
        pen.line([(-0.86, 0), (0.86, 0)], shade(colour, 0.5), 0.03)
    pen.ellipse(-0.32, -0.42, 0.14, 0.09, mix(colour, WHITE, 0.8))


def racket(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A racket with a ball."""
    tilt = pen.moved(0, 0, 1, rng.uniform(20, 45))
    for k in range(7):
        offset = -0.36 + k * 0.12
        tilt.line([(offset, -0.92), (offset, 0.04)], (200, 200, 196), 0.015)
        tilt.line([(-0.42, -0.8 + k * 0.12), (0.42, -0.8 + k * 0.12)], (200, 200, 196), 0.015)
    tilt.ellipse(0, -0.45, 0.46, 0.54, None, colour, 0.08)
    tilt.line([(-0.2, 0.04), (0, 0.3), (0.2, 0.04)], colour, 0.06)
    tilt.rect(-0.06, 0.26, 0.06, 0.98, INK)
    pen.circle(0.55, 0.55, 0.2, (214, 226, 70), (150, 170, 40))


def skateboard(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A skateboard or scooter deck on its wheels."""
    pen.line([(-0.95, -0.2), (-0.72, 0.02), (0.72, 0.02), (0.95, -0.2)], colour, 0.14)
    pen.line([(-0.6, 0.0), (0.6, 0.0)], shade(colour, 1.4), 0.04)
    for x in (-0.55, 0.55):
        pen.rect(x - 0.04, 0.08, x + 0.04, 0.2, STEEL)
        pen.circle(x, 0.28, 0.16, lively(rng), INK, 0.03)
        pen.circle(x, 0.28, 0.05, STEEL)
    if rng.random() < 0.5:
        pen.line([(0.62, 0.0), (0.5, -0.95), (0.3, -0.95)], INK, 0.05)


def swing(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A garden swing on its frame."""
    for x in (-0.85, 0.85):
        pen.line([(x * 0.8, -0.85), (x, 0.9)], colour, 0.07)
        pen.line([(x * 0.8, -0.85), (x * 0.62, 0.9)], shade(colour, 0.8), 0.06)
    pen.line([(-0.72, -0.85), (0.72, -0.85)], colour, 0.08)
    sway = rng.uniform(-0.15, 0.15)
    for x in (-0.25, 0.25):
        pen.line([(x, -0.85), (x + sway, 0.4)], (190, 170, 120), 0.03)
    pen.rect(-0.34 + sway, 0.38, 0.34 + sway, 0.46, lively(rng))


DRAWINGS: dict[str, Drawing] = {
    "figurine": figurine,
    "mug": mug,
    "tee_shirt": tee_shirt,
    "teddy": teddy,
    "blocks": blocks,
    "duck": duck,
    "car": car,
    "plane": plane,
    "drone": drone,
    "train": train,
    "ball": ball,
    "racket": racket,
    "skateboard": skateboard,
    "swing": swing,
}
