"""Labelled catalogues in new codes: nothing gets lost, and what is not certain is set aside."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rayon.data.catalogue import open_catalogue
from rayon.data.listings import Listing
from rayon.data.loading import read_catalogue
from rayon.data.taxonomy import Taxonomy
from rayon.data.taxonomy_change import TaxonomyChange
from rayon.errors import CatalogueError, OutputError, RayonError, TaxonomyError
from rayon.operations import migration
from rayon.operations.migration import Migration, migrate_catalogues

CHANGE = TaxonomyChange({"10": ("11",), "20": ("21", "22", "23"), "30": ()})
NEW = Taxonomy.of_codes(["11", "21", "22", "23", "40"])


def write(path: Path, *rows: tuple[str, ...], header: str = "designation,prdtypecode,productid") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{header}\n")
        csv.writer(file).writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def refused(*arguments: object, kind: type[RayonError] = OutputError, **options: object) -> str:
    with pytest.raises(kind) as caught:
        migrate_catalogues(*arguments, **options)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    return write(
        tmp_path / "shop.csv",
        ("Roman", "10", "a"),
        ("Jeu", "20", "b"),
        ("Lampe", "40", "c"),
        ("Vase", "30", "d"),
        ("Table", "50", "e"),
        ("Chaise", "", "f"),
        ("", "10", "g"),
        ("Bol", "10.0", "h"),
        ("Plat", "20.0", "i"),
    )


def test_every_row_has_its_new_code_or_the_reason_why_not(catalogue: Path, tmp_path: Path) -> None:
    out, aside = tmp_path / "out.csv", tmp_path / "out.csv.set-aside.csv"
    (made,) = migrate_catalogues([catalogue], out, CHANGE, NEW)
    assert read(out) == [
        {"designation": title, "description": "", "productid": product, "imageid": "", "prdtypecode": code}
        for title, product, code in (("Roman", "a", "11"), ("Lampe", "c", "40"), ("Bol", "h", "11"))
    ]
    reasons = {
        "b": ("20", "21 22 23", "the code '20' was split into '21', '22' and '23'"),
        "d": ("30", "", "the code '30' was retired"),
        "e": (
            "50",
            "",
            "the new taxonomy lacks the code '50', and the change does not say what became of it",
        ),
        "f": ("", "", "the listing has no code"),
        "g": ("", "", "line 8: the listing has no title, no description and no picture"),
        "i": ("20", "21 22 23", "the code '20' was split into '21', '22' and '23'"),
    }
    rows = read(aside)
    assert {row["productid"]: (row["prdtypecode"], row["candidates"], row["reason"]) for row in rows} == (
        reasons
    )
    assert [(row["row"], row["designation"]) for row in rows[:2]] == [("2", "Jeu"), ("4", "Vase")]
    assert {row["catalogue"] for row in rows} == {str(catalogue)}
    assert made == Migration(
        out=str(out),
        listings=3,
        recoded=2,
        set_aside={
            "the code '20' was split into '21', '22' and '23'": 2,
            "the code '30' was retired": 1,
            "the listing has no code": 1,
            reasons["e"][2]: 1,
            "the row cannot be used": 1,
        },
        set_aside_file=str(aside),
        missing_images=0,
        images=None,
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", aside.name, "shop.csv"]


def test_a_whole_catalogue_reads_as_before_but_for_its_codes(shop: Path, tmp_path: Path) -> None:
    before = read_catalogue(shop)
    codes = before.codes or []
    first, second, third, *rest = dict.fromkeys(codes)
    change = TaxonomyChange({first: ("new",), second: ("new",), third: ()})
    new = Taxonomy.of_codes(["new", *rest])
    (made,) = migrate_catalogues([shop], tmp_path / "out.csv", change, new)
    kept = [row for row, code in enumerate(codes) if code != third]
    assert made.images is not None
    after = read_catalogue(tmp_path / "out.csv", images=made.images)
    assert after.codes == ["new" if codes[row] in (first, second) else codes[row] for row in kept]
    assert after.warnings == []
    assert after.listings == [before.listings[row] for row in kept]
    assert sum(one.image is not None for one in after.listings) > 300
    indices = [row.ids["index"] for row in open_catalogue(shop).rows() if row.code not in (None, third)]
    assert [row["index"] for row in read(tmp_path / "out.csv")] == indices


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_every_format_says_the_same(
    catalogue: Path, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "PART_ROWS", 2)
    out = tmp_path / f"out.{ending}"
    migrate_catalogues([catalogue], out, CHANGE, NEW)
    loaded = read_catalogue(out, codes="required")
    assert [one.productid for one in loaded.listings] == ["a", "c", "h"]
    assert loaded.codes == ["11", "40", "11"]
    assert len(read(tmp_path / f"out.{ending}.set-aside.csv")) == 6


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@given(
    st.lists(st.tuples(texts, texts), min_size=1, max_size=5), st.sampled_from([".csv", ".jsonl", ".parquet"])
)
def test_any_text_comes_through(rows: list[tuple[str, str]], ending: str) -> None:
    with TemporaryDirectory() as folder:
        source = Path(folder, "in.jsonl")
        lines = [{"designation": title, "description": text, "prdtypecode": "10"} for title, text in rows]
        source.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        usable = [Listing(title, text) for title, text in rows if not Listing(title, text).is_empty]
        out = Path(folder, f"out{ending}")
        (made,) = migrate_catalogues([source], out, CHANGE, NEW)
        assert (made.listings, sum(made.set_aside.values())) == (len(usable), len(rows) - len(usable))
        if usable:
            loaded = read_catalogue(out, codes="required")
            assert (loaded.listings, loaded.rejected) == (usable, [])


@pytest.fixture
def photo() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 20, 20)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_pictures_below_the_results_are_found_again(tmp_path: Path, photo: bytes) -> None:
    (tmp_path / "shop" / "images").mkdir(parents=True)
    (tmp_path / "shop" / "images" / "7.jpg").write_bytes(photo)
    source = write(
        tmp_path / "shop" / "in.csv",
        ("Roman", "10", "7"),
        ("Lampe", "40", "8"),
        ("Jeu", "20", "7"),
        header="designation,prdtypecode,imageid",
    )
    (made,) = migrate_catalogues([source], tmp_path / "out.csv", CHANGE, NEW)
    assert (made.images, made.missing_images) == (None, 1)
    assert [row["image"] for row in read(tmp_path / "out.csv")] == ["shop/images/7.jpg", ""]
    assert [row["image"] for row in read(tmp_path / "out.csv.set-aside.csv")] == ["shop/images/7.jpg"]
    found = [one.image for one in read_catalogue(tmp_path / "out.csv").listings]
    assert found == [tmp_path / "shop" / "images" / "7.jpg", None]


def test_pictures_of_several_folders_have_one_above_them(tmp_path: Path, photo: bytes) -> None:
    sources = []
    for name in ("a", "b"):
        (tmp_path / name / "images").mkdir(parents=True)
        (tmp_path / name / "images" / "7.jpg").write_bytes(photo)
        sources.append(
            write(
                tmp_path / name / "in.csv",
                ("0", "Roman", "10", "7"),
                header="index,designation,prdtypecode,imageid",
            )
        )
    (tmp_path / "out").mkdir()
    (made,) = migrate_catalogues(sources, tmp_path / "out" / "all.csv", CHANGE, NEW)
    assert made.images == str(tmp_path)
    loaded = read_catalogue(made.out, images=made.images)
    assert [one.image for one in loaded.listings] == [tmp_path / n / "images" / "7.jpg" for n in ("a", "b")]
    assert loaded.rejected == [], "the index of one is that of the other"


def test_pictures_in_rows_stay_there(tmp_path: Path, photo: bytes) -> None:
    source = tmp_path / "in.parquet"
    columns = {"designation": ["Roman", "Lampe"], "prdtypecode": [10, 40], "image": [photo, None]}
    pl.DataFrame(columns).write_parquet(source)
    migrate_catalogues([source], tmp_path / "out.parquet", CHANGE, NEW)
    loaded = read_catalogue(tmp_path / "out.parquet")
    assert [one.image for one in loaded.listings] == [photo, None]
    assert loaded.codes == ["11", "40"]
    assert refused([source], tmp_path / "out.csv", CHANGE, NEW, kind=CatalogueError) == (
        f"{source} holds pictures in its rows, and only Parquet can do so. "
        "Write to a file that ends in .parquet"
    )
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "7.jpg").write_bytes(photo)
    other = write(tmp_path / "other.csv", ("Roman", "10", "7"), header="designation,prdtypecode,imageid")
    for sources in ([source, other], [other, source]):
        assert refused(sources, tmp_path / "both.parquet", CHANGE, NEW, kind=CatalogueError) == (
            "Some pictures are in the rows of the catalogues, and others are files of their own. "
            "Migrate the catalogues one at a time"
        )
    assert not list(tmp_path.glob("*both*"))
    assert not list(tmp_path.glob("*out.csv*"))


def test_a_folder_has_a_file_for_each(catalogue: Path, tmp_path: Path) -> None:
    lines = tmp_path / "other.jsonl"
    lines.write_text('{"title": "Roman", "code": 10}\n')
    told: list[tuple[int, int]] = []
    made = migrate_catalogues(
        [catalogue, lines],
        tmp_path / "new" / "codes",
        CHANGE,
        NEW,
        progress=lambda done, total: told.append((done, total)),
    )
    folder = tmp_path / "new" / "codes"
    assert [one.out for one in made] == [str(folder / "shop.csv"), str(folder / "other.csv")]
    assert [one.listings for one in made] == [3, 1]
    assert sorted(path.name for path in folder.iterdir()) == [
        "other.csv",
        "shop.csv",
        "shop.csv.set-aside.csv",
    ]
    assert told[-1] == (10, 10)
    assert refused([catalogue], folder, CHANGE, NEW) == f"{folder} is in the way. Choose another folder"
    (tmp_path / "more").mkdir()
    double = write(tmp_path / "more" / "shop.csv", ("Roman", "10", "a"))
    assert refused([catalogue, double], tmp_path / "two", CHANGE, NEW) == (
        f"{catalogue} and {double} would both be written to {tmp_path / 'two' / 'shop.csv'}. "
        "Migrate them one at a time"
    )


def test_what_an_earlier_run_set_aside_goes_with_its_results(catalogue: Path, tmp_path: Path) -> None:
    out, aside = tmp_path / "out.csv", tmp_path / "out.csv.set-aside.csv"
    migrate_catalogues([catalogue], out, CHANGE, NEW)
    assert aside.exists()
    clean = write(tmp_path / "clean.csv", ("Roman", "10", "a"))
    (made,) = migrate_catalogues([clean], out, CHANGE, NEW)
    assert (made.set_aside, made.set_aside_file) == ({}, None)
    assert not aside.exists()
    assert [row["prdtypecode"] for row in read(out)] == ["11"]


def test_nothing_may_be_left(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", ("Vase", "30", "d"))
    for ending in ("csv", "jsonl", "parquet"):
        (made,) = migrate_catalogues([source], tmp_path / f"out.{ending}", CHANGE, NEW)
        assert made.listings == 0
        assert Path(made.out).exists()


@pytest.mark.parametrize("name", ["out.csv", "out"])
def test_an_interruption_leaves_all_as_it_was(
    catalogue: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "PART_ROWS", 2)
    if name.endswith(".csv"):
        (tmp_path / name).write_text("as it was")
    before = sorted(tmp_path.iterdir())

    def stop(done: int, total: int) -> None:
        assert len(list(tmp_path.iterdir())) == len(before) + 1, "it has begun to write"
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrate_catalogues([catalogue], tmp_path / name, CHANGE, NEW, progress=stop)
    assert sorted(tmp_path.iterdir()) == before
    if name.endswith(".csv"):
        assert (tmp_path / name).read_text() == "as it was"


def test_what_cannot_be_done_is_refused_first(catalogue: Path, tmp_path: Path) -> None:
    assert refused([catalogue], catalogue, CHANGE, NEW) == (
        f"{catalogue} belongs to the input {catalogue}. Choose another name"
    )
    aside = write(tmp_path / "out.csv.set-aside.csv", ("Roman", "10", "a"))
    assert refused([aside], tmp_path / "out.csv", CHANGE, NEW) == (
        f"{aside} belongs to the input {aside}. Choose another name"
    )
    assert refused([catalogue], tmp_path / "out.xlsx", CHANGE, NEW) == (
        "The results cannot be written as 'out.xlsx'. End the name with .csv, .parquet, .jsonl"
    )
    unlabelled = write(tmp_path / "bare.csv", ("Roman",), header="designation")
    assert refused([catalogue, unlabelled], tmp_path / "out.csv", CHANGE, NEW, kind=CatalogueError) == (
        "bare.csv has no column 'prdtypecode'; its columns are 'designation'. "
        "Name the column of codes with --columns prdtypecode=NAME"
    )
    lacking = Taxonomy.of_codes(["11"])
    assert refused([catalogue], tmp_path / "out.csv", CHANGE, lacking, kind=TaxonomyError).startswith(
        "The change turns '20' into '21', which the new taxonomy lacks"
    )
    assert not (tmp_path / "out.csv").exists()


def test_a_closed_folder_is_said_to_be(closed: Path) -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        source = write(Path(folder) / "in.csv", ("Roman", "10", "a"))
        assert refused([source], closed / "out.csv", CHANGE, NEW) == (
            f"The folder {closed} cannot be written to. Check its permissions, or choose another"
        )
        assert refused([source], closed / "out", CHANGE, NEW).startswith(
            f"The catalogue {closed / 'out'} cannot be written ("
        )
    assert list(closed.iterdir()) == []
