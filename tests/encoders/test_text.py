from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from rayon.data.listings import Listing
from rayon.data.text import TextPreprocessor
from rayon.encoders.base import TextEncoder
from rayon.encoders.style import OPENING_CHARS, letter_counts, traits
from rayon.encoders.text import CHUNK_CHARS, NgramEncoder, word_columns
from rayon.errors import ModelError

ENCODER = NgramEncoder()
PLAIN = NgramEncoder(reach=0, style=False)
PAIRS = NgramEncoder(style=False)
WORDS = st.text("abé東1 ", max_size=40)
LISTINGS = st.builds(Listing, st.text() | WORDS, st.just("") | WORDS)
MASK = (1 << 64) - 1


def same(a: sparse.csr_matrix, b: sparse.csr_matrix) -> bool:
    return a.shape == b.shape and a.nnz == b.nnz and (a != b).nnz == 0


def analyse(text: str, analyser: str, span: tuple[int, int]) -> list[str]:
    pattern = r"(?u)\S+"
    vectorizer = CountVectorizer(analyzer=analyser, ngram_range=span, token_pattern=pattern, lowercase=False)
    return list(vectorizer.build_analyzer()(text))


def hashed(gram: str, bits: int) -> int:
    """The same hashes, one n-gram at a time and in plain integers."""
    rolling = 0
    for character in gram:
        rolling = (rolling * 0x01000193 + ord(character)) % (1 << 32)
    spread = ((rolling + (len(gram) << 40)) * 0x9E3779B97F4A7C15) & MASK
    return (spread >> (64 - bits + 1)) + (1 << bits >> 1)


