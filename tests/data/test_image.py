from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from rayon.data.image import MIN_SIDE, decode_image, read_image
from rayon.data.image_header import ImageHeader, read_header
from rayon.errors import ImageError

RED, GREEN, WHITE = (200, 30, 30), (30, 160, 30), (255, 255, 255)


def encoded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def plain(width: int = 60, height: int = 60, colour=RED) -> Image.Image:
    return Image.new("RGB", (width, height), colour)


def halves(width: int = 64, height: int = 64) -> Image.Image:
    """Red on the left, green on the right."""
    picture = plain(width, height)
    picture.paste(GREEN, (width // 2, 0, width, height))
    return picture


def near(pixel: np.ndarray, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    return bool(np.abs(pixel.astype(int) - np.array(colour)).max() <= tolerance)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 95}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_each_format_gives_the_picture(kind, options, tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(encoded(halves(), kind, **options))
    pixels = decode_image(path, 32)
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    assert near(pixels[16, 4], RED)
    assert near(pixels[16, 28], GREEN)


def test_bytes_and_file_give_the_same_pixels(tmp_path):
    data = encoded(halves(123, 77), "JPEG")
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    np.testing.assert_array_equal(decode_image(data, 48), decode_image(path, 48))


def test_aspect_is_kept_on_a_white_square():
    pixels = decode_image(encoded(plain(80, 40)), 40)
    assert near(pixels[20, 20], RED)
    assert near(pixels[4, 20], WHITE, 0)
    assert near(pixels[36, 20], WHITE, 0)
    np.testing.assert_array_equal(pixels, pixels[::-1])


def test_a_white_picture_stays_white():
    assert (decode_image(encoded(plain(colour=WHITE)), 24) == 255).all()


def test_large_and_small_versions_look_alike():
    large = Image.new("RGB", (500, 500), WHITE)
    draw = ImageDraw.Draw(large)
    draw.ellipse((60, 40, 440, 460), fill=RED)
    draw.rectangle((200, 150, 300, 350), fill=GREEN)
    small = large.resize((192, 192), Image.Resampling.LANCZOS)
    a, b = (decode_image(encoded(item, "JPEG", quality=90), 128).astype(int) for item in (large, small))
    assert np.abs(a - b).mean() < 4


def test_transparency_is_laid_on_white():
    picture = Image.new("RGBA", (64, 64), (200, 30, 30, 0))
    picture.paste((30, 160, 30, 255), (0, 0, 64, 40))
    pixels = decode_image(encoded(picture), 64)
    assert near(pixels[20, 32], GREEN)
    assert near(pixels[50, 32], WHITE, 0)


def test_palette_with_transparency():
    picture = Image.new("P", (64, 64), 0)
    picture.putpalette([200, 30, 30, 30, 160, 30] + [0] * 762)
    picture.paste(1, (0, 0, 64, 32))
    for transparency in (0, bytes([0, 255])):
        pixels = decode_image(encoded(picture, transparency=transparency), 64)
        assert near(pixels[16, 32], GREEN)
        assert near(pixels[48, 32], WHITE, 0)


@pytest.mark.parametrize("mode", ["L", "LA", "1", "P", "RGBA"])
def test_every_mode_becomes_rgb(mode):
    assert decode_image(encoded(halves().convert(mode)), 20).shape == (20, 20, 3)


def test_cmyk_jpeg():
    pixels = decode_image(encoded(halves().convert("CMYK"), "JPEG", quality=95), 32)
    assert near(pixels[16, 4], RED, 20)
    assert near(pixels[16, 28], GREEN, 20)


def test_sixteen_bits_are_scaled_and_not_clipped():
    ramp = np.tile(np.linspace(0, 50_000, 64).astype(np.uint16), (64, 1))
    pixels = decode_image(encoded(Image.fromarray(ramp)), 64)
    assert pixels[32, 2, 0] < 12
    assert abs(int(pixels[32, 32, 0]) - 99) < 6
    assert abs(int(pixels[32, 61, 0]) - 190) < 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_honoured(orientation):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = halves(64, 64)
    upright.paste((30, 30, 200), (0, 0, 64, 12))
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "JPEG", "WEBP"):
        pixels = decode_image(encoded(stored, kind, exif=exif, quality=95), 64)
        assert near(pixels[40, 8], RED, 25), kind
        assert near(pixels[40, 56], GREEN, 25), kind
        assert near(pixels[4, 32], (30, 30, 200), 25), kind


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\1" * 9]
)
def test_broken_exif_does_not_matter(exif):
    data = encoded(halves(), "JPEG", exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(decode_image(data, 32), decode_image(encoded(halves(), "JPEG"), 32))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_only_the_first_frame_of_an_animation(kind):
    frames = [plain(colour=colour) for colour in (RED, GREEN, GREEN)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    assert near(decode_image(data, 16)[8, 8], RED)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM"])
def test_other_formats_are_refused(kind):
    data = encoded(plain(), kind)
    with pytest.raises(ImageError) as caught:
        decode_image(data, 16)
    assert caught.value.message == f"The image of {len(data)} bytes is not a JPEG, PNG or WebP"
    assert caught.value.hint == "Convert it to one of these formats"


def test_not_an_image(tmp_path):
    path = tmp_path / "page.jpg"
    path.write_text("<html>404</html>")
    with pytest.raises(ImageError) as caught:
        decode_image(path, 16)
    assert caught.value.message == f"The image {path} is not a JPEG, PNG or WebP"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_truncated(kind, tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8))
    path = tmp_path / "half.jpg"
    data = encoded(noise, kind)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=rf"^The image {path} is damaged \(.+\)\. Replace the file$"):
        decode_image(path, 32)


def test_absent(tmp_path):
    path = tmp_path / "none.jpg"
    with pytest.raises(ImageError) as caught:
        decode_image(path, 16)
    assert caught.value.message == f"The image {path} is not there"


def test_a_folder_is_not_a_picture(tmp_path):
    with pytest.raises(ImageError) as caught:
        decode_image(tmp_path, 16)
    assert caught.value.message == f"The image {tmp_path} is not a file"


def test_a_pipe_does_not_hang(tmp_path):
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    with pytest.raises(ImageError, match="is not a file"):
        decode_image(pipe, 16)


def test_a_path_with_a_nul_byte():
    with pytest.raises(ImageError):
        decode_image(Path("a\0b.jpg"), 16)


def test_empty(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    with pytest.raises(ImageError) as caught:
        decode_image(path, 16)
    assert caught.value.message == f"The image {path} is empty"


def test_too_many_bytes(tmp_path):
    path = tmp_path / "big.png"
    path.write_bytes(encoded(plain()) + b"\0" * 2000)
    assert len(read_image(path)) > 2000
    for source in (path, path.read_bytes()):
        with pytest.raises(ImageError, match="is larger than 1,000 bytes"):
            decode_image(source, 16, max_bytes=1000)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, MIN_SIDE - 1)])
