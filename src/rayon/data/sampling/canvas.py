"""A small drawing surface: shapes in unit coordinates under one affine map, antialiased by `reduce`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias

from PIL import Image, ImageDraw

Rgb: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]

WHITE: Rgb = (255, 255, 255)
INK: Rgb = (40, 40, 46)
STEEL: Rgb = (168, 174, 182)
WOOD: Rgb = (176, 124, 72)
PAPER: Rgb = (247, 243, 230)
LEAF: Rgb = (70, 140, 64)
SKIN: Rgb = (244, 205, 170)

_CIRCLE = [(math.cos(k * math.tau / 40), math.sin(k * math.tau / 40)) for k in range(40)]


class Pen:
    """Draws on an image in coordinates of about -1 to 1, x to the right and y downwards.

    Parameters
    ----------
    image
        An RGB picture.
    centre
        Where the origin falls, in pixels.
    scale
        Pixels to one unit.
    angle
        Rotation in degrees, clockwise on the screen.
    mirror
        Whether left and right change places.
    squeeze
        Width of a square relative to its height, as when it is seen from the side.
    """

    def __init__(
        self,
        image: Image.Image,
        centre: Point,
        scale: float,
        angle: float = 0.0,
        mirror: bool = False,
        squeeze: float = 1.0,
    ) -> None:
        turn = math.radians(angle)
        side = -squeeze if mirror else squeeze
        self._draw = ImageDraw.Draw(image)
        self._scale = scale
        self._x = (math.cos(turn) * scale * side, -math.sin(turn) * scale, centre[0])
        self._y = (math.sin(turn) * scale * side, math.cos(turn) * scale, centre[1])

    def moved(self, x: float, y: float, scale: float = 1.0, angle: float = 0.0) -> Pen:
        """A pen whose origin lies at `(x, y)` of this one, smaller or turned."""
        turn = math.radians(angle)
        cos, sin = math.cos(turn) * scale, math.sin(turn) * scale
        pen = object.__new__(Pen)
        pen._draw, pen._scale = self._draw, self._scale * scale
        pen._x = _within(self._x, x, y, cos, sin)
        pen._y = _within(self._y, x, y, cos, sin)
        return pen

    def polygon(
        self, points: Sequence[Point], fill: Rgb | None, outline: Rgb | None = None, width: float = 0.02
    ) -> None:
        """A closed shape through the points, filled, with an outline where one is given."""
        (a, b, c), (d, e, f) = self._x, self._y
        placed = [(a * x + b * y + c, d * x + e * y + f) for x, y in points]
        if fill is not None:
            self._draw.polygon(placed, fill=fill)
        if outline is not None:
            self._draw.line([*placed, *placed[:2]], fill=outline, width=self._pixels(width), joint="curve")

    def line(self, points: Sequence[Point], fill: Rgb, width: float = 0.04) -> None:
        """An open line through the points."""
        (a, b, c), (d, e, f) = self._x, self._y
        placed = [(a * x + b * y + c, d * x + e * y + f) for x, y in points]
        self._draw.line(placed, fill=fill, width=self._pixels(width), joint="curve")

    def rect(
        self, x0: float, y0: float, x1: float, y1: float, fill: Rgb | None, outline: Rgb | None = None,
        width: float = 0.02,
    ) -> None:  # fmt: skip
        """A rectangle between two corners."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, outline, width)

    def rounded(
        self, x0: float, y0: float, x1: float, y1: float, radius: float, fill: Rgb | None,
        outline: Rgb | None = None, width: float = 0.02,
    ) -> None:  # fmt: skip
        """A rectangle with rounded corners."""
        points = []
        corners = ((x1, y1, 0), (x0, y1, 10), (x0, y0, 20), (x1, y0, 30))
        for x, y, first in corners:
            cx = x - radius if x == x1 else x + radius
            cy = y - radius if y == y1 else y + radius
            for step in range(0, 11, 2):
                u, v = _CIRCLE[(first + step) % 40]
                points.append((cx + radius * u, cy + radius * v))
        self.polygon(points, fill, outline, width)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, fill: Rgb | None, outline: Rgb | None = None,
        width: float = 0.02,
    ) -> None:  # fmt: skip
        """An ellipse around a centre."""
        self.polygon([(x + rx * u, y + ry * v) for u, v in _CIRCLE], fill, outline, width)

    def circle(self, x: float, y: float, radius: float, fill: Rgb | None, outline: Rgb | None = None,
               width: float = 0.02) -> None:  # fmt: skip
        """A circle around a centre."""
        self.ellipse(x, y, radius, radius, fill, outline, width)

    def arc(self, x: float, y: float, rx: float, ry: float, first: float, last: float, fill: Rgb,
            width: float = 0.04) -> None:  # fmt: skip
        """A part of an ellipse's line, in degrees clockwise from the right."""
        self.line(sector(x, y, rx, ry, first, last), fill, width)

    def pie(self, x: float, y: float, rx: float, ry: float, first: float, last: float, fill: Rgb) -> None:
        """The part of an ellipse between an arc and its chord, in degrees clockwise from the right."""
        self.polygon(sector(x, y, rx, ry, first, last), fill)

    def star(
        self, x: float, y: float, radius: float, fill: Rgb, spikes: int = 5, depth: float = 0.45
    ) -> None:
        """A star, one spike up."""
        points = []
        for k in range(2 * spikes):
            reach = radius if k % 2 == 0 else radius * depth
            turn = math.pi * k / spikes - math.pi / 2
            points.append((x + reach * math.cos(turn), y + reach * math.sin(turn)))
        self.polygon(points, fill)

    def bars(
        self,
        rng: Random,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        lines: int,
        fill: Rgb,
        height: float = 0.5,
    ) -> None:
        """Lines of text that is too small to read, each of its own length."""
        step = (y1 - y0) / lines
        for k in range(lines):
            right = x0 + (x1 - x0) * rng.uniform(0.55, 1.0)
            self.rect(x0, y0 + k * step, right, y0 + (k + height) * step, fill)

    def _pixels(self, width: float) -> int:
        return max(1, round(width * self._scale))