@pytest.mark.parametrize("span", [(2, 5), (3, 4), (2, 2), (4, 8)])
@given(WORDS)
def test_character_ngrams_are_those_of_scikit_learn(span: tuple[int, int], text: str) -> None:
    encoder = NgramEncoder(chars=span)
    clean = encoder.preprocessor.normalise(text)
    # The analyser gives a word shorter than the shortest n-gram as a whole; the encoder leaves it out.
    grams = [gram for gram in analyse(clean, "char_wb", span) if len(gram) >= span[0]]
    row = encoder.encode([Listing(text)])[:, word_columns(encoder.dimension).stop :]
    found = dict(zip(row.indices + encoder.dimension // 2, row.data, strict=True))
    assert found == Counter(hashed(gram, encoder.bits) for gram in grams)


@given(st.lists(WORDS, min_size=1, max_size=8))
def test_word_ngrams_are_those_of_scikit_learn(texts: list[str]) -> None:
    cleaned = [PLAIN.preprocessor.normalise(text) for text in texts]
    assert_counted(PLAIN, texts, [Counter(analyse(text, "word", (1, 2))) for text in cleaned])


@pytest.mark.parametrize(("reach", "opening"), [(1, 16), (3, 5), (10, 16), (64, 2), (2, 0)])
@given(st.lists(WORDS | st.text("ab ", max_size=60), min_size=1, max_size=6))
def test_pairs_in_the_opening_are_counted_in_either_order(reach: int, opening: int, texts: list[str]) -> None:
    encoder = NgramEncoder(pairs=False, reach=reach, opening=opening, style=False)
    expected = []
    for text in texts:
        words = encoder.preprocessor.normalise(text).split()
        near = [
            tuple(sorted((words[i], words[j])))
            for i, j in combinations(range(min(len(words), opening)), 2)
            if j - i <= reach
        ]
        expected.append(Counter[object](words) + Counter[object](near))
    assert_counted(encoder, texts, expected)


def assert_counted(encoder: NgramEncoder, texts: list[str], expected: Sequence[Counter[Any]]) -> None:
    # Each row holds as many distinct grams, each as often, and rows share a column where they share a gram.
    rows = encoder.encode([Listing(text) for text in texts])[:, word_columns(encoder.dimension)]
    for row, counts in zip(rows, expected, strict=True):
        assert sorted(row.data) == sorted(counts.values())
    assert len(np.unique(rows.indices)) == len(set().union(*expected))
    overlap = (rows @ rows.T).toarray()
    for i, left in enumerate(expected):
        for j, right in enumerate(expected):
            assert overlap[i, j] == sum(count * right[gram] for gram, count in left.items())


def test_pairs_do_not_cross_from_the_title_into_the_description() -> None:
    encoder = NgramEncoder(pairs=False, style=False, title_weight=1)
    apart = encoder.encode([Listing("lampe rouge"), Listing("", "pied lourd")])
    assert same(encoder.encode([Listing("lampe rouge", "pied lourd")]), (apart[0] + apart[1]).tocsr())


@pytest.mark.parametrize(
    ("one", "other", "differing"),
    [
        (
            "lampe de chevet",
            "LAMPE DE CHEVET",
            4,
        ),  # words that begin small, capitals; each by number and by share
        ("lampe 1000 watts", "lampe mille watts", 3),  # the digits, and words that begin small
        ("lampe", "lampe", 0),
    ],
)
def test_style_tells_texts_of_the_same_length_apart(one: str, other: str, differing: int) -> None:
    a, b = ({tuple(column) for column in traits_of(text)} for text in (one, other))
    assert len(a - b) == differing


@given(st.lists(st.text(max_size=200), min_size=1, max_size=5))
def test_letters_are_counted_as_a_reader_would(texts: list[str]) -> None:
    assert letter_counts(texts).tolist() == [counted(text[:OPENING_CHARS]) for text in texts]


def counted(text: str) -> list[int]:
    plain = "".join(character if ord(character) < 256 else "?" for character in text)
    words = plain.split()
    upper = sum(map(str.isupper, plain))
    return [
        upper,
        sum(map(str.islower, plain)),
        sum(map(str.isdigit, plain)),
        len(words),
        sum(word[0].islower() for word in words),
        upper - sum(word[0].isupper() for word in words),
    ]


def traits_of(text: str) -> list[list[int]]:
    found = traits(np.array([[3, 16, *letter_counts([text])[0]]])).tolist()[0]
    return [[number, bucket] for number, bucket in enumerate(found)]


def test_style_adds_the_edges_and_the_traits_of_the_first_text_once() -> None:
    plain = NgramEncoder(style=False)
    title, both = Listing("Lampe rouge"), Listing("Lampe rouge", "PIED 12")
    added = (ENCODER.encode([title]) - plain.encode([title])).tocsr()
    added.eliminate_zeros()
    assert added.data.tolist() == [1.0] * 10
    assert added.indices.max() < ENCODER.dimension // 2
    with_more = (ENCODER.encode([both]) - plain.encode([both])).tocsr()
    with_more.eliminate_zeros()
    # Of the description only the length counts: words, characters, and words again on the finer scale.
    assert len(set(added.indices) - set(with_more.indices)) == 3
    assert with_more.data.tolist() == [1.0] * 10


def test_first_and_last_words_are_not_confused() -> None:
    a, b = ENCODER.encode([Listing("vert bleu"), Listing("bleu vert")])
    assert (a != b).nnz == 2 + 2 + 2  # the ordered pair, the first word and the last word of each


@given(st.lists(LISTINGS, max_size=6), st.lists(LISTINGS, max_size=6))
def test_a_row_does_not_depend_on_the_others(first: list[Listing], second: list[Listing]) -> None:
    together = ENCODER.encode(first + second)
    apart = sparse.vstack([ENCODER.encode(first), ENCODER.encode(second)], format="csr")
    assert same(together, apart)


@given(LISTINGS)
def test_rows_are_canonical_counts(listing: Listing) -> None:
    row = ENCODER.encode([listing])
    assert row.dtype == np.float32
    assert row.shape == (1, ENCODER.dimension)
    assert np.all(np.diff(row.indices) > 0)
    assert np.all(row.data == np.round(row.data))
    assert np.all(row.data >= 1)


def test_chunks_and_threads_change_nothing() -> None:
    rng = np.random.default_rng(0)
    words = [f"mot{i}" for i in range(500)]
    listings = [Listing(" ".join(rng.choice(words, 150)), " ".join(rng.choice(words, 9))) for _ in range(300)]
    assert sum(len(listing.designation) for listing in listings) > CHUNK_CHARS
    whole = ENCODER.encode(listings)
    assert same(whole, NgramEncoder(threads=1).encode(listings))
    assert same(whole, sparse.vstack([ENCODER.encode([listing]) for listing in listings], format="csr"))


def test_no_listing_and_empty_listings() -> None:
    assert ENCODER.encode([]).shape == (0, ENCODER.dimension)
    assert ENCODER.encode([Listing(), Listing(" - "), Listing("", "")]).nnz == 0
    mixed = ENCODER.encode([Listing(), Listing("lampe"), Listing()])
    assert np.array_equal(np.diff(mixed.indptr) > 0, [False, True, False])


def test_title_and_description_share_columns_and_the_title_counts_more() -> None:
    encoder = NgramEncoder(title_weight=3, style=False)
    split = encoder.encode([Listing("Lampe rouge", "pied de <b>lampe</b>")])
    title, description = encoder.encode([Listing("lampe rouge"), Listing("", "pied de lampe")])
    assert same(split, (3 * title + description).astype(np.float32).tocsr())
    assert same(description, encoder.encode([Listing("Pied de lampe")]))


@pytest.mark.parametrize("weight", [1, 2, 5])
@given(WORDS, WORDS)
def test_listings_with_one_part_count_it_once(weight: int, title: str, description: str) -> None:
    encoder = NgramEncoder(title_weight=weight, style=False)
    apart = encoder.encode([Listing(title), Listing("", description)])
    factor = weight if apart[0].nnz and apart[1].nnz else 1
    together = encoder.encode([Listing(title, description)])
    assert same(together, (factor * apart[0] + apart[1]).astype(np.float32).tocsr())


def test_word_length_is_not_limited() -> None:
    long = ["a" * 65, "a" * 66, "a" * 64 + "b", "b" + "a" * 64]
    rows = NgramEncoder(chars=(2, 2), style=False).encode([Listing(word) for word in long])
    words = rows[:, word_columns(ENCODER.dimension)].indices
    assert len(set(words)) == len(long)


def test_pairs_of_words_that_share_letters_count_apart() -> None:
    # Their plain hashes have the same sum, since a letter weighs by its place from the start.
    one, other = (PAIRS.encode([Listing(text)]) for text in ("111a a", "a11a 1"))
    shared = set(one.indices) & set(other.indices)
    assert shared == set(PLAIN.encode([Listing("111a a")]).indices) & set(
        PLAIN.encode([Listing("a11a 1")]).indices
    )


def test_options_leave_parts_out() -> None:
    listing = Listing("lampe rouge sur pied")
    whole = set(ENCODER.encode([listing]).indices)
    unpaired = set(NgramEncoder(pairs=False).encode([listing]).indices)
    shorter = set(NgramEncoder(chars=(3, 3)).encode([listing]).indices)
    assert unpaired < whole
    assert len(whole - unpaired) == 3
    assert shorter < whole


def test_fewer_bits_give_fewer_columns() -> None:
    assert NgramEncoder(bits=12).encode([Listing("lampe rouge")]).shape == (1, 4096)


def test_spec_makes_the_same_encoder() -> None:
    encoder = NgramEncoder(
        15, (3, 4), pairs=False, reach=2, opening=4, style=False, preprocessor=TextPreprocessor(20, 30)
    )
    spec = json.loads(json.dumps(encoder.spec()))
    again = NgramEncoder.from_spec(spec)
    assert again.spec() == encoder.spec()
    listings = [Listing("Une lampe de chevet en bois clair", "Éclaire toute la chambre, et même le couloir")]
    assert same(again.encode(listings), encoder.encode(listings))


def test_it_is_a_text_encoder() -> None:
    assert isinstance(ENCODER, TextEncoder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "other"}, "The text encoder 'other' is not 'ngrams'"),
        ({"colour": 1}, "The description of the text encoder cannot be used"),
        ({"preprocessor": {"max_titles": 3}}, "The description of the text encoder cannot be used"),
        ({"chars": []}, "The description of the text encoder cannot be used"),
        ({"bits": 80}, "The text encoder cannot have 80 bits, only 8 to 30"),
        ({"chars": [1, 5]}, "The text encoder cannot count character n-grams of 1 to 5"),
        ({"reach": 65}, "The text encoder cannot pair words 65 apart in an opening of 16"),
    ],
)
def test_a_wrong_spec_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        NgramEncoder.from_spec({**ENCODER.spec(), **change})
    assert caught.value.message.startswith(message)


def test_a_spec_of_before_is_refused_where_it_does_not_say_all() -> None:
    spec = ENCODER.spec()
    del spec["reach"]
    with pytest.raises(ModelError) as caught:
        NgramEncoder.from_spec(spec)
    assert caught.value.message == "The description of the text encoder lacks 'reach'"
    assert caught.value.hint == "Train the model again"
