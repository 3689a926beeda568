from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rayon.errors import NotFoundError, StoreError, StoreUnavailableError
from rayon.store.images import FolderImageStore, ImageStore, open_images

FUTURE = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(params=["folder", "file", "local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ImageStore:
    if request.param == "folder":
        return open_images(tmp_path / "images")
    if request.param == "file":
        return open_images(f"file://{tmp_path}/images")
    pytest.importorskip("fsspec", reason="fsspec is not installed: pip install fsspec")
    return open_images(f"{request.param}://{tmp_path}/images")


def test_pictures_come_back_by_their_content_and_are_kept_once(store: ImageStore) -> None:
    digest = store.put(b"picture")
    assert digest == hashlib.sha256(b"picture").hexdigest()
    assert store.put(b"picture") == digest
    assert store.get(digest) == b"picture"
    assert list(store.digests()) == [digest]
    assert store.remove(digest, FUTURE)
    assert list(store.digests()) == []
    with pytest.raises(NotFoundError, match="There is no picture"):
        store.get(digest)
    assert not store.remove(digest, FUTURE)


def test_what_was_put_again_stays(store: ImageStore) -> None:
    moment = datetime.now(UTC) - timedelta(minutes=1)
    digest = store.put(b"picture")
    assert not store.remove(digest, moment)
    assert store.get(digest) == b"picture"


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", "", "0" * 63, "A" * 64])
def test_nothing_else_can_be_fetched(store: ImageStore, digest: str) -> None:
    with pytest.raises(NotFoundError, match="There is no picture"):
        store.get(digest)


@pytest.mark.parametrize(
    ("location", "error", "message"),
    [
        ("nothing://x", StoreError, r"Pictures cannot be kept at nothing://x \(Protocol not known: nothing"),
        ("s3://bucket/x", StoreError, r"Pictures cannot be kept at s3://bucket/x \(Install s3fs"),
    ],
)
def test_places_that_cannot_be_opened(location: str, error: type[Exception], message: str) -> None:
    pytest.importorskip("fsspec", reason="fsspec is not installed: pip install fsspec")
    with pytest.raises(error, match=message):
        open_images(location)


def test_a_place_that_cannot_be_reached_says_so(tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="fsspec is not installed: pip install fsspec")
    (tmp_path / "images").write_text("a file is in the way of the folder")
    with pytest.raises(
        StoreUnavailableError, match=r"The picture cannot be kept at local://.*FileExists|NotADir"
    ):
        open_images(f"local://{tmp_path}/images").put(b"picture")


def test_a_closed_folder_says_so_and_keeps_nothing(closed: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r"The picture cannot be kept in .*Permission denied"):
        FolderImageStore(closed).put(b"picture")
    assert list(closed.iterdir()) == []
