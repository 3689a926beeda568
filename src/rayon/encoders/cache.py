"""Embeddings kept on disk by content.

One SQLite file an encoder: the file's name says which encoder and which preprocessing made the vectors, the
key of a row is the SHA-256 of the encoded picture, or of the text. SQLite's write-ahead log keeps the file
whole when a process is killed, and lets several processes share it. A cache never fails a run: what is
damaged is encoded anew, and where the folder cannot be used Rayon says so once and goes on without.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

MAX_BYTES = 2 * 1024**3
"""Size in bytes from which the oldest vectors of an encoder make room for new ones."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL, digest BLOB NOT NULL)
"""
_EVICTED_SHARE = 10
_DIGEST_BYTES = 8
_KEYS_A_QUERY = 500
_WAIT_SECONDS = 10.0


def content_key(data: bytes) -> bytes:
    """Key of an encoded picture or a text: the SHA-256 of its bytes."""
    return hashlib.sha256(data).digest()


class EmbeddingCache:
    """Vectors of one encoder on disk; safe to share between threads and processes.

    Parameters
    ----------
    folder
        Where the file lies; made where it is missing.
    encoder
        The encoder's `spec()`.
    preprocessing
        Version of what turns bytes into pixels, or listings into texts.
    max_bytes
        Size from which the oldest vectors are dropped.
    """

    def __init__(
        self, folder: Path, encoder: Mapping[str, Any], preprocessing: str, *, max_bytes: int = MAX_BYTES
    ) -> None:
        identity = json.dumps([dict(encoder), preprocessing], sort_keys=True)
        digest = hashlib.sha256(identity.encode()).hexdigest()[:32]
        self.path = folder / f"{encoder['name']}-{digest}.sqlite"
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._connection = self._open()

    @property
    def usable(self) -> bool:
        """Whether vectors are read and written; ``False`` where the folder cannot be used."""
        return self._connection is not None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Vectors of the keys that are known and intact."""
        found: dict[bytes, NDArray[np.float32]] = {}
        for start in range(0, len(keys), _KEYS_A_QUERY):
            part = keys[start : start + _KEYS_A_QUERY]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, vector, digest FROM vectors WHERE key IN ({marks})"  # noqa: S608  # only marks
            for key, vector, digest in self._execute(query, part):
                if _is_intact(key, vector, digest):
                    found[key] = np.frombuffer(vector, dtype="<f4").astype(np.float32)
        return found

    def put(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        """Keep vectors, all of them or none; damaged ones of the same keys are replaced."""
        rows = []
        for key, vector in vectors.items():
            data = vector.astype("<f4").tobytes()
            rows.append((key, data, _digest(key, data)))
        if not rows:
            return
        with self._lock:
            if self._connection is None:
                return
            try:
                with self._connection as transaction:
                    transaction.execute("BEGIN IMMEDIATE")
                    self._make_room(transaction)
                    transaction.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
            except sqlite3.Error as error:
                self._give_up(error)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> EmbeddingCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> sqlite3.Connection | None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return self._connect()
            except sqlite3.OperationalError:  # no permission, no space, locked: not the file's fault
                raise
            except sqlite3.DatabaseError:
                self._remove()
                return self._connect()
        except (OSError, sqlite3.Error) as error:
            logger.warning("Embeddings are not cached: %s cannot be used (%s)", self.path, error)
            return None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(_SCHEMA)
            with connection:
                connection.execute("BEGIN IMMEDIATE")  # a file that cannot be written is found out now
        except BaseException:
            connection.close()
            raise
        return connection

    def _execute(self, query: str, values: Sequence[bytes]) -> list[tuple[bytes, bytes, bytes]]:
        with self._lock:
            if self._connection is None:
                return []
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.Error as error:
                self._give_up(error)
                return []

    def _make_room(self, transaction: sqlite3.Connection) -> None:
        # Free pages are used again, so that the file stops growing once it has reached its size.
        (pages,) = transaction.execute("PRAGMA page_count").fetchone()
        (free,) = transaction.execute("PRAGMA freelist_count").fetchone()
        (page_size,) = transaction.execute("PRAGMA page_size").fetchone()
        if (pages - free) * page_size >= self._max_bytes:
            (rows,) = transaction.execute("SELECT count(*) FROM vectors").fetchone()
            transaction.execute(
                "DELETE FROM vectors WHERE rowid IN (SELECT rowid FROM vectors ORDER BY rowid LIMIT ?)",
                (rows // _EVICTED_SHARE + 1,),
            )

    def _give_up(self, error: sqlite3.Error) -> None:
        logger.warning("Embeddings are no longer cached: %s cannot be used (%s)", self.path, error)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            self._remove()  # a malformed file would fail every later run as well

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


def _digest(key: bytes, vector: bytes) -> bytes:
    return hashlib.sha256(key + vector).digest()[:_DIGEST_BYTES]


def _is_intact(key: Any, vector: Any, digest: Any) -> bool:
    return isinstance(vector, bytes) and len(vector) % 4 == 0 and digest == _digest(key, vector)
