from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rayon.encoders.cache import EmbeddingCache, content_key

SPEC = {"name": "tiny", "version": 1}


def opened(folder: Path, spec=SPEC, preprocessing="p/1", **options) -> EmbeddingCache:
    return EmbeddingCache(folder, spec, preprocessing, **options)


def vector(number: int, dimension: int = 8) -> np.ndarray:
    return np.random.default_rng(number).normal(size=dimension).astype(np.float32)


def entries(numbers) -> dict[bytes, np.ndarray]:
    return {content_key(str(number).encode()): vector(number) for number in numbers}


def assert_holds(cache: EmbeddingCache, expected: dict[bytes, np.ndarray]) -> None:
    found = cache.get(list(expected))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)


def test_what_is_put_comes_back_in_a_later_run(tmp_path):
    with opened(tmp_path / "made" / "here") as cache:
        assert cache.usable
        cache.put(entries(range(5)))
    with opened(tmp_path / "made" / "here") as cache:
        assert_holds(cache, entries(range(5)))
        assert cache.get([content_key(b"unknown")]) == {}
        assert cache.get([]) == {}
        cache.put({})


def test_more_keys_than_one_query_takes(tmp_path):
    with opened(tmp_path) as cache:
        cache.put(entries(range(1300)))
        assert_holds(cache, entries(range(1300)))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(width=32, allow_nan=True)))
def test_every_bit_is_kept(tmp_path, value):
    with opened(tmp_path) as cache:
        key = content_key(value.tobytes())
        cache.put({key: value})
        assert cache.get([key])[key].tobytes() == value.tobytes()


@pytest.mark.parametrize(
    ("spec", "preprocessing"),
    [({"name": "tiny", "version": 2}, "p/1"), ({"name": "other", "version": 1}, "p/1"), (SPEC, "p/2")],
)
def test_another_encoder_or_preprocessing_shares_nothing(spec, preprocessing, tmp_path):
    with opened(tmp_path) as cache:
        cache.put(entries(range(3)))
    with opened(tmp_path, spec, preprocessing) as other:
        assert other.get(list(entries(range(3)))) == {}


def test_the_order_of_the_spec_does_not_matter(tmp_path):
    with (
        opened(tmp_path, {"name": "a", "x": 1, "y": 2}) as one,
        opened(tmp_path, {"y": 2, "x": 1, "name": "a"}) as two,
    ):
        assert one.path == two.path


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE vectors SET vector = x'00000000'",
        "UPDATE vectors SET digest = x''",
        "UPDATE vectors SET vector = 'text'",
    ],
)
def test_a_damaged_entry_is_unknown_and_is_mended(damage, tmp_path):
    with opened(tmp_path) as cache:
        cache.put(entries(range(3)))
    connection = sqlite3.connect(cache.path)
    with connection:
        connection.execute(f"{damage} WHERE rowid = 2")
    connection.close()
    with opened(tmp_path) as cache:
        assert len(cache.get(list(entries(range(3))))) == 2
        cache.put(entries(range(3)))
        assert_holds(cache, entries(range(3)))


@pytest.mark.parametrize("content", [b"not a database, but long enough to be looked at" * 40, b"x"])
def test_a_file_that_is_no_database_is_made_anew(content, tmp_path):
    with opened(tmp_path) as cache:
        path = cache.path
    path.write_bytes(content)
    with opened(tmp_path) as cache:
        cache.put(entries(range(3)))
        assert_holds(cache, entries(range(3)))


def test_a_database_with_overwritten_pages_does_not_stop_a_run(tmp_path, caplog):
    with opened(tmp_path) as cache:
        cache.put(entries(range(500)))
        path = cache.path
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xaa" * (len(data) - 4096)
    path.write_bytes(data)
    with opened(tmp_path) as cache:
        cache.get(list(entries(range(500))))
        cache.put(entries(range(500)))
    with opened(tmp_path) as cache:  # by now it has been thrown away and made anew
        cache.put(entries(range(500)))
        assert_holds(cache, entries(range(500)))


