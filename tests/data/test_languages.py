"""The guess at a listing's language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayon.data.languages import LANGUAGES, OTHER, UNKNOWN, count_languages, guess_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Lampe de bureau en métal pour la chambre", "fr"),
        ("The Lord of the Rings and other books", "en"),
        ("Kissen für das Sofa mit schwarzem Bezug und Füllung", "de"),
        ("Juego de cocina para niños con los accesorios", "es"),
        ("Il gioco della cucina per i bambini", "it"),
        ("<p>Livr&eacute;e sans <b>ampoule</b></p>", "fr"),
        ("Настольная лампа", OTHER),
        ("日本語の本", OTHER),
        ("XJ-4000 Pro", UNKNOWN),
        ("12 345", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_guess(text: str, language: str) -> None:
    assert guess_language(text) == language


@given(st.text(max_size=100))
def test_any_text_has_an_answer(text: str) -> None:
    assert guess_language(text) in {*LANGUAGES, OTHER, UNKNOWN}


def test_counts_leave_out_what_is_empty() -> None:
    texts = ["Le livre de la maison", "Les jouets des enfants", "the game and the book", " "]
    assert list(count_languages(texts).items()) == [("fr", 2), ("en", 1)]
