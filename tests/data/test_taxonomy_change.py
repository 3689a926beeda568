"""Codes that are renamed, merged, split or retired."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayon.data.taxonomy import Category, Taxonomy
from rayon.data.taxonomy_change import MappedCode, TaxonomyChange, compose
from rayon.data.taxonomy_diff import CodeChange, RenamingThresholds, likely_renamings, taxonomy_changes
from rayon.errors import TaxonomyError

HINT = 'Write a JSON object such as {"10": "11", "20": ["21", "22"], "30": []}'
CODES = [str(number) for number in range(8)]
changes = st.dictionaries(
    st.sampled_from(CODES), st.lists(st.sampled_from(CODES), max_size=3, unique=True).map(tuple), max_size=8
).map(TaxonomyChange)
certain = st.dictionaries(st.sampled_from(CODES), st.sampled_from(CODES).map(lambda code: (code,))).map(
    TaxonomyChange
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "change.json"


def refusal(path: Path) -> str:
    with pytest.raises(TaxonomyError) as caught:
        TaxonomyChange.load(path)
    return str(caught.value)


def test_what_people_write_is_read(written: Path) -> None:
    written.write_text('\ufeff{"10": "11", "20": ["21", 22], "30": [], "40": 41}', encoding="utf-8")
    change = TaxonomyChange.load(written)
    assert change == TaxonomyChange({"10": ("11",), "20": ("21", "22"), "30": (), "40": ("41",)})
    assert [change.apply(code) for code in ("10", "20", "30", "40", "50")] == ["11", None, None, "41", "50"]
    written.write_text(json.dumps(change.to_dict()), encoding="utf-8")
    assert TaxonomyChange.load(written) == change


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", f"The change file change.json is not an object of codes. {HINT}"),
        ('"10"', f"The change file change.json is not an object of codes. {HINT}"),
        (
            '{"10": "11", "10": []}',
            "The change file change.json names the code '10' twice. Give all its new codes in one list",
        ),
        ('{"10": null}', f"The change file change.json has something other than codes at '10'. {HINT}"),
        (
            '{"10": {"11": 1}}',
            f"The change file change.json has something other than codes at '10'. {HINT}",
        ),
        (
            '{"10": ["11", true]}',
            f"The change file change.json has something other than codes at '10'. {HINT}",
        ),
        (
            '{"10": ["11", " "]}',
            f"The change file change.json has something other than codes at '10'. {HINT}",
        ),
        ('{"": "11"}', f"The change file change.json has something other than codes at ''. {HINT}"),
        (
            '{"10": ["11", 11]}',
            "The change file change.json names a new code of '10' twice. Name each of them once",
        ),
    ],
)
def test_what_is_no_change_file_is_refused(written: Path, content: str, message: str) -> None:
    written.write_text(content, encoding="utf-8")
    assert refusal(written) == message


def test_files_that_cannot_be_read(written: Path) -> None:
    assert refusal(written) == f"There is no change file {written}. Check the path"
    for content in ("{", "[" * 100_000):
        written.write_text(content, encoding="utf-8")
        assert refusal(written).startswith(f"The change file {written} cannot be read (")


OLD = Taxonomy.of_codes(["10", "11", "12", "13"])


@pytest.mark.parametrize(
    ("named", "new", "message"),
    [
        (
            {"100": ("10",)},
            ["10", "11", "12", "13"],
            "The change names the code '100', which the old taxonomy lacks. Did you mean '10'?",
        ),
        (
            {"book": ()},
            ["10", "11", "12", "13"],
            "The change names the code 'book', which the old taxonomy lacks. Mend the change or the taxonomy",
        ),
        (
            {"10": ("20", "20l0")},
            ["20", "2010", "11", "12", "13"],
            "The change turns '10' into '20l0', which the new taxonomy lacks. Did you mean '2010'?",
        ),
        (
            {"10": ("20",)},
            ["10", "20", "11", "12", "13"],
            "The change takes the code '10' away, and the new taxonomy has it still. "
            'Write "10": ["10", "20"] where a part of it stays, or take it out of the taxonomy',
        ),
        (
            {"10": ("20",)},
            ["20", "12", "13"],
            "The new taxonomy lacks the code '11', and the change does not say what became of it. "
            'Name it in the change: "11": [] where it was retired',
        ),
    ],
)
def test_a_change_has_to_fit_the_taxonomies(
    named: dict[str, tuple[str, ...]], new: list[str], message: str
) -> None:
    with pytest.raises(TaxonomyError) as caught:
        TaxonomyChange(named).check(OLD, Taxonomy.of_codes(new))
    assert str(caught.value) == message


def test_without_the_old_taxonomy_only_the_new_codes_are_checked() -> None:
    change = TaxonomyChange({"99": ("20",)})
    change.check(None, Taxonomy.of_codes(["20"]))
    with pytest.raises(TaxonomyError, match="The change turns '99' into '20'"):
        change.check(None, Taxonomy.of_codes(["21"]))


def test_codes_can_be_exchanged_but_not_told_apart_by_their_labels() -> None:
    change = TaxonomyChange({"10": ("11",), "11": ("10",)})
    change.check(OLD, OLD)
    assert change.apply("10") == "11"
    assert taxonomy_changes(OLD, OLD, change)[:2] == [
        CodeChange("renamed", ("10",), ("11",)),
        CodeChange("renamed", ("11",), ("10",)),
    ]
    with pytest.raises(TaxonomyError) as caught:
        change.groups(["10"], ["10"])
    assert str(caught.value) == (
        "The change takes the code '11' away, and it is a code after the change as well. "
        "Train on migrated catalogues, and give what is new a code of its own"
    )


def test_a_challenger_of_old_catalogues_is_refused() -> None:
    with pytest.raises(TaxonomyError, match="takes the code '10' away"):
        TaxonomyChange({"10": ("20",)}).groups(["10"], ["10", "20"])


def test_every_kind_of_change_is_found() -> None:
    old = Taxonomy(
        [
            Category("1", "Livre", "Book", "P"),
            Category("2", "Revue", "Magazine", "P"),
            Category("3", "Jeu", "Game", "Q"),
            Category("4", "Lampe", "Lamp"),
            Category("5", "Vase", "Vase", "10"),
            Category("6"),
            Category("7"),
            Category("8", "Table", "Table", "P"),
            Category("9", "Chaise", "Chair", "10"),
            Category("10"),
        ]
    )
    new = Taxonomy(
        [
            Category("1", "Livre", "Books", "R"),
            Category("20", "Revue"),
            Category("31"),
            Category("32"),
            Category("4", "Lampe", "Lamp"),
            Category("5", "Vase", "Vase", "100"),
            Category("80", "Table"),
            Category("9", "Chaise", "Chair"),
            Category("100"),
            Category("11"),
        ]
    )
    change = TaxonomyChange({"2": ("20",), "3": ("31", "32"), "6": (), "8": ("80",), "10": ("100",)})
    assert taxonomy_changes(old, new, change) == [
        CodeChange("relabelled", ("1",), ("1",)),
        CodeChange("moved", ("1",), ("1",)),
        CodeChange("renamed", ("2",), ("20",)),
        CodeChange("moved", ("2",), ("20",)),
        CodeChange("split", ("3",), ("31", "32")),
        CodeChange("retired", ("6",), ()),
        CodeChange("gone", ("7",), ()),
        CodeChange("renamed", ("8",), ("80",)),
        CodeChange("moved", ("8",), ("80",)),
        CodeChange("moved", ("9",), ("9",)),
        CodeChange("renamed", ("10",), ("100",)),
        CodeChange("added", (), ("11",)),
    ]
    assert change.unsettled(old, new) == ["7"]
    assert taxonomy_changes(old, old) == []


def test_several_codes_to_one_and_to_several() -> None:
    old, new = Taxonomy.of_codes(["1", "2", "3", "4"]), Taxonomy.of_codes(["1", "5", "6"])
    change = TaxonomyChange({"2": ("1",), "3": ("5", "6"), "4": ("6",)})
    assert taxonomy_changes(old, new, change) == [
        CodeChange("merged", ("1", "2"), ("1",)),
        CodeChange("regrouped", ("3", "4"), ("5", "6")),
    ]


def test_models_are_compared_on_what_can_be_told_apart() -> None:
    change = TaxonomyChange(
        {"2": ("1",), "3": ("3", "5"), "4": (), "6": ("60",), "7": ("70", "80"), "8": ("80",)}
    )
    groups = change.groups(["1", "2", "3", "9"], ["1", "3", "5", "60", "30"])
    assert {code: one.name for code, one in groups.items()} == {
        "1": "1",
        "2": "1",
        "3": "3",
        "5": "3",
        "4": "4",
        "6": "60",
        "60": "60",
        "7": "70 + 80",
        "8": "70 + 80",
        "70": "70 + 80",
        "80": "70 + 80",
        "9": "9",
        "30": "30",
    }
    assert [code for code, one in groups.items() if one.retired] == ["4"]
    assert groups["1"] == MappedCode(("1", "2"), ("1",))


@given(changes, st.lists(st.sampled_from(CODES)), st.lists(st.sampled_from(CODES)))
def test_mapped_codes_agree_with_the_change(change: TaxonomyChange, old: list[str], new: list[str]) -> None:
    try:
        groups = change.groups(old, new)
    except TaxonomyError:  # only where a code is both taken away and there after it
        after = {*new, *(target for code in {*old, *change.named} for target in change.targets(code))}
        assert any(code in after and code not in targets for code, targets in change.named.items())
        return
    for code in {*old, *change.named}:
        for target in change.targets(code):
            assert groups[target] is groups[code]
        assert groups[code].retired == (change.targets(code) == ())
        if (certain := change.apply(code)) is not None:
            assert groups[certain] is groups[code]
    assert set(groups) >= {*old, *new}
    for one in set(groups.values()):
        for code in (*one.old, *one.new):
            assert groups[code] is one
        for code in one.old:  # all of it hangs together: a part of it would not be closed
            assert set(change.targets(code)) <= set(one.new)


@given(changes)
def test_what_hangs_together_is_no_larger_than_it_must_be(change: TaxonomyChange) -> None:
    for one in change.components(CODES, CODES):
        reached, edge = set(one.old[:1]), True
        while edge:
            targets = {target for code in reached for target in change.targets(code)}
            more = {code for code in CODES if targets.intersection(change.targets(code))}
            edge = not more <= reached
            reached |= more
        assert reached == set(one.old)


@given(changes, changes, changes)
def test_the_order_in_which_changes_are_joined_does_not_matter(
    first: TaxonomyChange, second: TaxonomyChange, third: TaxonomyChange
) -> None:
    left = compose(compose(first, second), third)
    right = compose(first, compose(second, third))
    for code in CODES:
        assert set(left.targets(code)) == set(right.targets(code))


@given(certain, certain, st.sampled_from(CODES))
def test_joined_changes_do_what_the_two_do(first: TaxonomyChange, second: TaxonomyChange, code: str) -> None:
    between = first.apply(code)
    assert between is not None
    assert compose(first, second).apply(code) == second.apply(between)


def test_joining_changes() -> None:
    assert compose(TaxonomyChange(), TaxonomyChange({"1": ("1",)})) == TaxonomyChange()
    split, merged = TaxonomyChange({"1": ("2", "3")}), TaxonomyChange({"2": ("4",), "3": ("4",)})
    assert compose(split, merged) == TaxonomyChange({"1": ("4",), "2": ("4",), "3": ("4",)})
    back = TaxonomyChange({"2": ("1",), "3": ("1",)})
    assert compose(split, back).apply("1") == "1"
    assert compose(split, TaxonomyChange({"2": ()})) == TaxonomyChange({"1": ("3",), "2": ()})


def test_likely_renamings_are_proposed() -> None:
    old = Taxonomy(
        [
            Category("1", "Jeux de société", "Board games"),
            Category("2", "Figurines", ""),
            Category("3", "Livres", "Books"),
            Category("4", "", "Bags"),
            Category("5", "Lampes"),
            Category("6"),
        ]
    )
    new = Taxonomy(
        [
            Category("10", "Jeux de sociétés", "Games"),
            Category("20", "figurine"),
            Category("30", "Livres", "Books"),
            Category("31", "livres", "Books"),
            Category("40", "Bags"),
            Category("5", "Lampes"),
            Category("50", "Lampes"),
            Category("60"),
        ]
    )
    assert likely_renamings(old, new) == TaxonomyChange({"1": ("10",), "2": ("20",)})
    known = TaxonomyChange({"1": (), "6": ("30",)})
    assert likely_renamings(old, new, known) == TaxonomyChange({"2": ("20",), "3": ("31",)})
    assert likely_renamings(old, new, thresholds=RenamingThresholds(0.99)) == TaxonomyChange()


def test_two_old_codes_are_not_taken_for_the_same_new_one() -> None:
    old = Taxonomy([Category("1", "Jeux vidéo A"), Category("2", "Jeux vidéo B")])
    for label, found in (("jeux vidéo b", {"2": ("3",)}), ("Jeux vidéo C", {})):
        assert likely_renamings(old, Taxonomy([Category("3", label)])).named == found


def test_no_two_codes_of_rakuten_are_alike() -> None:
    """The threshold keeps apart what people tell apart: of 27 codes, each finds itself alone."""
    rakuten = Taxonomy.rakuten_france()
    renumbered = Taxonomy(
        Category(f"{one.code}0000", one.label_fr, one.label_en, one.parent) for one in rakuten
    )
    assert likely_renamings(rakuten, renumbered).named == {code: (f"{code}0000",) for code in rakuten.codes}
    for one in rakuten:
        others = Taxonomy(other for other in renumbered if other.code != f"{one.code}0000")
        assert likely_renamings(Taxonomy([one]), others).named == {}
