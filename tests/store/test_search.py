"""Predictions are found by the words of their listings, the same in either kind of database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, insert, text

from rayon.store.database import Database
from rayon.store.identifiers import new_id
from rayon.store.predictions import (
    PredictionFilter,
    StoredPrediction,
    add_predictions,
    list_predictions,
)
from rayon.store.schema import downgrade_schema, upgrade_schema
from rayon.store.search import search_text
from rayon.store.tables import predictions

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def listing(designation: str, **values: object) -> StoredPrediction:
    plain = StoredPrediction(
        id=new_id(),
        created_at=NOW,
        user_id=None,
        designation=designation,
        description="",
        productid="",
        imageid="",
        image=None,
        code="10",
        label="Books",
        confidence=0.5,
        decision="accept",
        reason="confident",
        threshold=0.4,
        modalities=["text"],
        degraded=False,
        alternatives=[],
        scores={},
        error="",
        model_version="v",
        queued_for=None,
        audit_probability=0.01,
    )
    return replace(plain, **values)  # type: ignore[arg-type]


def put(database: Database, *rows: StoredPrediction) -> None:
    with database.write() as connection:
        add_predictions(connection, rows)


def find(database: Database, search: str, limit: int = 100, **others: str | None) -> list[str]:
    with database.read() as connection:
        wanted = PredictionFilter(search=search, **others)  # type: ignore[arg-type]
        return [one.designation for one in list_predictions(connection, wanted, limit)]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("été", ["Chaise d'Été pliante"]),
        ("ETE pliante", ["Chaise d'Été pliante"]),
        ("pliante, chaise!", ["Chaise d'Été pliante"]),
        ("pli", ["Chaise d'Été pliante"]),
        ("pli chaise", []),  # only the last word may be a beginning
        ("hauss", ["Ballon_de 灯 мяч"]),  # of a word of the description
        ("4711", ["Ballon_de 灯 мяч"]),
        ("img-12", ["Ballon_de 灯 мяч"]),
        ("img 13", []),
        ("МЯ", ["Ballon_de 灯 мяч"]),
        ("灯", ["Ballon_de 灯 мяч"]),
        ("b", ["Ballon_de 灯 мяч"]),
        ("strong", []),  # markup
        ("oreiller", ["Taie d’Oreiller – cœur 50×60"]),
        ("d'oreiller", ["Taie d’Oreiller – cœur 50×60"]),
        ("coeur", ["Taie d’Oreiller – cœur 50×60"]),
        ("CŒUR 60", ["Taie d’Oreiller – cœur 50×60"]),
        ("ballon de", ["Ballon_de 灯 мяч"]),
        ("", []),
        (" ?! ", []),
        ('"', []),
        ("chaise' | 'x", []),
        ('chaise" OR "hausse', []),
        ("chaise NOT", []),
        ("text:chaise", []),
        ("\0", []),
        ("chaise " + "très " * 60, []),
    ],
)
def test_a_search_finds_listings_that_have_all_its_words(
    database: Database, search: str, found: list[str]
) -> None:
    put(
        database,
        listing("Chaise d'Été pliante"),
        listing("Taie d’Oreiller – cœur 50×60"),
        listing(
            "Ballon_de 灯 мяч", description="<strong>Haussé</strong>", productid="4711", imageid="IMG-12.jpg"
        ),
    )
    assert find(database, search) == found


def test_words_are_noted_once_and_cut_where_nobody_types_them() -> None:
    assert search_text("Lampe LAMPE rouge", "rouge " * 300 + "fin", "Lampe", "x" * 200) == (
        "lampe rouge " + "x" * 64
    )


def test_a_search_goes_together_with_filters_and_pages(database: Database) -> None:
    rows = [
        listing(f"Lampe {n}", code="10" if n % 2 else "20", id=id)
        for n, id in enumerate(sorted(new_id() for _ in range(6)))
    ]
    put(database, *rows, listing("Chaise"))
    assert find(database, "lampe") == [f"Lampe {n}" for n in (5, 4, 3, 2, 1, 0)]
    assert find(database, "lampe", code="10") == ["Lampe 5", "Lampe 3", "Lampe 1"]
    assert find(database, "lampe", 2, before=rows[4].id) == ["Lampe 3", "Lampe 2"]
    with database.write() as connection:
        connection.execute(delete(predictions).where(predictions.c.id == rows[4].id))
    assert find(database, "lampe", 2, before=rows[4].id) == ["Lampe 3", "Lampe 2"]


def test_words_that_are_everywhere_are_found_as_well(database: Database) -> None:
    ids = sorted(new_id() for _ in range(5200))
    rows = [
        listing(
            f"objet {n}", id=id, code="20" if n in (7, 5000) else "10", description="rare" if n == 7 else ""
        )
        for n, id in enumerate(ids)
    ]
    put(database, *rows)
    assert find(database, "obj", 3) == ["objet 5199", "objet 5198", "objet 5197"]
    assert find(database, "objet", code="20") == ["objet 5000", "objet 7"]
    assert find(database, "objet", code="20", before=ids[5000]) == ["objet 7"]
    assert find(database, "objet", code="30") == []
    assert find(database, "objet rare") == ["objet 7"]


def test_what_is_erased_is_found_no_more(database: Database) -> None:
    rows = [listing(f"Lampe {n}") for n in range(20)]
    for row in rows:  # each in a part of the index of its own
        put(database, row)
    with database.write() as connection:
        connection.execute(delete(predictions).where(predictions.c.id != rows[3].id))
    database.settle()
    assert find(database, "lampe") == ["Lampe 3"]
    put(database, listing("Lampe neuve"))
    assert find(database, "lampe") == ["Lampe neuve", "Lampe 3"]
    if database.is_sqlite:
        with database.write() as connection:  # an error, where the index is not that of the words
            connection.execute(
                text("INSERT INTO search_index(search_index, rank) VALUES ('integrity-check', 1)")
            )


def test_what_was_stored_before_there_was_a_search_is_found(database: Database) -> None:
    downgrade_schema(database, "0009")
    columns = set(StoredPrediction.__slots__)
    rows = [listing(f"Étagère {n}") for n in range(3)]
    with database.write() as connection:
        connection.execute(
            insert(predictions), [{name: getattr(row, name) for name in columns} for row in rows]
        )
    upgrade_schema(database)
    assert sorted(find(database, "etag")) == ["Étagère 0", "Étagère 1", "Étagère 2"]
    assert find(database, "etagere 1") == ["Étagère 1"]
