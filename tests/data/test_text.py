from __future__ import annotations

import dataclasses
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rayon.data.listings import Listing
from rayon.data.text import RAW_FACTOR, TextPreprocessor

PREPROCESSOR = TextPreprocessor()
MARKUP = st.lists(
    st.sampled_from(
        [
            "<p>",
            "</b>",
            "&amp;",
            "&lt;br&gt;",
            "&#39;",
            "é",
            "E\u0301",
            "œ",
            "ß",
            " ",
            "\0",
            "x",
            "42",
            "<!--",
            "-->",
        ]
    )
).map("".join)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Piscine Ronde", "piscine ronde"),
        ("L'éléphant À Poche", "l elephant a poche"),
        ("Vis M8 <br/>inox<b>fort</b>", "vis m8 inox fort"),
        ("c&#339;ur &eacute;l&egrave;ve", "coeur eleve"),
        ("l&amp;#39;eau &amp;amp; &amp;lt;p&amp;gt;vin", "l eau vin"),
        ("Œuvre æther Straße Łódź Smørrebrød", "oeuvre aether strasse lodz smorrebrod"),
        ("ﬁn ½ m² №5 Ⅳ", "fin 1 2 m2 no5 iv"),
        ("a < b & c > d", "a b c d"),
        ("T-shirt_XL — «neuf»…", "t shirt xl neuf"),
        ("nul\x00octet\x07cloche\ttab\nligne", "nul octet cloche tab ligne"),
        ("mo\u00adlle zéro\u200blargeur", "molle zerolargeur"),
        ("<script>alert('x')</script>Lampe<style>p{}</style>", "lampe"),
        ("<!-- note -->Roman", "roman"),
        ("Ｆｕｌｌｗｉｄｔｈ", "fullwidth"),
        ("任天堂 スイッチ", "任天堂 スイッチ"),
        ("İstanbul ΜΆΪΟΣ Ёлка", "istanbul μαιοσ елка"),
        ("हिन्दी किताब", "हिन्दी किताब"),
        ("", ""),
        (" \u3000 ", ""),
    ],
)
def test_texts_become_plain_words(raw: str, clean: str) -> None:
    assert PREPROCESSOR.normalise(raw) == clean


@given(st.text() | MARKUP)
@example("&amp;amp;amp;amp;amp;lt;p&amp;gt;")
@example("\u0345\u0300")
@example("ŉ ẞ ǰ ΐ")
def test_normalising_twice_changes_nothing(raw: str) -> None:
    once = PREPROCESSOR.normalise(raw)
    assert PREPROCESSOR.normalise(once) == once


@given(st.text(st.characters(codec=None)) | MARKUP, st.integers(1, 30))
def test_normalised_text_is_words_between_single_spaces(raw: str, limit: int) -> None:
    clean = PREPROCESSOR.normalise(raw, limit)
    assert len(clean) <= limit
    assert clean == " ".join(clean.split())
    assert not set(clean) & set("<>&;\0\t\n_'\"-")
    assert all(unicodedata.category(character)[0] in "LNM " or character == " " for character in clean)


@given(st.text(), st.text(), st.text())
def test_any_listing_is_taken(title: str, description: str, other: str) -> None:
    listing = Listing(title, description)
    assert PREPROCESSOR.title(listing) == PREPROCESSOR.title(Listing(title, other))
    assert PREPROCESSOR.description(listing) == PREPROCESSOR.description(Listing(other, description))


def test_composed_and_decomposed_forms_are_one() -> None:
    for text in ("Déjà vu Ünïcode", "한국어 책", "Ёж"):
        forms = {PREPROCESSOR.normalise(unicodedata.normalize(form, text)) for form in ("NFC", "NFD", "NFKC")}
        assert len(forms) == 1


def test_title_and_description_have_their_own_limits() -> None:
    preprocessor = TextPreprocessor(max_title=5, max_description=3)
    listing = Listing("abcdefgh", "stuvwxyz")
    assert (preprocessor.title(listing), preprocessor.description(listing)) == ("abcde", "stu")


def test_only_the_beginning_of_absurd_texts_is_looked_at() -> None:
    filler = "x" * (PREPROCESSOR.max_title * RAW_FACTOR)
    assert PREPROCESSOR.normalise(f"{filler} tail") == "x" * PREPROCESSOR.max_title


@pytest.mark.parametrize(
    "unit", ["<", "&", "<p", "<!--", "&amp;", "<script>", "é", "a\u0301", "\u200b", "_-", "&#"]
)
def test_ten_megabytes_of_anything_count_no_more_than_their_beginning(unit: str) -> None:
    text = unit * (10_000_000 // len(unit))
    beginning = text[: PREPROCESSOR.max_title * RAW_FACTOR]
    assert PREPROCESSOR.normalise(text) == PREPROCESSOR.normalise(beginning)
    assert PREPROCESSOR.tokens(text) == PREPROCESSOR.tokens(beginning)


def test_preprocessor_is_frozen_and_comes_back_from_its_parameters() -> None:
    preprocessor = TextPreprocessor(max_title=12, max_description=34)
    assert TextPreprocessor(**preprocessor.to_dict()) == preprocessor
    with pytest.raises(dataclasses.FrozenInstanceError):
        preprocessor.max_title = 1  # type: ignore[misc]


def test_tokens_name_the_words_where_they_stand() -> None:
    text = "<b>L'&eacute;t&eacute;</b> à la Plage &amp; c&#339;ur, T-shirt_XL"
    found = PREPROCESSOR.tokens(text)
    assert [(text[start:end], word) for start, end, word in found] == [
        ("L", "l"),
        ("&eacute;t&eacute;", "ete"),
        ("à", "a"),
        ("la", "la"),
        ("Plage", "plage"),
        ("c&#339;ur", "coeur"),
        ("T", "t"),
        ("shirt", "shirt"),
        ("XL", "xl"),
    ]


@given(st.text() | MARKUP)
def test_tokens_lie_in_order_without_overlap(text: str) -> None:
    spans = PREPROCESSOR.tokens(text)
    previous = 0
    for start, end, word in spans:
        assert previous <= start < end <= len(text)
        assert word
        assert PREPROCESSOR.normalise(text[start:end]) == word
        previous = end


@given(st.text(st.characters(codec="latin-1", exclude_characters="<>&")))
def test_tokens_of_plain_text_are_its_normalised_words(text: str) -> None:
    words = " ".join(word for _, _, word in PREPROCESSOR.tokens(text))
    assert words == PREPROCESSOR.normalise(text)
