"""Codes, labels and parents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayon.data.taxonomy import Category, Taxonomy, sort_codes
from rayon.errors import TaxonomyError

HINT = 'Write a JSON list such as [{"code": "10", "label_fr": "Livres", "label_en": "Books"}]'


def refusal(path: Path) -> str:
    with pytest.raises(TaxonomyError) as caught:
        Taxonomy.load(path)
    return str(caught.value)


def test_rakuten_france() -> None:
    taxonomy = Taxonomy.rakuten_france()
    assert len(taxonomy) == len(set(taxonomy.codes)) == 27
    assert "2060" in taxonomy
    assert "2061" not in taxonomy
    for category in taxonomy:
        assert category.label_fr
        assert category.label_en
        assert category.parent


def test_labels_fall_back() -> None:
    taxonomy = Taxonomy([Category("1", label_fr="Livres"), Category("2", label_en="Toys"), Category("3")])
    assert [taxonomy.label(code, "en") for code in ("1", "2", "3", "4")] == ["Livres", "Toys", "3", "4"]
    assert [taxonomy.label(code, "fr") for code in ("1", "2", "3", "4")] == ["Livres", "Toys", "3", "4"]
    assert taxonomy.parent("1") is taxonomy.parent("4") is None


def test_saved_and_loaded_again(tmp_path: Path) -> None:
    for taxonomy in (Taxonomy.rakuten_france(), Taxonomy.of_codes(["b", "10", "9"])):
        taxonomy.save(tmp_path / "taxonomy.json")
        assert Taxonomy.load(tmp_path / "taxonomy.json") == taxonomy


def test_equal_by_value_and_order() -> None:
    assert Taxonomy.of_codes(["1", "2"]) == Taxonomy.of_codes(["2", "1", "1"])
    assert Taxonomy([Category("1"), Category("2")]) != Taxonomy([Category("2"), Category("1")])
    assert Taxonomy.of_codes(["1"]) != ["1"]
    assert repr(Taxonomy.of_codes(["1"])) == "Taxonomy(1 codes)"
    with pytest.raises(TypeError):
        hash(Taxonomy.of_codes(["1"]))


def test_required_codes() -> None:
    taxonomy = Taxonomy.rakuten_france()
    taxonomy.require(["10", "2060"])
    with pytest.raises(TaxonomyError) as caught:
        taxonomy.require(["10", "2061"])
    assert str(caught.value) == "The taxonomy has no code '2061'. Did you mean '2060'?"
    with pytest.raises(TaxonomyError) as caught:
        taxonomy.require(["livre"])
    assert str(caught.value) == "The taxonomy has no code 'livre'. Add it to the taxonomy file"


def test_subset_keeps_the_order() -> None:
    taxonomy = Taxonomy([Category("b"), Category("a"), Category("c")])
    assert taxonomy.subset(["c", "b"]).codes == ["b", "c"]
    with pytest.raises(TaxonomyError, match="The taxonomy has no code 'd'"):
        taxonomy.subset(["d"])


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ([Category(" ")], "A category of the taxonomy has an empty code. Give each category a code"),
        ([Category("1"), Category("1")], "The code '1' is twice in the taxonomy. Keep one of the two"),
        ([Category("1", parent="1")], "The code '1' is its own ancestor. Mend the parents in the taxonomy"),
        (
            [Category("1", parent="2"), Category("2", parent="1")],
            "The code '1' is its own ancestor. Mend the parents in the taxonomy",
        ),
    ],
)
def test_malformed_categories(categories: list[Category], message: str) -> None:
    with pytest.raises(TaxonomyError) as caught:
        Taxonomy(categories)
    assert str(caught.value) == message


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "taxonomy.json"
    assert refusal(path) == f"There is no taxonomy file {path}. Check the path"
    for content, message in (
        ("{}", "The taxonomy taxonomy.json is not a list of categories"),
        ("[]", "The taxonomy taxonomy.json is not a list of categories"),
        ('[{"code": "1"}, "2"]', "Category 2 of the taxonomy taxonomy.json has no code"),
        ('[{"label_fr": "Livres"}]', "Category 1 of the taxonomy taxonomy.json has no code"),
        (
            '[{"code": "1", "name": "x"}]',
            "Category 1 of the taxonomy taxonomy.json has an unknown field 'name'",
        ),
    ):
        path.write_text(content, encoding="utf-8")
        assert refusal(path) == f"{message}. {HINT}"
    path.write_text("[", encoding="utf-8")
    assert refusal(path).startswith(f"The taxonomy {path} cannot be read (")
    path.write_bytes('[{"code": "é"}]'.encode("latin-1"))
    assert refusal(path).startswith(f"The taxonomy {path} cannot be read (")


def test_numbers_and_missing_labels_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "taxonomy.json"
    path.write_text("\ufeff" + json.dumps([{"code": 10, "label_fr": None, "parent": ""}]), encoding="utf-8")
    assert list(Taxonomy.load(path)) == [Category("10")]


def test_order_of_codes() -> None:
    assert sort_codes(["b", "10", "9", "a", "010"]) == ["9", "010", "10", "a", "b"]


@given(st.lists(st.text(min_size=1).filter(str.strip), max_size=8))
def test_any_codes_make_a_taxonomy(codes: list[str]) -> None:
    taxonomy = Taxonomy.of_codes(codes)
    assert taxonomy.codes == sort_codes(set(codes))
    taxonomy.require(codes)
