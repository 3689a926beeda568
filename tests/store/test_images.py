from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rayon.errors import NotFoundError, StoreUnavailableError
from rayon.store.images import ImageStore


def test_pictures_come_back_by_their_content_and_are_kept_once(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "images")
    digest = store.put(b"picture")
    assert digest == hashlib.sha256(b"picture").hexdigest()
    assert store.put(b"picture") == digest
    assert store.get(digest) == b"picture"
    assert len([path for path in store.folder.rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", "", "0" * 63, "A" * 64])
def test_nothing_else_can_be_fetched(tmp_path: Path, digest: str) -> None:
    with pytest.raises(NotFoundError, match="There is no picture"):
        ImageStore(tmp_path).get(digest)


def test_a_closed_folder_says_so_and_keeps_nothing(closed: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r"The picture cannot be kept in .*Permission denied"):
        ImageStore(closed).put(b"picture")
    assert list(closed.iterdir()) == []