def test_a_file_in_the_way_means_no_cache_and_one_warning(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with caplog.at_level(logging.WARNING), opened(blocked) as cache:
        assert not cache.usable
        cache.put(entries(range(3)))
        assert cache.get(list(entries(range(3)))) == {}
    assert len(caplog.records) == 1
    assert (
        caplog.records[0].getMessage().startswith(f"Embeddings are not cached: {cache.path} cannot be used (")
    )


def test_a_file_that_cannot_be_written_means_no_cache_and_one_warning(tmp_path, caplog):
    with opened(tmp_path) as cache:
        cache.path.with_name(cache.path.name + "x").touch()
        path = cache.path
    path.unlink()
    path.mkdir()  # permissions do not bind root, a folder in its place does
    with caplog.at_level(logging.WARNING), opened(tmp_path) as cache:
        assert not cache.usable
        cache.put(entries(range(3)))
    assert len(caplog.records) == 1


def test_a_full_disk_while_running_means_no_cache_and_one_warning(tmp_path, caplog):
    with opened(tmp_path) as cache:
        other = sqlite3.connect(cache.path)
        other.execute("DROP TABLE vectors")
        other.commit()
        other.close()
        with caplog.at_level(logging.WARNING):
            cache.put(entries(range(3)))
            cache.put(entries(range(3)))
            assert cache.get(list(entries(range(3)))) == {}
        assert not cache.usable
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "Embeddings are no longer cached"
    ]


def test_the_oldest_make_room(tmp_path):
    limit = 200_000
    with opened(tmp_path, max_bytes=limit) as cache:
        for start in range(0, 4000, 20):
            cache.put({content_key(str(i).encode()): vector(i, 100) for i in range(start, start + 20)})
        newest = [content_key(str(i).encode()) for i in range(3980, 4000)]
        assert len(cache.get(newest)) == 20
        assert cache.get([content_key(b"0")]) == {}
    assert cache.path.stat().st_size < 2 * limit


def test_threads_share_one_cache(tmp_path):
    with opened(tmp_path) as cache:

        def work(number: int) -> None:
            for start in range(number * 100, number * 100 + 100, 10):
                cache.put(entries(range(start, start + 10)))
                assert len(cache.get(list(entries(range(start, start + 10))))) == 10

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert_holds(cache, entries(range(400)))


WRITER = """
import sys
from pathlib import Path
import numpy as np
from rayon.encoders.cache import EmbeddingCache, content_key

folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
cache = EmbeddingCache(folder, {"name": "tiny", "version": 1}, "p/1")
assert cache.usable
print("ready", flush=True)
for start in range(first, first + count, 5):
    cache.put({
        content_key(str(i).encode()): np.random.default_rng(i).normal(size=8).astype(np.float32)
        for i in range(start, start + 5)
    })
    print(start + 5, flush=True)
"""


def writer(folder: Path, first: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_write_at_once(tmp_path):
    processes = [writer(tmp_path, first, 300) for first in (0, 300)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with opened(tmp_path) as cache:
        assert_holds(cache, entries(range(600)))


def test_a_killed_process_leaves_whole_entries(tmp_path):
    process = writer(tmp_path, 0, 1_000_000)
    assert process.stdout is not None
    written = 0
    while written < 200:
        line = process.stdout.readline().strip()
        written = int(line) if line.isdecimal() else written
    os.kill(process.pid, signal.SIGKILL)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    complete = [
        int(line)
        for line in rest.splitlines(keepends=True)
        if line.endswith("\n") and line.strip().isdecimal()
    ]
    written = max([written, *complete])
    with opened(tmp_path) as cache:
        assert cache.usable
        assert_holds(cache, entries(range(written)))
        cache.put(entries(range(written, written + 10)))
        assert_holds(cache, entries(range(written + 10)))


def test_a_killed_process_does_not_hold_the_lock(tmp_path):
    process = writer(tmp_path, 0, 1_000_000)
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    start = time.monotonic()
    with opened(tmp_path) as cache:
        cache.put(entries([7]))
        assert_holds(cache, entries([7]))
    assert time.monotonic() - start < 5
