"""Pictures, kept once each under the SHA-256 of their bytes."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from datetime import datetime
from pathlib import Path

from rayon.errors import NotFoundError, StoreUnavailableError

_DIGEST = re.compile(r"[0-9a-f]{64}")


class ImageStore:
    """A folder of pictures, each in a file named by its content.

    Parameters
    ----------
    folder
        Made when the first picture comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, data: bytes) -> str:
        """Keep a picture, durably, and give its SHA-256; the same bytes are kept once.

        Raises
        ------
        StoreUnavailableError
            When it cannot be written; nothing is left behind.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
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
            ) from None
        return digest

    def get(self, digest: str) -> bytes:
        """Give the bytes back.

        Raises
        ------
        NotFoundError
            When there is no such picture.
        """
        try:
            if _DIGEST.fullmatch(digest):
                return self._path(digest).read_bytes()
        except FileNotFoundError:
            pass
        raise NotFoundError(f"There is no picture {digest[:80]!r}", "It may have been erased")

    def remove(self, digest: str, untouched_since: datetime) -> bool:
        """Remove a picture, unless somebody has put it since a moment; whether it was removed."""
        path = self._path(digest)
        try:
            if not _DIGEST.fullmatch(digest) or path.stat().st_mtime >= untouched_since.timestamp():
                return False
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.jpg"
