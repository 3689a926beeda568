"""Format and size of a picture from its first bytes, before any decoder is let near it."""

from __future__ import annotations

from typing import NamedTuple


class ImageHeader(NamedTuple):
    """What the header of a picture claims."""

    format: str
    width: int
    height: int


def read_header(data: bytes) -> ImageHeader | None:
    """Read format, width and height in pixels of a JPEG, PNG or WebP; ``None`` for anything else.

    Notes
    -----
    Only what bounds the work of a decoder is read. Sources: ITU-T T.81 annex B (JPEG markers), the PNG
    specification (third edition, IHDR), and RFC 9649 (WebP).
    """
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    return None


_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})
_SCAN, _END = 0xDA, 0xD9


def _jpeg(data: bytes) -> ImageHeader | None:
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:  # decoders skip stray bytes between segments, and so do we
            position += 1
            continue
        marker = data[position + 1]
        if marker in _FRAME_MARKERS:
            height = int.from_bytes(data[position + 5 : position + 7], "big")
            width = int.from_bytes(data[position + 7 : position + 9], "big")
            return ImageHeader("JPEG", width, height) if position + 9 <= len(data) else None
        if marker in (_SCAN, _END):
            return None
        if marker in (0x00, 0xFF):
            position += 1
        elif marker in _BARE_MARKERS:
            position += 2
        else:
            position += 2 + max(2, int.from_bytes(data[position + 2 : position + 4], "big"))
    return None


def _png(data: bytes) -> ImageHeader | None:
    if data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return ImageHeader("PNG", int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))


def _webp(data: bytes) -> ImageHeader | None:
    if len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = data[24:27], data[27:30]
        return ImageHeader("WEBP", int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1)
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return ImageHeader("WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = data[26:28], data[28:30]
        return ImageHeader(
            "WEBP", int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF
        )
    return None
