"""Finding predictions by the words of their listings: FTS5 in SQLite, a GIN index in PostgreSQL.

Words are made here and not in the database, so that both find the same: without markup, case and accents.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    cast,
    column,
    exists,
    false,
    func,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from rayon.data.text import TextPreprocessor
from rayon.store.tables import predictions, search_texts

MAX_SEARCH = 200
"""Characters that a search may have."""

WORDS_OF_DESCRIPTION = 200
"""Words of a description by which it is found."""

_LONGEST_WORD = 64
_PREPROCESSOR = TextPreprocessor(max_title=2000)
_COMMON = 5000
"""A search that finds more than this has words that are everywhere."""

_ROW = column("rowid", Integer)
_INDEX = table("search_index", _ROW)
_WORDS: ColumnElement[Any] = literal_column("search_texts.words")


def search_text(designation: str, description: str, productid: str, imageid: str) -> str:
    """Give the words by which a listing is found, each once."""
    found = [*_words(designation), *_words(productid), *_words(imageid)]
    found += _words(description)[:WORDS_OF_DESCRIPTION]
    return " ".join(dict.fromkeys(found))


def is_found(connection: Connection, search: str) -> ColumnElement[bool]:
    """Make the condition that a prediction has all words of a search, the last one as a prefix.

    A search without any word finds nothing.
    """
    wanted = _words(search[:MAX_SEARCH])
    if not wanted:
        return false()
    if connection.dialect.name == "sqlite":
        return _is_in_sqlite(connection, " AND ".join(f'"{word}"' for word in wanted) + "*")
    query = " & ".join(f"'{word}'" for word in wanted) + ":*"
    matches = _WORDS.op("@@")(cast(literal(query), TSQUERY))
    return predictions.c.id.in_(select(search_texts.c.prediction_id).where(matches))


def _is_in_sqlite(connection: Connection, query: str) -> ColumnElement[bool]:
    """The condition that leads to few predictions, or else the one that is asked of each in turn.

    SQLite cannot tell beforehand how many there will be.
    """
    rows = select(_ROW).select_from(_INDEX).where(literal_column("search_index").op("MATCH")(query))
    found = connection.execute(select(func.count()).select_from(rows.limit(_COMMON + 1).subquery()))
    if found.scalar_one() <= _COMMON:
        return predictions.c.id.in_(select(search_texts.c.prediction_id).where(search_texts.c.id.in_(rows)))
    number = literal_column("+search_texts.id", Integer)
    return exists().where(search_texts.c.prediction_id == predictions.c.id, number.in_(rows))


def _words(text: str) -> list[str]:
    return [word[:_LONGEST_WORD] for word in _PREPROCESSOR.normalise(text).split()]
