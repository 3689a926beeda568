"""One record of a CSV file at a time, with the place of every mistake.

The standard library's reader would do for good files. It cannot say where a quote that is never closed was
opened, it swallows the rows behind that quote, and its limit on the length of a field is one global of the
whole process. On well-formed input this parser gives the same fields (RFC 4180), and the tests hold it to
that.
"""

from __future__ import annotations

from dataclasses import dataclass

from rayon.data.textfiles import MAX_RECORD, LineFeed


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one record, or as many as could be read and what is wrong with the rest."""

    line: int
    last_line: int
    fields: list[str]
    problem: str | None = None


def read_record(feed: LineFeed, delimiter: str) -> Record | None:
    """Read the next record; ``None`` after the last one, lines without anything in them left out.

    A quote that is opened and not properly closed spoils the row it stands in and no other: reading goes
    on with the line after it.

    Parameters
    ----------
    feed
        The lines.
    delimiter
        The character between two fields.
    """
    line = feed.next()
    while line is not None and not line.strip("\r\n"):
        line = feed.next()
    if line is None:
        return None
    start = feed.number
    if feed.cut:
        return Record(start, start, line.split(delimiter), f"is longer than {MAX_RECORD:,} characters")
    text = line.rstrip("\r\n")
    if '"' not in text:
        return Record(start, start, text.split(delimiter))
    return _read_quoted(feed, delimiter, line, text)


def _read_quoted(feed: LineFeed, delimiter: str, line: str, text: str) -> Record:
    start = feed.number
    fields: list[str] = []
    position = 0
    while True:
        if not text.startswith('"', position):
            end = text.find(delimiter, position)
            fields.append(text[position:] if end < 0 else text[position:end])
            if end < 0:
                return Record(start, feed.number, fields)
            position = end + 1
            continue
        opened = feed.number
        field, line, text, position, behind = _quoted_field(feed, line, text, position + 1)
        if field is None:
            feed.put_back(behind)
            return Record(
                start, opened, fields, f"has a quote that is opened on line {opened} and never closed"
            )
        fields.append(field)
        if position == len(text):
            return Record(start, feed.number, fields)
        if text[position] != delimiter:
            feed.put_back(behind)
            problem = (
                f"has a quote that is opened on line {opened} and not properly closed"
                if behind
                else 'has text after a closing quote; a quote inside a quoted field is written twice ("")'
            )
            return Record(start, opened, fields, problem)
        position += 1


def _quoted_field(
    feed: LineFeed, line: str, text: str, position: int
) -> tuple[str | None, str, str, int, list[str]]:
    """The field whose opening quote stands before `position`.

    Returns the field, or ``None`` when its end is not found; the line and its text where it ends; the
    position behind the closing quote; and the lines read beyond the one where it began.
    """
    parts: list[str] = []
    behind: list[str] = []
    size = 0
    while True:
        end = text.find('"', position)
        if end < 0:
            parts.append(line[position:])
            size += len(line)
            more = None if size > MAX_RECORD or feed.cut else feed.next()
            if more is None:
                return None, line, text, position, behind
            line, text, position = more, more.rstrip("\r\n"), 0
            behind.append(line)
        elif text.startswith('"', end + 1):
            parts.append(text[position : end + 1])
            position = end + 2
        else:
            parts.append(text[position:end])
            return "".join(parts), line, text, end + 1, behind