def test_too_small(size, tmp_path):
    path = tmp_path / "dot.png"
    path.write_bytes(encoded(plain(*size)))
    with pytest.raises(ImageError) as caught:
        decode_image(path, 16)
    assert (
        caught.value.message == f"The image {path} has {size[0]} × {size[1]} pixels, too few to show anything"
    )
    assert caught.value.hint == f"Both sides need {MIN_SIDE} pixels"


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of many pixels in very few bytes: one bit a pixel, all zero."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packed = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    body = b"".join(packed.compress(row) for _ in range(height)) + packed.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_bomb(20_000, 10_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(ImageError) as caught:
        decode_image(path, 16)
    assert caught.value.message == f"The image {path} has 20000 × 10000 pixels, more than 50,000,000"


def test_the_pixel_cap_does_not_need_the_rest_of_the_file():
    for kind in ("JPEG", "PNG", "WEBP"):
        head = encoded(plain(900, 700), kind)[:800]
        with pytest.raises(ImageError, match="900 × 700 pixels, more than 500,000"):
            decode_image(head, 16, max_pixels=500_000)


def test_headers_that_contradict_each_other():
    small, large = encoded(plain(64, 64), "JPEG"), encoded(plain(3000, 3000), "JPEG")
    frame = small.index(b"\xff\xc0")
    length = 2 + int.from_bytes(small[frame + 2 : frame + 4], "big")
    forged = large[:2] + small[frame : frame + length] + large[2:]
    with pytest.raises(ImageError):
        decode_image(forged, 16, max_pixels=1_000_000)


def test_the_same_bytes_give_the_same_pixels():
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (300, 200, 3), dtype=np.uint8))
    data = encoded(noise, "JPEG")
    first = decode_image(data, 64)
    for _ in range(3):
        np.testing.assert_array_equal(decode_image(data, 64), first)


@settings(max_examples=80, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8 "]),
)
def test_any_bytes_give_an_image_error(data, prefix):
    with pytest.raises(ImageError):
        decode_image(prefix + data, 16)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_gives_pixels_or_an_image_error(data):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))
    original = bytearray(encoded(halves(48, 40), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        original[data.draw(st.integers(0, len(original) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    outcome = ""
    try:
        outcome = str(decode_image(bytes(original), 16).shape)
    except ImageError as error:
        outcome = error.message
    assert outcome == "(16, 16, 3)" or outcome.startswith(f"The image of {len(original)} bytes ")


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(
        [
            ("JPEG", {}),
            ("JPEG", {"progressive": True}),
            ("PNG", {}),
            ("WEBP", {}),
            ("WEBP", {"lossless": True}),
        ]
    ),
    st.integers(1, 300),
    st.integers(1, 300),
)
def test_the_header_says_what_pillow_says(form, width, height):
    kind, options = form
    data = encoded(plain(width, height), kind, **options)
    assert read_header(data) == ImageHeader(kind, width, height)


def test_the_header_of_an_extended_webp():
    data = encoded(Image.new("RGBA", (37, 91), (1, 2, 3, 4)), "WEBP", exif=b"Exif\0\0")
    assert data[12:16] == b"VP8X"
    assert read_header(data) == ImageHeader("WEBP", 37, 91)


@given(st.integers(1, 200), st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_any_size_fits_the_square(width, height):
    data = encoded(plain(width, height))
    if min(width, height) < MIN_SIDE:
        with pytest.raises(ImageError):
            decode_image(data, 20)
    else:
        assert decode_image(data, 20).shape == (20, 20, 3)
