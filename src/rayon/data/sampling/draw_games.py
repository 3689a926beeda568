"""Drawings of video games, consoles, board games, cards and miniatures."""

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
    shade,
)  # fmt: skip
from rayon.data.sampling.draw_books import artwork

DARK: Rgb = (46, 48, 54)


def cartridge(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A grey game cartridge with its label."""
    shell = mix((150, 150, 154), colour, rng.uniform(0.0, 0.35))
    pen.rounded(-0.78, -0.8, 0.78, 0.6, 0.1, shell, shade(shell, 0.65))
    pen.rect(-0.5, 0.6, 0.5, 0.85, shade(shell, 0.8))
    for k in range(9):
        pen.rect(-0.44 + k * 0.1, 0.66, -0.38 + k * 0.1, 0.85, (206, 172, 90))
    for x in (-0.72, 0.6):
        for k in range(5):
            pen.rect(x, -0.5 + k * 0.2, x + 0.12, -0.42 + k * 0.2, shade(shell, 0.75))
    artwork(pen, rng, -0.52, -0.62, 0.52, 0.36, colour)
    pen.rect(-0.52, -0.62, 0.52, -0.36, colour)
    pen.bars(rng, -0.4, -0.56, 0.4, -0.4, 1, contrast(colour), 0.7)


def game_box(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A plastic case: a strip with the console's name over the artwork."""
    strip = rng.choice([(30, 90, 190), (40, 140, 60), (200, 30, 40), (230, 230, 235), DARK])
    pen.rounded(-0.7, -0.96, 0.7, 0.96, 0.05, shade(strip, 0.75), shade(strip, 0.5))
    artwork(pen, rng, -0.62, -0.7, 0.64, 0.9, colour)
    pen.rect(-0.62, -0.9, 0.64, -0.68, strip)
    pen.bars(rng, -0.54, -0.85, 0.2, -0.73, 1, contrast(strip), 0.8)
    pen.bars(rng, -0.5, rng.choice([-0.55, 0.3]), 0.5, 0.62, 2, contrast(shade(colour, 1.4)), 0.35)
    pen.rect(-0.58, 0.72, -0.42, 0.87, WHITE, INK, 0.01)
    pen.rect(-0.7, -0.96, -0.63, 0.96, shade(strip, 0.55))


def controller(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A game pad with sticks, cross and buttons."""
    dark = shade(colour, 0.7)
    for side in (-1, 1):
        grip = pen.moved(side * 0.62, 0.22, 1, side * -18)
        grip.ellipse(0, 0.1, 0.28, 0.55, colour, dark)
    pen.rounded(-0.78, -0.42, 0.78, 0.32, 0.3, colour)
    pen.rounded(-0.7, -0.5, -0.36, -0.4, 0.04, dark)
    pen.rounded(0.36, -0.5, 0.7, -0.4, 0.04, dark)
    ink = contrast(colour)
    pen.rect(-0.66, -0.14, -0.34, -0.06, ink)
    pen.rect(-0.54, -0.26, -0.46, 0.06, ink)
    for k, (x, y) in enumerate(((0.5, -0.26), (0.64, -0.1), (0.5, 0.06), (0.36, -0.1))):
        pen.circle(x, y, 0.07, [(230, 70, 70), (70, 160, 230), (90, 190, 90), (245, 200, 60)][k])
    for x in (-0.25, 0.25):
        pen.circle(x, 0.18, 0.16, dark)
        pen.circle(x, 0.17, 0.11, DARK)
    if rng.random() < 0.4:
        pen.line([(0, -0.42), (0.02, -0.62), (0.18, -0.78), (0.1, -0.95), (-0.15, -1.0)], DARK, 0.04)


def headset(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A gaming headset with a microphone."""
    pen.arc(0, 0, 0.72, 0.8, 180, 360, DARK, 0.14)
    pen.arc(0, 0, 0.66, 0.74, 190, 350, colour, 0.05)
    for side in (-1, 1):
        pen.rounded(side * 0.7 - 0.17, -0.1, side * 0.7 + 0.17, 0.62, 0.14, colour, shade(colour, 0.6))
        pen.rounded(side * 0.5 - 0.09, -0.04, side * 0.5 + 0.09, 0.56, 0.08, DARK)
    pen.line([(-0.72, 0.6), (-0.5, 0.84), (-0.16, 0.86)], DARK, 0.05)
    pen.ellipse(-0.1, 0.86, 0.12, 0.07, INK)
    if rng.random() < 0.5:
        pen.star(0.7, 0.26, 0.1, WHITE)


def keyboard(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A keyboard with lit keys and a mouse."""
    pen.rounded(-0.98, -0.4, 0.56, 0.32, 0.05, DARK, INK)
    for row in range(4):
        for column in range(11):
            key = colour if rng.random() < 0.3 else (92, 94, 102)
            x, y = -0.92 + column * 0.131, -0.32 + row * 0.15
            pen.rect(x, y, x + 0.1, y + 0.11, key)
    pen.rect(-0.5, 0.24, 0.1, 0.29, (92, 94, 102))
    pen.ellipse(0.8, 0.02, 0.18, 0.28, DARK, colour, 0.03)
    pen.line([(0.8, -0.26), (0.8, -0.04)], colour, 0.03)


def console(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A home console with its pad in front."""
    body = mix(DARK, colour, rng.choice([0.1, 0.3, 0.9]))
    pen.polygon([(-0.9, -0.1), (-0.72, -0.5), (0.72, -0.5), (0.9, -0.1)], shade(body, 1.2))
    pen.rounded(-0.92, -0.12, 0.92, 0.24, 0.04, body, shade(body, 0.6))
    pen.rect(-0.76, 0.0, 0.1, 0.05, (20, 20, 24))
    pen.circle(0.6, 0.06, 0.05, (90, 200, 120))
    pen.rect(0.24, 0.02, 0.42, 0.1, shade(body, 1.4))
    if rng.random() < 0.6:
        controller(pen.moved(rng.uniform(-0.3, 0.3), 0.58, 0.44), rng, mix(body, colour, 0.5))


def handheld(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A pocket console with its screen on."""
    if rng.random() < 0.5:
        pen.rounded(-0.98, -0.44, 0.98, 0.44, 0.2, colour, shade(colour, 0.6))
        artwork(pen, rng, -0.58, -0.34, 0.58, 0.34, lively(rng))
        pen.rect(-0.58, -0.34, 0.58, 0.34, None, INK, 0.05)
        pads = ((-0.78, -0.02), (0.78, -0.02))
    else:
        pen.rounded(-0.56, -0.96, 0.56, 0.96, 0.12, colour, shade(colour, 0.6))
        pen.rounded(-0.44, -0.84, 0.44, 0.02, 0.05, (70, 72, 80))
        pen.rect(-0.32, -0.72, 0.32, -0.1, (156, 176, 92))
        pen.bars(rng, -0.24, -0.6, 0.24, -0.2, 4, (70, 90, 40), 0.5)
        pads = ((-0.28, 0.36), (0.3, 0.36))
    (x, y), (u, v) = pads
    pen.rect(x - 0.14, y - 0.045, x + 0.14, y + 0.045, INK)
    pen.rect(x - 0.045, y - 0.14, x + 0.045, y + 0.14, INK)
    pen.circle(u - 0.07, v + 0.07, 0.08, (200, 50, 80))
    pen.circle(u + 0.09, v - 0.07, 0.08, (200, 50, 80))


def bundle(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A used console with a pile of games."""
    console(pen.moved(-0.05, -0.1, 0.9), rng, colour)
    for _ in range(rng.randint(2, 4)):
        game_box(
            pen.moved(rng.uniform(-0.75, 0.75), rng.choice((-0.6, 0.6)), 0.38, rng.uniform(-20, 20)),
            rng,
            lively(rng),
        )


def disc(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A bare disc beside its open case."""
    pen.rect(-0.98, -0.7, -0.02, 0.7, DARK, INK)
    pen.rect(0.02, -0.7, 0.98, 0.7, DARK, INK)
    artwork(pen, rng, -0.92, -0.64, -0.08, 0.64, colour)
    pen.circle(0.5, 0, 0.42, (206, 212, 222))
    pen.pie(0.5, 0, 0.42, 0.42, 200, 260, (240, 226, 200))
    pen.pie(0.5, 0, 0.42, 0.42, 20, 70, (200, 226, 240))
    pen.circle(0.5, 0, 0.3, mix(WHITE, colour, 0.5), (180, 180, 190), 0.01)
    pen.circle(0.5, 0, 0.07, DARK)


def download(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A wide banner in dark colours with a download arrow."""
    night = shade(colour, 0.4)
    pen.rect(-0.98, -0.6, 0.98, 0.6, night)
    artwork(pen, rng, -0.98, -0.6, rng.choice([0.2, 0.98]), 0.6, shade(colour, rng.uniform(0.3, 0.6)))
    pen.bars(rng, -0.8, -0.3, 0.3, 0.1, 2, PAPER, 0.6)
    pen.circle(0.7, 0.3, 0.2, (90, 190, 110))
    pen.rect(0.66, 0.17, 0.74, 0.32, WHITE)
    pen.polygon([(0.57, 0.3), (0.83, 0.3), (0.7, 0.43)], WHITE)


def board_game(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A square box seen from above at an angle."""
    pen.polygon([(-0.9, -0.5), (-0.9, 0.72), (-0.74, 0.9), (-0.74, -0.36)], shade(colour, 0.5))
    pen.polygon([(-0.74, 0.9), (0.92, 0.9), (0.92, -0.36), (-0.74, -0.36)], shade(colour, 0.7))
    pen.rect(-0.9, -0.86, 0.86, 0.66, colour, shade(colour, 0.6))
    artwork(pen, rng, -0.78, -0.36, 0.74, 0.54, lively(rng))
    pen.bars(rng, -0.6, -0.76, 0.6, -0.44, 1, contrast(colour), 0.7)
    for k in range(3):
        pen.circle(0.45 + k * 0.14, 0.44, 0.055, PAPER)


def board(pen: Pen, rng: Random, colour: Rgb) -> None:
    """An open board of squares with pawns and a die."""
    pen.rect(-0.9, -0.9, 0.9, 0.9, shade(colour, 1.5), shade(colour, 0.5), 0.04)
    count = rng.choice([5, 6, 8])
    side = 1.7 / count
    for row in range(count):
        for column in range(count):
            if (row + column) % 2:
                x, y = -0.85 + column * side, -0.85 + row * side
                pen.rect(x, y, x + side, y + side, shade(colour, rng.choice([0.8, 0.85])))
    for _ in range(rng.randint(3, 6)):
        x, y, pawn = rng.uniform(-0.7, 0.7), rng.uniform(-0.6, 0.6), lively(rng)
        pen.polygon([(x - 0.11, y + 0.16), (x + 0.11, y + 0.16), (x, y - 0.16)], pawn, shade(pawn, 0.6))
        pen.circle(x, y - 0.16, 0.08, pawn, shade(pawn, 0.6))


def playing_cards(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A fan of playing cards."""
    for k in range(4):
        card = pen.moved(-0.05, 0.9, 1.2, -36 + 22 * k)
        card.rounded(-0.36, -1.45, 0.36, -0.3, 0.06, WHITE, (150, 150, 150))
        suit = rng.choice([(200, 30, 40), INK])
        card.star(0, -0.88, 0.2, suit, rng.choice([4, 5]), 0.6)
        card.circle(-0.26, -1.33, 0.05, suit)
    pen.circle(0.8, 0.8, 0.14, colour, shade(colour, 0.6))


def trading_card(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A collectable card: frame, artwork, text box."""
    frame = rng.choice([colour, (240, 206, 70), DARK])
    pen.rounded(-0.66, -0.96, 0.66, 0.96, 0.07, frame, shade(frame, 0.6))
    pen.rect(-0.56, -0.86, 0.56, 0.86, shade(colour, 1.35))
    pen.bars(rng, -0.5, -0.82, 0.3, -0.7, 1, INK, 0.7)
    artwork(pen, rng, -0.5, -0.64, 0.5, 0.18, lively(rng))
    pen.rect(-0.5, -0.64, 0.5, 0.18, None, shade(frame, 0.6), 0.03)
    pen.rect(-0.5, 0.28, 0.5, 0.8, PAPER)
    pen.bars(rng, -0.44, 0.34, 0.42, 0.68, 4, (110, 106, 100), 0.35)
    pen.star(0.42, -0.75, 0.09, (250, 200, 60))
    pen.circle(0.4, 0.72, 0.08, colour)


def booster(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A sealed foil pack with crimped ends."""
    pen.rect(-0.58, -0.84, 0.58, 0.84, colour)
    artwork(pen, rng, -0.58, -0.4, 0.58, 0.6, colour)
    for y in (-0.96, 0.84):
        pen.rect(-0.58, y, 0.58, y + 0.12, STEEL)
        for k in range(14):
            pen.rect(-0.56 + k * 0.083, y, -0.53 + k * 0.083, y + 0.12, (214, 218, 224))
    pen.ellipse(0, -0.56, 0.48, 0.2, (250, 214, 70), INK, 0.02)
    pen.bars(rng, -0.34, -0.64, 0.34, -0.5, 1, INK, 0.8)
    pen.polygon([(-0.5, 0.84), (-0.3, 0.84), (0.4, -0.84), (0.28, -0.84)], shade(colour, 1.3))


def dice(pen: Pen, rng: Random, colour: Rgb) -> None:
    """Many-sided dice."""
    for x, y, size in ((-0.35, -0.1, 0.6), (0.52, 0.35, 0.4), (0.48, -0.55, 0.34))[: rng.randint(1, 3)]:
        die = pen.moved(x, y, size, rng.uniform(-20, 20))
        rim = [(0.0, -1.0), (0.87, -0.5), (0.87, 0.5), (0.0, 1.0), (-0.87, 0.5), (-0.87, -0.5)]
        die.polygon(rim, colour)
        face = [(0.0, -0.6), (0.55, 0.36), (-0.55, 0.36)]
        die.polygon([rim[1], rim[2], rim[3], face[1]], shade(colour, 0.65))
        die.polygon([rim[5], rim[4], rim[3], face[2]], shade(colour, 0.8))
        die.polygon(face, shade(colour, 1.2))
        for point in rim:
            die.line(
                [point, min(face, key=lambda f: (f[0] - point[0]) ** 2 + (f[1] - point[1]) ** 2)], PAPER, 0.03
            )
        die.polygon([*face], None, PAPER, 0.03)
        die.bars(rng, -0.16, -0.1, 0.16, 0.2, 1, contrast(shade(colour, 1.2)), 0.7)


def miniature(pen: Pen, rng: Random, colour: Rgb) -> None:
    """Unpainted warriors on round bases."""
    grey = mix((136, 138, 142), colour, rng.uniform(0.0, 0.4))
    count = rng.randint(1, 3)
    for k in range(count):
        one = pen.moved((k - (count - 1) / 2) * 0.66, 0.1 * (k % 2), 1.0 if count == 1 else 0.72)
        one.ellipse(0, 0.84, 0.42, 0.13, (50, 50, 52))
        one.polygon([(-0.24, 0.8), (-0.3, 0.1), (0.3, 0.1), (0.24, 0.8)], shade(grey, 0.85))
        one.polygon([(-0.42, -0.2), (0.42, -0.2), (0.26, 0.24), (-0.26, 0.24)], grey)
        one.circle(0, -0.42, 0.19, shade(grey, 1.2))
        one.polygon([(-0.24, -0.46), (0, -0.76), (0.24, -0.46)], shade(grey, 0.7))
        if rng.random() < 0.6:
            one.line([(0.46, 0.6), (0.56, -0.95)], shade(grey, 0.55), 0.06)
            one.polygon([(0.48, -0.8), (0.56, -1.0), (0.66, -0.8)], shade(grey, 1.4))
        else:
            one.circle(-0.42, 0.12, 0.26, shade(grey, 0.65), shade(grey, 1.3), 0.04)


def rulebook(pen: Pen, rng: Random, colour: Rgb) -> None:
    """A dark rule book with a dragon's eye."""
    dark = shade(colour, 0.45)
    pen.rect(-0.68, -0.95, 0.68, 0.95, dark, shade(dark, 0.5))
    pen.rect(-0.6, -0.87, 0.6, 0.87, None, (196, 156, 80), 0.03)
    pen.bars(rng, -0.45, -0.74, 0.45, -0.36, 2, (226, 190, 110), 0.6)
    pen.polygon([(-0.46, 0.2), (0, -0.1), (0.46, 0.2), (0, 0.5)], (230, 180, 50))
    pen.ellipse(0, 0.2, 0.08, 0.26, INK)
    pen.bars(rng, -0.3, 0.68, 0.3, 0.8, 1, (226, 190, 110), 0.5)


DRAWINGS: dict[str, Drawing] = {
    "cartridge": cartridge, "game_box": game_box, "controller": controller, "headset": headset,
    "keyboard": keyboard, "console": console, "handheld": handheld, "bundle": bundle, "disc": disc,
    "download": download, "board_game": board_game, "board": board, "playing_cards": playing_cards,
    "trading_card": trading_card, "booster": booster, "dice": dice, "miniature": miniature,
    "rulebook": rulebook,
}  # fmt: skip