Drawing: TypeAlias = Callable[[Pen, Random, Rgb], None]
"""Draws one object in a main colour; what it leaves to chance comes from the generator."""


def sector(x: float, y: float, rx: float, ry: float, first: float, last: float) -> list[Point]:
    """Points along a part of an ellipse, in degrees clockwise from the right."""
    steps = max(3, round(abs(last - first) / 9))
    turns = [math.radians(first + (last - first) * k / steps) for k in range(steps + 1)]
    return [(x + rx * math.cos(t), y + ry * math.sin(t)) for t in turns]


def shade(colour: Rgb, factor: float) -> Rgb:
    """A darker colour (factor below 1), or one nearer to white (above 1: 1.5 is half the way)."""
    if factor <= 1.0:
        return mix((0, 0, 0), colour, factor)
    return mix(colour, WHITE, min(factor - 1.0, 1.0))


def mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    """The colour a share of the way from one to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def contrast(colour: Rgb) -> Rgb:
    """Ink on a light colour, paper on a dark one."""
    return INK if 0.3 * colour[0] + 0.6 * colour[1] + 0.1 * colour[2] > 140 else PAPER


def lively(rng: Random) -> Rgb:
    """Any saturated colour."""
    low, middle, high = rng.randint(20, 90), rng.randint(60, 200), rng.randint(170, 245)
    channels = [low, middle, high]
    rng.shuffle(channels)
    return channels[0], channels[1], channels[2]


def pattern(pen: Pen, rng: Random, x0: float, y0: float, x1: float, y1: float, colour: Rgb) -> None:
    """Stripes, checks, dots or stars over a rectangle."""
    kind, count = rng.randrange(4), rng.randint(4, 7)
    wide, high = (x1 - x0) / count, (y1 - y0) / count
    for k in range(count):
        if kind == 0:
            pen.rect(x0 + k * wide, y0, x0 + (k + 0.45) * wide, y1, colour)
            continue
        for row in range(count):
            x, y = x0 + (k + 0.5) * wide, y0 + (row + 0.5) * high
            if kind == 1 and (k + row) % 2:
                pen.rect(x - wide / 2, y - high / 2, x + wide / 2, y + high / 2, colour)
            elif kind == 2:
                pen.circle(x, y, min(wide, high) * 0.3, colour)
            elif kind == 3 and (k + row) % 2:
                pen.star(x, y, min(wide, high) * 0.5, colour)


def _within(
    row: tuple[float, float, float], x: float, y: float, cos: float, sin: float
) -> tuple[float, float, float]:
    a, b, c = row
    return a * cos + b * sin, b * cos - a * sin, a * x + b * y + c
