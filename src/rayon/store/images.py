"""Pictures, kept once each under the SHA-256 of their bytes."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from rayon.errors import NotFoundError, StoreUnavailableError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_ERASED = "It may have been erased"


class ImageStore(Protocol):
    """Where pictures are kept, each under its content; `open_images` gives one."""

    def put(self, data: bytes) -> str:
        """Keep a picture, durably, and give its SHA-256; the same bytes are kept once.

        Raises
        ------
        StoreUnavailableError
            When it cannot be written; nothing is left behind.
        """

    def get(self, digest: str) -> bytes:
        """Give the bytes back.

        Raises
        ------
        NotFoundError
            When there is no such picture.
        StoreUnavailableError
            When the place cannot be reached.
        """

    def remove(self, digest: str, untouched_since: datetime) -> bool:
        """Remove a picture, unless somebody has put it since a moment; whether it was removed."""

    def digests(self) -> Iterator[str]:
        """All pictures that are there, in no order."""


def open_images(location: str | Path) -> ImageStore:
    """Open the place of pictures: a folder, or what an fsspec address names, such as ``s3://bucket/images``.

    Raises
    ------
    MissingExtraError
        When the address needs a package that is not installed.
    StoreError
        When it cannot be understood.
    """
    if isinstance(location, str) and location.startswith("file://"):
        return FolderImageStore(Path(location.removeprefix("file://")))
    if isinstance(location, str) and "://" in location:
        from rayon.store.remote_images import RemoteImageStore  # an extra: imported only when used

        return RemoteImageStore(location)
    return FolderImageStore(Path(location))


def image_name(digest: str) -> str:
    """Where a picture lies in its place; folders of the first two digits keep each small.

    Raises
    ------
    NotFoundError
        When this is no SHA-256.
    """
    if not _DIGEST.fullmatch(digest):
        raise NotFoundError(f"There is no picture {digest[:80]!r}", _ERASED)
    return f"{digest[:2]}/{digest}.jpg"


class FolderImageStore:
    """A folder of pictures.

    Parameters
    ----------
    folder
        Made when the first picture comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, data: bytes) -> str:
        """See `ImageStore`."""
        digest = hashlib.sha256(data).hexdigest()
        path = self.folder / image_name(digest)
        if path.is_file():
            path.touch()  # it is used again, so that `remove` leaves it alone
            return digest
        draft = path.with_name(f".{digest}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with draft.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailableError(
                f"The picture cannot be kept in {self.folder} ({error.strerror})",
                "Make room or mend the permissions, then try again",
                public=f"The picture cannot be kept at the moment ({error.strerror})",
            ) from None
        return digest

    def get(self, digest: str) -> bytes:
        """See `ImageStore`."""
        try:
            return (self.folder / image_name(digest)).read_bytes()
        except FileNotFoundError:
            raise NotFoundError(f"There is no picture {digest[:80]!r}", _ERASED) from None

    def remove(self, digest: str, untouched_since: datetime) -> bool:
        """See `ImageStore`."""
        path = self.folder / image_name(digest)
        try:
            if path.stat().st_mtime >= untouched_since.timestamp():
                return False
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    def digests(self) -> Iterator[str]:
        """See `ImageStore`."""
        for path in self.folder.glob("??/*.jpg"):
            if _DIGEST.fullmatch(path.stem):
                yield path.stem
