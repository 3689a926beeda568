from __future__ import annotations

import io
import logging
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rayon.data.image import decode_image
from rayon.encoders.image import BuiltinImageEncoder
from rayon.encoders.pipeline import CHUNK, available_cores, encode_images
from rayon.errors import ModelError


def photo(seed: int, side: int = 40, kind: str = "JPEG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


class Counting(BuiltinImageEncoder):
    """The builtin encoder, counting the pictures that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.lock = threading.Lock()

    def encode(self, pictures):
        with getattr(self, "lock", threading.Lock()):
            self.count = getattr(self, "count", 0) + len(pictures)
        return super().encode(pictures)


@pytest.fixture
def sources(tmp_path) -> list[Path | bytes | None]:
    """Files and bytes, good, bad and missing ones."""
    files: list[Path | bytes | None] = []
    for number in range(2 * CHUNK + 5):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(photo(number))
        files.append(path)
    files[3] = None
    files[5] = tmp_path / "absent.jpg"
    files[7] = photo(7)
    (tmp_path / "8.jpg").write_bytes(photo(8)[:200])
    files[CHUNK] = b"GIF89a"
    return files


def expected_vectors(sources) -> np.ndarray:
    encoder = BuiltinImageEncoder()
    rows = []
    for row, source in enumerate(sources):
        bad = row in (3, 5, 8, CHUNK)
        rows.append(
            np.full((1, encoder.dimension), np.nan, np.float32)
            if bad
            else encoder.encode(decode_image(source, encoder.input_size)[None])
        )
    return np.concatenate(rows)


def test_vectors_and_errors(sources, tmp_path):
    vectors, errors = encode_images(BuiltinImageEncoder(), sources)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, expected_vectors(sources))
    assert {row for row, error in enumerate(errors) if error} == {5, 8, CHUNK}
    assert (
        errors[5]
        == f"The image {tmp_path / 'absent.jpg'} is not there. Check the path, or leave the image empty"
    )
    assert errors[8] is not None
    assert errors[8].startswith(f"The image {tmp_path / '8.jpg'} is damaged (")
    assert (
        errors[CHUNK] == "The image of 6 bytes is not a JPEG, PNG or WebP. Convert it to one of these formats"
    )


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_and_cache_do_not_change_a_bit(threads, sources, tmp_path):
    expected = expected_vectors(sources)
    for _ in range(2):
        vectors, _ = encode_images(BuiltinImageEncoder(), sources, cache=tmp_path / "cache", threads=threads)
        np.testing.assert_array_equal(vectors, expected)


def test_what_is_cached_is_not_encoded_again(sources, tmp_path):
    first, second = Counting(), Counting()
    first.count = second.count = 0
    encode_images(first, sources, cache=tmp_path / "cache")
    encode_images(second, [*sources, photo(10_000)], cache=tmp_path / "cache")
    assert first.count == len(sources) - 4
    assert second.count == 1


def test_the_cache_goes_by_content_and_not_by_name(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(photo(1))
    before, _ = encode_images(BuiltinImageEncoder(), [path], cache=tmp_path / "cache")
    path.write_bytes(photo(2))
    after, _ = encode_images(BuiltinImageEncoder(), [path], cache=tmp_path / "cache")
    expected, _ = encode_images(BuiltinImageEncoder(), [photo(2), photo(1)])
    np.testing.assert_array_equal(np.concatenate([after, before]), expected)


def test_an_unusable_cache_is_said_once_and_does_not_stop_anything(sources, tmp_path, caplog):
    blocked = tmp_path / "blocked"
    blocked.touch()
    with caplog.at_level(logging.WARNING):
        vectors, _ = encode_images(BuiltinImageEncoder(), sources, cache=blocked)
    np.testing.assert_array_equal(vectors, expected_vectors(sources))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_progress_counts_up_to_all_in_the_calling_thread(sources):
    seen: list[tuple[int, int]] = []
    encode_images(
        BuiltinImageEncoder(), sources, progress=lambda done: seen.append((done, threading.get_ident()))
    )
    counts = [done for done, _ in seen]
    assert counts == sorted(set(counts))
    assert counts[-1] == len(sources)
    assert {thread for _, thread in seen} == {threading.get_ident()}


@pytest.mark.parametrize("sources", [[], [None, None]])
def test_nothing_to_encode(sources):
    vectors, errors = encode_images(BuiltinImageEncoder(), sources)
    assert vectors.shape == (len(sources), BuiltinImageEncoder().dimension)
    assert np.isnan(vectors).all()
    assert errors == [None] * len(sources)


class Failing(BuiltinImageEncoder):
    """Fails on the second chunk."""

    def encode(self, pictures):
        if len(pictures) > 1:
            raise ModelError("The encoder fails")
        return super().encode(pictures)


def test_a_failing_encoder_stops_the_run_and_leaves_no_thread():
    with pytest.raises(ModelError, match="The encoder fails"):
        encode_images(Failing(), [photo(i) for i in range(100)], threads=3)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rayon-images")]


class Plain:
    """An encoder that somebody else wrote: it has no `dimension`."""

    name = "plain"
    input_size = 64

    def encode(self, pictures):
        return pictures.mean(axis=(1, 2)).astype(np.float32)

    def spec(self):
        return {"name": self.name}


def test_any_encoder_will_do():
    vectors, _ = encode_images(Plain(), [photo(1), None])
    assert vectors.shape == (2, 3)
    assert np.isnan(vectors[1]).all()


def test_memory_does_not_grow_with_the_pictures(tmp_path):
    path = tmp_path / "large.png"
    Image.new("RGB", (600, 600), (9, 9, 9)).save(path)

    def peak(count: int) -> int:
        tracemalloc.start()
        encode_images(Plain(), [path] * count, threads=1)  # two may or may not decode at the same moment
        _, top = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return top

    few = peak(4 * CHUNK)
    assert peak(20 * CHUNK) < few + 1_000_000


def test_cores():
    assert available_cores() >= 1
