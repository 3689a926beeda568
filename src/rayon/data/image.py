"""Encoded pictures to pixels; nothing that arrives is trusted.

JPEG, PNG and WebP only. Size in bytes and in pixels is checked before anything is decoded, only the first
frame is used, transparency is laid on white, and the orientation that cameras write down is honoured.
A picture is then scaled to fit and set in the middle of a white square: most product photographs are on white
already, and nothing is cut off or squashed.
"""

from __future__ import annotations

import io
import threading
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rayon.data.image_header import read_header
from rayon.data.listings import ImageSource
from rayon.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP")
"""What is read, by Pillow's names."""

MAX_BYTES = 20 * 1024 * 1024
"""Largest encoded picture in bytes."""

MAX_PIXELS = 50_000_000
"""Largest picture in pixels, width times height; below the size from which Pillow itself warns."""

MIN_SIDE = 8
"""Shortest side in pixels of a picture that can show anything."""

STORED_SIDE = 1000
"""Longest side in pixels of a picture that the service keeps; the challenge's have 500."""

PREPROCESSING = "pad/1"
"""Changes whenever the same bytes would give other pixels, so that nothing stale is taken from a cache."""

_WHITE = 255
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow warns about harmless flaws (a broken EXIF block, an odd APNG). `warnings.catch_warnings` is not safe
# in threads, so they are silenced once, behind every filter that the user has set.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.", append=True)
_QUIET = threading.Lock()


def read_image(source: ImageSource, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Read the encoded bytes of a picture, at most ``max_bytes`` of them.

    Parameters
    ----------
    source
        A file, or the bytes themselves.
    max_bytes
        Largest size that is accepted.

    Raises
    ------
    ImageError
        When the file is absent, not a regular file, unreadable, empty or too large.
    """
    name = image_name(source)
    data = source if isinstance(source, bytes) else _read_file(source, name, max_bytes)
    if not data:
        raise ImageError(f"{name} is empty", "Replace the file")
    if len(data) > max_bytes:
        raise ImageError(f"{name} is larger than {max_bytes:,} bytes", "Send a smaller version of it")
    return data


def decode_image(
    source: ImageSource,
    size: int,
    *,
    name: str | None = None,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[np.uint8]:
    """Decode a picture to a square of pixels; the same bytes always give the same square.

    Parameters
    ----------
    source
        A file, or the encoded bytes of a JPEG, PNG or WebP.
    size
        Side of the square in pixels.
    name
        How errors call the picture; made of the source where it is not given.
    max_bytes, max_pixels
        Largest size of the encoded bytes, and of the picture as its header gives it.

    Returns
    -------
    ndarray
        `uint8[size, size, 3]` in RGB, the picture in the middle of a white square.

    Raises
    ------
    ImageError
        Naming the picture and what is wrong with it.
    """
    name = image_name(source) if name is None else name
    picture = _decoded(read_image(source, max_bytes=max_bytes), size, name, max_pixels)
    return np.asarray(_square(picture, size), dtype=np.uint8)


def plain_jpeg(data: bytes, *, longest: int = STORED_SIDE) -> bytes:
    """Encode a picture anew, so that nothing but its pixels is left of what arrived.

    Parameters
    ----------
    data
        An encoded JPEG, PNG or WebP.
    longest
        Longest side of the answer in pixels; larger pictures are scaled down.

    Returns
    -------
    bytes
        A JPEG without metadata, upright, its first frame on white.

    Raises
    ------
    ImageError
        As `decode_image` does.
    """
    name = image_name(data)
    picture = _decoded(read_image(data), longest, name, MAX_PIXELS)
    picture.thumbnail((longest, longest), Image.Resampling.BICUBIC, reducing_gap=3.0)
    picture.info.clear()  # a comment of the maker's would be written again
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def image_name(source: ImageSource) -> str:
    """Name of a picture for messages."""
    return f"The image of {len(source)} bytes" if isinstance(source, bytes) else f"The image {source}"


def _read_file(path: Path, name: str, max_bytes: int) -> bytes:
    try:
        if not path.exists():
            raise ImageError(f"{name} is not there", "Check the path, or leave the image empty")
        if not path.is_file():  # a pipe or a device would never end
            raise ImageError(f"{name} is not a file", "Give the path of a JPEG, PNG or WebP")
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name} cannot be read ({reason})", "Check the path and its permissions") from None


def _check_header(data: bytes, name: str, max_pixels: int) -> None:
    header = read_header(data)
    if header is None:
        raise ImageError(f"{name} is not a JPEG, PNG or WebP", "Convert it to one of these formats")
    _, width, height = header
    if width * height > max_pixels:
        raise ImageError(
            f"{name} has {width} × {height} pixels, more than {max_pixels:,}", "Send a smaller version of it"
        )
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"{name} has {width} × {height} pixels, too few to show anything",
            f"Both sides need {MIN_SIDE} pixels",
        )


def _decoded(data: bytes, size: int, name: str, max_pixels: int) -> Image.Image:
    _check_header(data, name, max_pixels)
    try:
        try:
            return _open(data, size, max_pixels)
        except Warning:  # raised only where the user's filters make errors of warnings
            with _QUIET, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _open(data, size, max_pixels)
    except Exception as error:  # decoders fed with arbitrary bytes raise whatever they like
        raise ImageError(f"{name} is damaged ({_reason(error)})", "Replace the file") from None


def _open(data: bytes, size: int, max_pixels: int) -> Image.Image:
    """Decode the first frame to upright RGB, a JPEG at a reduced scale that still covers the square."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        width, height = picture.size
        if width * height > max_pixels:
            raise ValueError("its headers contradict each other")
        orientation = _orientation(picture)
        longest = max(width, height)
        picture.draft(None, (max(1, size * width // longest), max(1, size * height // longest)))
        picture.load()
        upright = _on_white(picture)
    turn = _UPRIGHT.get(orientation)
    return upright if turn is None else upright.transpose(turn)


def _orientation(picture: Image.Image) -> int:
    try:
        value = picture.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a broken EXIF block says nothing about the pixels
        return 1
    return value if isinstance(value, int) else 1


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):  # 16 bits a channel: Pillow would clip instead of scaling
        grey = np.clip(np.asarray(picture).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        canvas = Image.new("RGBA", layered.size, (_WHITE, _WHITE, _WHITE, _WHITE))
        return Image.alpha_composite(canvas, layered).convert("RGB")
    return picture.convert("RGB")


def _square(picture: Image.Image, size: int) -> Image.Image:
    longest = max(picture.size)
    width, height = (max(1, round(side * size / longest)) for side in picture.size)
    scaled = picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
    canvas = Image.new("RGB", (size, size), (_WHITE, _WHITE, _WHITE))
    canvas.paste(scaled, ((size - width) // 2, (size - height) // 2))
    return canvas


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text or type(error).__name__
