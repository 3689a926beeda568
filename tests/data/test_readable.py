"""Texts of listings as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayon.data.readable import readable


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", ""),
        ("Chaise & table, 3 < 4", "Chaise & table, 3 < 4"),
        ("Compl&egrave;te &amp;agrave; peindre", "Complète à peindre"),
        ("rc.&lt;br /&gt;Maquette", "rc.\nMaquette"),
        ("<p><b>Une</b> <i class='x'>table</i></p><ul><li>ronde</li></ul>", "\nUne table\nronde\n"),
        ("deux<br>lignes<BR/>\n trois", "deux\nlignes\ntrois"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("&lt;img src=x onerror=alert(1)&gt;", "<img src=x onerror=alert(1)>"),
        ("<pre> and <bold> are not for us", "<pre> and <bold> are not for us"),
    ],
)
def test_entities_and_formatting_are_read(text: str, read: str) -> None:
    assert readable(text) == read


@given(st.text().filter(lambda text: "&" not in text and "<" not in text))
def test_plain_texts_stay_as_they_are(text: str) -> None:
    assert readable(text) == text


def test_long_texts_are_read_at_once() -> None:
    text = " " * 2_000_000 + "<br" * 30_000 + "<br> " * 30_000 + "&" * 100_000
    assert readable(text).count("<br") == 30_000
