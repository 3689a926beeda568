"""Drawings of garden furniture, pools and tools, and of a plain parcel."""

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
    sector,
    shade,
)  # fmt: skip

WATER: Rgb = (96, 190, 226)


def parasol(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A parasol in sectors on its pole."""
    pen.rect(-0.03, -0.2, 0.03, 0.86, rng.choice([WOOD, STEEL]))
    pen.ellipse(0, 0.88, 0.32, 0.08, (110, 110, 114))
    other = shade(colour, rng.choice([1.0, 1.7, 0.8]))
    rim = sector(0, -0.1, 0.96, 0.74, 180, 360)
    for k in range(len(rim) // 5 + 1):
        part = rim[k * 5 : k * 5 + 6]
        if len(part) > 1:
            pen.polygon([(0, -0.86), *part, (0, -0.1)], colour if k % 2 else other)
    for k in range(6):
        pen.pie(-0.8 + k * 0.32, -0.1, 0.16, 0.1, 0, 180, colour if k % 2 else other)


def lounger(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A deck chair or sun lounger from the side."""
    rod = rng.choice([WOOD, STEEL, INK])
    pen.line([(-0.92, 0.2), (0.5, 0.3), (0.95, -0.5)], rod, 0.06)
    pen.line([(-0.9, 0.12), (0.46, 0.2), (0.88, -0.54)], colour, 0.13)
    pen.line([(-0.7, 0.24), (-0.8, 0.74)], rod, 0.06)
    pen.line([(0.3, 0.3), (0.5, 0.74)], rod, 0.06)
    pen.line([(-0.2, 0.3), (0.7, 0.0)], rod, 0.05)


def garden_set(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A slatted table between two chairs."""
    wood = mix(rng.choice([WOOD, (120, 124, 128), WHITE]), colour, 0.15)
    for side in (-1, 1):
        seat = pen.moved(side * 0.66, 0.1, 1)
        seat.line([(side * 0.26, -0.55), (side * 0.2, 0.2), (-side * 0.16, 0.2)], wood, 0.07)
        seat.line([(side * 0.2, 0.2), (side * 0.24, 0.7)], shade(wood, 0.7), 0.06)
        seat.line([(-side * 0.14, 0.2), (-side * 0.16, 0.7)], shade(wood, 0.7), 0.06)
        seat.rect(-0.18, 0.1, 0.18, 0.2, colour)
    for k in range(5):
        pen.rect(-0.4 + k * 0.16, -0.06, -0.27 + k * 0.16, 0.02, wood)
    pen.rect(-0.42, 0.02, 0.42, 0.07, shade(wood, 0.8))
    pen.line([(-0.3, 0.07), (-0.34, 0.8)], shade(wood, 0.7), 0.06)
    pen.line([(0.3, 0.07), (0.34, 0.8)], shade(wood, 0.7), 0.06)


def plant_pot(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A pot with a bushy plant."""
    for _ in range(rng.randint(8, 14)):
        leaf = pen.moved(rng.uniform(-0.4, 0.4), rng.uniform(-0.7, 0.0), 1, rng.uniform(0, 180))
        leaf.ellipse(0, 0, 0.32, 0.1, shade(LEAF, rng.uniform(0.6, 1.4)))
    pot = mix(colour, (196, 104, 66), rng.choice([0.2, 0.9]))
    pen.polygon([(-0.5, 0.14), (0.5, 0.14), (0.36, 0.94), (-0.36, 0.94)], pot, shade(pot, 0.6))
    pen.rect(-0.56, 0.06, 0.56, 0.24, shade(pot, 1.15), shade(pot, 0.6))


def lantern(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A solar garden light on a spike."""
    metal = mix(INK, colour, 0.4)
    pen.rect(-0.04, 0.2, 0.04, 0.98, metal)
    pen.polygon([(-0.34, -0.5), (0.34, -0.5), (0.24, 0.2), (-0.24, 0.2)], (255, 240, 180), metal, 0.05)
    pen.polygon([(-0.5, -0.5), (0.5, -0.5), (0, -0.92)], metal)
    pen.circle(0, -0.14, rng.uniform(0.1, 0.18), (255, 204, 80))
    pen.rect(-0.3, 0.18, 0.3, 0.28, metal)


def pool(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A round pool above ground with its ladder."""
    wall = mix(colour, rng.choice([(110, 160, 210), WOOD, (190, 196, 204)]), 0.6)
    pen.rect(-0.95, -0.2, 0.95, 0.4, wall)
    pen.pie(0, 0.4, 0.95, 0.34, 0, 180, wall)
    for k in range(1, 8):
        pen.line([(-0.95 + k * 0.237, -0.1), (-0.95 + k * 0.237, 0.62)], shade(wall, 0.8), 0.02)
    pen.ellipse(0, -0.2, 0.95, 0.32, shade(wall, 1.5), shade(wall, 0.7))
    pen.ellipse(0, -0.18, 0.86, 0.26, WATER)
    for _ in range(4):
        x, y = rng.uniform(-0.6, 0.4), rng.uniform(-0.32, -0.06)
        pen.arc(x + 0.1, y, 0.12, 0.03, 200, 340, WHITE, 0.02)
    if rng.random() < 0.6:
        for x in (0.36, 0.6):
            pen.line([(x, -0.05), (x, -0.62), (x + 0.1, -0.62), (x + 0.14, 0.7)], STEEL, 0.04)


def inground_pool(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A pool seen from above, with its kerb, a ring and tiles."""
    pen.rounded(-0.96, -0.7, 0.96, 0.7, 0.12, mix((222, 210, 190), colour, 0.1), WOOD)
    pen.rounded(-0.8, -0.55, 0.8, 0.55, 0.1, WATER)
    for k in range(9):
        pen.line([(-0.8 + k * 0.2, -0.55), (-0.8 + k * 0.2, 0.55)], shade(WATER, 1.25), 0.012)
    for _ in range(6):
        x, y = rng.uniform(-0.6, 0.5), rng.uniform(-0.45, 0.45)
        pen.arc(x + 0.1, y, 0.14, 0.04, 200, 340, WHITE, 0.025)
    pen.circle(rng.uniform(-0.5, 0.5), rng.uniform(-0.25, 0.25), 0.2, None, colour, 0.1)


def pool_pump(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A sand filter with valve and motor."""
    tank = mix(colour, rng.choice([(60, 66, 76), (226, 220, 200), (50, 100, 160)]), 0.6)
    pen.rect(-0.95, 0.78, 0.8, 0.9, INK)
    pen.circle(-0.3, 0.22, 0.56, tank, shade(tank, 0.6))
    pen.rect(-0.86, 0.14, 0.26, 0.2, shade(tank, 0.7))
    pen.rect(-0.42, -0.6, -0.18, -0.3, INK)
    pen.ellipse(-0.3, -0.62, 0.26, 0.1, (70, 70, 76))
    pen.circle(0.0, -0.5, 0.1, PAPER, INK)
    pen.rounded(0.26, 0.4, 0.9, 0.76, 0.1, (60, 62, 68), INK)
    for k in range(5):
        pen.rect(0.4 + k * 0.09, 0.44, 0.44 + k * 0.09, 0.72, (96, 98, 104))
    pen.line([(-0.1, -0.45), (0.55, -0.45), (0.55, 0.4)], (230, 230, 232), 0.09)


def pool_cleaner(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A cleaning robot on its tracks."""
    pen.rounded(-0.8, -0.3, 0.8, 0.46, 0.2, colour, shade(colour, 0.6))
    pen.rounded(-0.5, -0.5, 0.5, -0.16, 0.12, shade(colour, 1.5), shade(colour, 0.7))
    for side in (-1, 1):
        pen.rounded(side * 0.8 - 0.18, -0.1, side * 0.8 + 0.18, 0.66, 0.16, INK)
        for k in range(5):
            pen.rect(side * 0.8 - 0.18, 0.0 + k * 0.13, side * 0.8 + 0.18, 0.03 + k * 0.13, (110, 112, 116))
    pen.line([(0, -0.5), (0.1, -0.8), (-0.4, -0.95), (0.5, -1.0)], WATER, 0.06)
    pen.bars(rng, -0.3, 0.06, 0.3, 0.22, 1, WHITE, 0.6)


def chlorine(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A bucket of tablets for the water."""
    body = mix(WHITE, colour, 0.2)
    pen.arc(0, -0.55, 0.62, 0.4, 180, 360, STEEL, 0.04)
    pen.polygon([(-0.66, -0.56), (0.66, -0.56), (0.56, 0.92), (-0.56, 0.92)], body, STEEL)
    pen.rect(-0.72, -0.68, 0.72, -0.52, colour, shade(colour, 0.7))
    pen.polygon([(-0.63, -0.2), (0.63, -0.2), (0.58, 0.62), (-0.58, 0.62)], (40, 110, 190))
    pen.arc(0, 0.1, 0.4, 0.1, 180, 360, WATER, 0.05)
    pen.arc(0, 0.24, 0.4, 0.1, 180, 360, WATER, 0.05)
    pen.bars(rng, -0.4, 0.3, 0.4, 0.56, 2, WHITE, 0.5)


def spa(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A hot tub from above."""
    shell = mix(WHITE, colour, rng.choice([0.1, 0.25]))
    pen.rounded(-0.9, -0.9, 0.9, 0.9, 0.26, mix(WOOD, colour, rng.choice([0.0, 0.6])), INK)
    pen.rounded(-0.8, -0.8, 0.8, 0.8, 0.22, shell)
    pen.rounded(-0.62, -0.62, 0.62, 0.62, 0.26, WATER)
    for _ in range(rng.randint(10, 20)):
        pen.circle(
            rng.uniform(-0.52, 0.52), rng.uniform(-0.52, 0.52), rng.uniform(0.02, 0.07), (220, 242, 250)
        )
    for x in (-0.72, 0.72):
        pen.rounded(x - 0.06, -0.2, x + 0.06, 0.2, 0.05, shade(shell, 0.7))


def spade(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A spade or a rake."""
    tilt = pen.moved(0, 0, 1, rng.uniform(15, 40))
    tilt.rect(-0.05, -0.85, 0.05, 0.35, WOOD)
    tilt.rect(-0.2, -0.98, 0.2, -0.86, colour)
    if rng.random() < 0.6:
        tilt.polygon(
            [(-0.28, 0.3), (0.28, 0.3), (0.26, 0.72), (0, 1.0), (-0.26, 0.72)], STEEL, (110, 114, 120)
        )
    else:
        tilt.rect(-0.46, 0.36, 0.46, 0.46, STEEL)
        for k in range(7):
            tilt.rect(-0.44 + k * 0.14, 0.44, -0.39 + k * 0.14, 0.76, STEEL)


def saw(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A hand saw."""
    pen.polygon([(-0.3, -0.3), (0.98, 0.02), (0.98, 0.2), (-0.3, 0.34)], (200, 206, 212), (140, 144, 150))
    for k in range(16):
        x = -0.26 + k * 0.076
        pen.polygon(
            [(x, 0.32 - k * 0.008), (x + 0.038, 0.42 - k * 0.009), (x + 0.076, 0.32 - k * 0.008)],
            (160, 166, 172),
        )
    pen.rounded(-0.96, -0.36, -0.26, 0.42, 0.16, colour, shade(colour, 0.6))
    pen.rounded(-0.78, -0.14, -0.46, 0.2, 0.1, WHITE)
    pen.circle(-0.34, rng.uniform(-0.1, 0.1), 0.04, STEEL)


def mower(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A lawn mower."""
    pen.line([(-0.3, 0.3), (-0.95, -0.75), (-0.72, -0.8)], INK, 0.06)
    pen.polygon([(-0.6, 0.1), (0.5, 0.1), (0.92, 0.42), (0.9, 0.6), (-0.7, 0.6)], colour, shade(colour, 0.6))
    pen.rounded(-0.25, -0.25, 0.35, 0.12, 0.08, (70, 72, 78), INK)
    pen.rect(-0.1, -0.34, 0.2, -0.24, colour)
    for x, size in ((-0.55, 0.26), (0.68, 0.2)):
        pen.circle(x, 0.78 - size * 0.6, size, INK)
        pen.circle(x, 0.78 - size * 0.6, size * 0.45, (230, 230, 230))
    for k in range(rng.randint(0, 8)):
        x = -0.95 + k * 0.25
        pen.polygon([(x, 0.9), (x + 0.04, 0.72), (x + 0.08, 0.9)], LEAF)


def secateurs(pen: Pen, rng: Random, colour: Rgb) -> None:
    """Open secateurs."""
    for side in (-1, 1):
        half = pen.moved(0, -0.1, 1, side * rng.uniform(14, 22))
        half.rounded(-0.09, 0.0, 0.09, 1.0, 0.08, colour, shade(colour, 0.6))
        half.polygon([(-0.1, 0.1), (0.1, 0.1), (side * 0.16, -0.5), (0, -0.85)], STEEL, (110, 114, 120))
    pen.circle(0, -0.02, 0.11, (90, 94, 100))
    pen.circle(0, -0.02, 0.05, STEEL)


def hose(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A coiled hose with its nozzle."""
    tube = mix(colour, LEAF, 0.5)
    for k in range(rng.randint(4, 6)):
        pen.ellipse(
            -0.08, 0.1, 0.82 - 0.11 * k, 0.74 - 0.1 * k, None, shade(tube, 1.0 if k % 2 else 0.75), 0.1
        )
    pen.line([(0.7, 0.0), (0.8, -0.5), (0.5, -0.74)], tube, 0.1)
    nozzle = pen.moved(0.5, -0.74, 1, -60)
    nozzle.polygon([(-0.1, -0.1), (0.1, -0.1), (0.05, -0.5), (-0.05, -0.5)], (240, 150, 40), INK)


def drill(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A cordless drill."""
    pen.polygon(
        [(-0.5, -0.05), (-0.1, -0.05), (-0.2, 0.62), (-0.6, 0.62)], shade(colour, 0.85), shade(colour, 0.6)
    )
    pen.rounded(-0.8, -0.58, 0.36, 0.0, 0.12, colour, shade(colour, 0.6))
    pen.rect(-0.1, 0.0, -0.0, 0.16, INK)
    pen.rounded(-0.74, 0.58, 0.0, 0.86, 0.06, (50, 52, 58))
    pen.polygon([(0.36, -0.48), (0.6, -0.38), (0.6, -0.2), (0.36, -0.1)], (70, 72, 78))
    pen.rect(0.6, -0.32, 0.98, -0.26, STEEL)
    pen.bars(rng, -0.6, -0.38, 0.1, -0.2, 1, WHITE, 0.5)


def parcel(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A cardboard box: what a hurried seller photographs."""
    card = (198, 160, 112)
    pen.polygon([(-0.8, -0.3), (0.1, -0.1), (0.1, 0.92), (-0.8, 0.6)], card, shade(card, 0.7))
    pen.polygon([(0.1, -0.1), (0.86, -0.36), (0.86, 0.5), (0.1, 0.92)], shade(card, 0.8), shade(card, 0.6))
    pen.polygon(
        [(-0.8, -0.3), (-0.02, -0.56), (0.86, -0.36), (0.1, -0.1)], shade(card, 1.2), shade(card, 0.7)
    )
    pen.polygon([(-0.42, -0.2), (-0.28, -0.18), (0.5, -0.44), (0.36, -0.47)], mix(PAPER, colour, 0.4))
    pen.rect(-0.6, 0.16, -0.2, 0.46, PAPER)
    pen.bars(rng, -0.55, 0.2, -0.25, 0.42, 3, INK, 0.4)


def tag(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A sale tag: a listing that shows its price instead of itself."""
    tilted = pen.moved(0, 0, 1, rng.uniform(-30, 10))
    tilted.polygon(
        [(-0.9, 0), (-0.5, -0.5), (0.9, -0.5), (0.9, 0.5), (-0.5, 0.5)], colour, shade(colour, 0.6)
    )
    tilted.circle(-0.6, 0, 0.09, WHITE)
    tilted.bars(rng, -0.3, -0.3, 0.7, 0.3, 2, mix(WHITE, lively(rng), 0.1), 0.6)


DRAWINGS: dict[str, Drawing] = {
    "parasol": parasol, "lounger": lounger, "garden_set": garden_set, "plant_pot": plant_pot,
    "lantern": lantern, "pool": pool, "inground_pool": inground_pool, "pool_pump": pool_pump,
    "pool_cleaner": pool_cleaner, "chlorine": chlorine, "spa": spa, "spade": spade, "saw": saw,
    "mower": mower, "secateurs": secateurs, "hose": hose, "drill": drill, "parcel": parcel, "tag": tag,
}  # fmt: skip
