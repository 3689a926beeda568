"""Photographs of drawn objects: background, light, grain and JPEG compression included."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from rayon.data.sampling import (
    draw_baby,
    draw_books,
    draw_games,
    draw_garden,
    draw_home,
    draw_pantry,
    draw_toys,
)
from rayon.data.sampling.canvas import WHITE, Drawing, Pen, Rgb, lively, mix, shade

DRAWINGS: dict[str, Drawing] = {
    name: drawing
    for module in (draw_books, draw_games, draw_toys, draw_baby, draw_home, draw_pantry, draw_garden)
    for name, drawing in module.DRAWINGS.items()
}
"""All objects that can be drawn, by name."""

_SCENES: tuple[tuple[Rgb, Rgb], ...] = (
    ((226, 222, 214), (186, 148, 108)),
    ((210, 224, 232), (120, 160, 84)),
    ((236, 228, 220), (150, 152, 158)),
    ((206, 214, 206), (214, 196, 164)),
)
_GRAIN_SIDE = 640


def draw_picture(name: str, colour: Rgb, key: str, take: int = 0) -> bytes:
    """The JPEG file of an object's photograph.

    Parameters
    ----------
    name
        One of `DRAWINGS`.
    colour
        Main colour of the object.
    key
        Seeds everything that is left to chance; the same key draws the same picture.
    take
        Another value compresses and resizes the same picture anew, as sellers who copy it do.
    """
    rng = Random(f"{key} picture")
    side = rng.choice((200, 208, 216, 224, 240, 256))
    image = _background(rng, 2 * side)
    angle = rng.gauss(0, 2) if rng.random() < 0.88 else rng.uniform(-20, 20)
    pen = _pen(rng, image, angle)
    if rng.random() < 0.6 and abs(angle) < 8:  # a tilted object lies flat and throws no shadow
        pen.ellipse(0.05, 0.97, 0.8, 0.09, shade(image.getpixel((side, 2 * side - 4)), 0.88))  # type: ignore[arg-type]  # RGB gives a tuple
    DRAWINGS[name](pen, rng, _jittered(rng, colour))
    image = image.reduce(2)
    if rng.random() < 0.06:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.1)))
    if rng.random() < 0.35:
        image = _grainy(rng, image, rng.uniform(0.02, 0.06))
    if rng.random() < 0.3:
        light = rng.uniform(0.82, 1.05)
        image = image.point([min(255, round(level * light)) for level in range(256)] * 3)
    return _jpeg(Random(f"{key} file {take}"), image, again=take > 0)


def _background(rng: Random, side: int) -> Image.Image:
    kind = rng.random()
    if kind < 0.72:
        return Image.new("RGB", (side, side), WHITE if kind < 0.62 else (246, 246, 244))
    if kind < 0.84:
        tone = lively(rng) if rng.random() < 0.3 else (170, 174, 180)
        ends = shade(tone, 1.9), shade(tone, rng.uniform(1.4, 1.7))
        strip = Image.new("RGB", (1, 2))
        strip.putpixel((0, 0), ends[0])
        strip.putpixel((0, 1), ends[1])
        image = strip.resize((side, side), Image.Resampling.BICUBIC)
        return image.transpose(Image.Transpose.ROTATE_90) if rng.random() < 0.3 else image
    if kind < 0.94:
        wall, floor = rng.choice(_SCENES)
        image = Image.new("RGB", (side, side), shade(wall, rng.uniform(0.9, 1.3)))
        line = round(side * rng.uniform(0.55, 0.8))
        pencil = ImageDraw.Draw(image)
        pencil.rectangle((0, line, side, side), fill=shade(floor, rng.uniform(0.85, 1.3)))
        for _ in range(rng.randint(0, 6)):
            y = rng.randint(line, side)
            pencil.line((0, y, side, y), fill=shade(floor, 0.85), width=3)
        return image
    return Image.new("RGB", (side, side), mix(WHITE, lively(rng), rng.uniform(0.15, 0.6)))


def _pen(rng: Random, image: Image.Image, angle: float) -> Pen:
    side = image.width
    scale = side * rng.uniform(0.37, 0.46)
    room = side / 2 - scale
    centre = side / 2 + rng.uniform(-1, 1) * room, side / 2 + rng.uniform(-1, 1) * room
    return Pen(image, centre, scale, angle, rng.random() < 0.3, rng.uniform(0.86, 1.08))


def _jittered(rng: Random, colour: Rgb) -> Rgb:
    red, green, blue = (min(255, max(0, level + rng.randint(-22, 22))) for level in colour)
    return red, green, blue


def _grainy(rng: Random, image: Image.Image, strength: float) -> Image.Image:
    grain = _grain()
    x, y = rng.randrange(_GRAIN_SIDE - image.width), rng.randrange(_GRAIN_SIDE - image.height)
    return Image.blend(image, grain.crop((x, y, x + image.width, y + image.height)), strength)


@cache
def _grain() -> Image.Image:
    noise = Random("grain").randbytes(_GRAIN_SIDE * _GRAIN_SIDE)
    return Image.frombytes("L", (_GRAIN_SIDE, _GRAIN_SIDE), noise).convert("RGB")


def _jpeg(rng: Random, image: Image.Image, again: bool) -> bytes:
    if again:
        side = round(image.width * rng.uniform(0.9, 1.05))
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    file = BytesIO()
    image.save(file, "JPEG", quality=rng.randint(55, 85))
    return file.getvalue()
