"""Text files as they come: their encoding found or refused, their lines numbered and bounded."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections import deque
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from rayon.errors import CatalogueError

MAX_RECORD = 1_000_000
"""Characters that one line, or one quoted field over several lines, may hold before it is given up."""

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 1 << 20
_ENCODING_HINT = (
    "Save it as UTF-8, or say how it was written, for instance --encoding latin-1 or --encoding windows-1252"
)


def open_binary(path: Path) -> BinaryIO:
    """The bytes of a file, decompressed where its name ends in ``.gz``.

    Raises
    ------
    CatalogueError
        When there is no such file, or it may not be read.
    """
    try:
        return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")
    except FileNotFoundError:
        raise CatalogueError(f"There is no file {path}", "Check the path") from None
    except IsADirectoryError:
        raise CatalogueError(f"{path} is a folder, not a file", "Check the path") from None
    except PermissionError:
        raise CatalogueError(f"{path} may not be read", "Check its permissions") from None


def open_text(path: Path, encoding: str) -> TextIO:
    """The text of a file, with the line ends as they are."""
    return io.TextIOWrapper(open_binary(path), encoding=encoding, newline="")


def check_text(path: Path, encoding: str | None = None) -> tuple[str, int]:
    """Read a text file once from end to end, to know that it can be read.

    UTF-8 with or without a mark, and UTF-16 and UTF-32 with one, are recognised. Anything else must be
    named: guessing between the 8-bit encodings would silently spoil the accents.

    Parameters
    ----------
    path
        The file; a name that ends in ``.gz`` is decompressed.
    encoding
        What the user said, or ``None`` to find out.

    Returns
    -------
    tuple of str and int
        The encoding to open it with, and the number of its lines.

    Raises
    ------
    CatalogueError
        When the file is missing, empty, damaged, or in another encoding; then with the line of the first
        byte that does not fit.
    """
    name = _encoding(path, encoding)
    decoder = codecs.getincrementaldecoder(name)()
    feeds = returns = 0
    blank = True
    with open_binary(path) as stream:
        try:
            while chunk := stream.read(_CHUNK):
                text = decoder.decode(chunk)
                feeds, returns = feeds + text.count("\n"), returns + text.count("\r")
                blank = blank and not text.strip()
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            before = error.object[: error.start]
            line = 1 + max(feeds + before.count(b"\n"), returns + before.count(b"\r"))
            raise _undecodable(path, encoding, name, error.object[error.start], line) from None
        except (EOFError, OSError, zlib.error) as error:
            raise CatalogueError(f"{path} is damaged ({error})", "Copy or download it again") from None
    if blank:
        raise CatalogueError(f"{path} is empty", "Give a file with a line of column names and one of data")
    return name, max(feeds, returns) + 1


def _encoding(path: Path, asked: str | None) -> str:
    if asked is not None:
        try:
            name = codecs.lookup(asked).name
            codecs.getincrementaldecoder(name)
        except LookupError:
            raise CatalogueError(
                f"There is no text encoding {asked!r}", "Common ones are utf-8, latin-1, windows-1252, utf-16"
            ) from None
        return "utf-8-sig" if name == "utf-8" else name
    try:
        with open_binary(path) as stream:
            head = stream.read(4096)
    except (EOFError, OSError, zlib.error) as error:
        raise CatalogueError(f"{path} is damaged ({error})", "Copy or download it again") from None
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    if head.count(0) * 4 > len(head):
        raise CatalogueError(
            f"{path} is not UTF-8 text: a quarter or more of its first bytes are NUL",
            "If it is UTF-16 without a mark, pass --encoding utf-16-le; else save it as UTF-8",
        )
    return "utf-8-sig"


def _undecodable(path: Path, asked: str | None, name: str, byte: int, line: int) -> CatalogueError:
    shown = asked or {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "utf-32": "UTF-32"}[name]
    return CatalogueError(f"{path} is not {shown}: byte 0x{byte:02X} on line {line}", _ENCODING_HINT)


class LineFeed:
    """The lines of a text file, numbered from 1; some can be put back to be read again.

    A line longer than `MAX_RECORD` characters is cut there, the rest of it skipped, and `cut` set.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: deque[str] = deque()
        self.number = 0
        self.cut = False

    def next(self) -> str | None:
        """The next line with its end, or ``None`` after the last one."""
        self.cut = False
        if self._waiting:
            self.number += 1
            return self._waiting.popleft()
        line = self._stream.readline(MAX_RECORD)
        if not line:
            return None
        self.number += 1
        if len(line) >= MAX_RECORD and line[-1] not in "\r\n":
            self.cut = True
            rest = line
            while rest and rest[-1] not in "\r\n":
                rest = self._stream.readline(MAX_RECORD)
        return line

    def put_back(self, lines: list[str]) -> None:
        """Give back the last lines that were read, in their order."""
        self._waiting.extendleft(reversed(lines))
        self.number -= len(lines)
