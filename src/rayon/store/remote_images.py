"""Pictures elsewhere: in whatever fsspec reaches, such as S3, Google Cloud Storage, Azure or SFTP."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from rayon.errors import MissingExtraError, NotFoundError, StoreError, StoreUnavailableError
from rayon.store.images import image_name


class RemoteImageStore:
    """Pictures below an fsspec address; see `rayon.store.images.ImageStore`.

    Parameters
    ----------
    url
        Such as ``s3://bucket/images``. Credentials are found as the package of its protocol finds them.

    Raises
    ------
    MissingExtraError
        When fsspec, or the package of the protocol, is not installed.
    StoreError
        When there is no such protocol.
    """

    def __init__(self, url: str) -> None:
        try:
            import fsspec
        except ModuleNotFoundError:
            raise MissingExtraError("fsspec", f"Keeping pictures at {url}") from None
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise StoreError(
                f"Pictures cannot be kept at {url} ({error})", "Install that package with pip"
            ) from None
        except Exception as error:  # each protocol has errors of its own
            raise StoreError(
                f"Pictures cannot be kept at {url} ({error})",
                "Give a folder, or an address such as s3://BUCKET/images",
            ) from None
        self._url = url
        self._whole_at_once = not _IN_PLACE.isdisjoint(_protocols(self._files))

    def put(self, data: bytes) -> str:
        """See `ImageStore`."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        with self._reached("kept"):
            # Written again where it is there already: the new date keeps `remove` from taking it.
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            if self._whole_at_once:
                self._files.pipe_file(path, data)
            else:  # nobody may read half of it meanwhile
                draft = f"{path}.{secrets.token_hex(4)}"
                self._files.pipe_file(draft, data)
                self._files.mv(draft, path)
        return digest

    def get(self, digest: str) -> bytes:
        """See `ImageStore`."""
        path = self._path(digest)
        with self._reached("fetched"):
            try:
                data: bytes = self._files.cat_file(path)
            except FileNotFoundError:
                raise NotFoundError(f"There is no picture {digest!r}", "It may have been erased") from None
        return data

    def remove(self, digest: str, untouched_since: datetime) -> bool:
        """See `ImageStore`."""
        path = self._path(digest)
        with self._reached("removed"):
            try:
                if _aware(self._files.modified(path)) >= untouched_since:
                    return False
                self._files.rm_file(path)
            except FileNotFoundError:
                return False
        return True

    def digests(self) -> Iterator[str]:
        """See `ImageStore`."""
        with self._reached("listed"):
            found = self._files.find(self._root)
        for path in found:
            name = path.rpartition("/")[2].removesuffix(".jpg")
            with suppress(NotFoundError):
                image_name(name)
                yield name

    def _path(self, digest: str) -> str:
        return f"{self._root.rstrip('/')}/{image_name(digest)}"

    @contextmanager
    def _reached(self, what: str) -> Iterator[None]:
        try:
            yield
        except NotFoundError:
            raise
        except Exception as error:  # each protocol has errors of its own
            raise StoreUnavailableError(
                f"The picture cannot be {what} at {self._url} ({type(error).__name__}: {error})"[:400],
                "Try again in a moment; if it stays so, look at the address and its credentials",
                public=f"The picture cannot be {what} at the moment",
            ) from error


_IN_PLACE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "adl", "memory"}
"""Protocols of stores where an object appears as a whole."""


def _protocols(files: Any) -> set[str]:
    return {files.protocol} if isinstance(files.protocol, str) else set(files.protocol)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
