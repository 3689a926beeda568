"""Catalogues: every layout and format, and everything that can be wrong with them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rayon.data.catalogue import Row, open_catalogue
from rayon.data.records import Record, read_record
from rayon.data.textfiles import LineFeed
from rayon.errors import CatalogueError

HEADER = "designation,description,productid,imageid,prdtypecode\n"


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(path: Path, **options: object) -> list[Row]:
    return list(open_catalogue(path, **options).rows())  # type: ignore[arg-type]


def errors(path: Path, **options: object) -> list[str | None]:
    return [row.error for row in rows(path, **options)]


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(CatalogueError) as caught:
        rows(path, **options)
    return str(caught.value)


def challenge(folder: Path, x: str, y: str | None, part: str = "train") -> Path:
    write(folder / f"X_{part}_update.csv", x)
    if y is not None:
        write(folder / "Y_train_CVw08PX.csv", y)
    (folder / "images" / f"image_{part}").mkdir(parents=True)
    return folder


X = ",designation,description,productid,imageid\n"
Y = ",prdtypecode\n"


class TestChallengeFolder:
    def test_joins_by_index_and_not_by_position(self, tmp_path: Path) -> None:
        folder = challenge(tmp_path, X + "0,Lampe,,11,21\n1,Livre,Un roman,12,22\n", Y + "1,10\n0,2060\n")
        picture = write(folder / "images/image_train/image_22_product_12.jpg", b"x")
        first, second = rows(folder)
        assert (first.code, second.code) == ("2060", "10")
        assert first.ids == {"index": "0", "productid": "11", "imageid": "21"}
        assert first.listing is not None
        assert first.listing.image is None
        assert second.listing is not None
        assert second.listing.image == picture
        assert (second.number, second.line, second.error) == (2, 3, None)

    def test_code_without_listing_and_listing_without_code(self, tmp_path: Path) -> None:
        folder = challenge(tmp_path, X + "0,Lampe,,1,1\n1,Livre,,2,2\n", Y + "0,10\n7,40\n")
        first, second, stray = rows(folder)
        assert (first.code, second.code, second.error) == ("10", None, None)
        assert stray.error == "the index '7' of Y_train_CVw08PX.csv has no row in X_train_update.csv"
        assert (stray.listing, stray.ids["index"], stray.number) == (None, "7", 3)

    def test_files_that_do_not_belong_together(self, tmp_path: Path) -> None:
        folder = challenge(tmp_path, X + "0,Lampe,,1,1\n", Y + "5,10\n")
        assert refusal(folder) == (
            "Y_train_CVw08PX.csv and X_train_update.csv have no index in common. "
            "They are joined by their first column; check that they belong together"
        )

    def test_doubled_indices(self, tmp_path: Path) -> None:
        x = X + "0,Lampe,,1,1\n0,Livre,,2,2\n1,Vase,,3,3\nA,Pot,,4,4\nA,Pot,,4,4\n"
        folder = challenge(tmp_path, x, Y + "0,10\n1,40\n1,50\nA,60\n")
        assert errors(folder) == [
            None,
            "line 3: the index '0' is there a second time",
            "line 4: the index '1' is there a second time in line 4 of Y_train_CVw08PX.csv",
            None,
            "line 6: the index 'A' is there a second time",
        ]

    def test_bad_rows_of_codes(self, tmp_path: Path) -> None:
        folder = challenge(tmp_path, X + "0,Lampe,,1,1\n1,Livre,,2,2\n", Y + "0,10\n1,\n2,3,4\n,5\n")
        assert errors(folder) == [
            None,
            "line 3: the index '1' has no usable code in line 3 of Y_train_CVw08PX.csv",
            "line 4 of Y_train_CVw08PX.csv: the row has 3 fields where the header has 2",
            "line 5 of Y_train_CVw08PX.csv: the row has no index",
        ]

    def test_test_files_have_no_codes(self, tmp_path: Path) -> None:
        folder = challenge(tmp_path, X + "84916,Lampe,,1,2\n", None, "test")
        write(folder / "images/image_test/image_2_product_1.jpg", b"x")
        catalogue = open_catalogue(folder)
        (row,) = catalogue.rows()
        assert not catalogue.has_codes
        assert row.listing is not None
        assert row.listing.has_image
        with pytest.raises(CatalogueError, match=r"X_test_update\.csv has no column 'prdtypecode'"):
            catalogue.require_codes()

    def test_training_files_win_and_the_others_can_be_named(self, tmp_path: Path) -> None:
        folder = challenge(tmp_path, X + "0,Lampe,,1,1\n", Y + "0,10\n")
        write(folder / "X_test_update.csv", X + "9,Pot,,1,1\n")
        assert [row.ids["index"] for row in rows(folder)] == ["0"]
        assert [row.ids["index"] for row in rows(folder / "X_test_update.csv")] == ["9"]

    def test_missing_parts_of_the_folder(self, tmp_path: Path) -> None:
        hint = (
            "A catalogue folder holds X_train_update.csv, Y_train_CVw08PX.csv and images/image_train, "
            "or X_test_update.csv and images/image_test"
        )
        assert (
            refusal(tmp_path) == f"{tmp_path} is not a catalogue folder: it has no X_train_update.csv. {hint}"
        )
        write(tmp_path / "Y_train_CVw08PX.csv", Y + "0,10\n")
        assert refusal(tmp_path) == f"{tmp_path} has Y_train_CVw08PX.csv and no X_train_update.csv. {hint}"
        other = write(tmp_path / "other" / "shop.csv", HEADER + "a,b,1,1,10\n")
        assert refusal(other.parent).endswith(f"Did you mean {other}?")
        assert (
            refusal(tmp_path / "nowhere") == f"There is no catalogue {tmp_path / 'nowhere'}. Check the path"
        )

    def test_without_codes_the_file_of_codes_is_not_joined(self, tmp_path: Path) -> None:
        folder = challenge(tmp_path, X + "0,Lampe,,1,1\n", Y + "5,10\n")
        (row,) = open_catalogue(folder).rows(codes=False)
        assert (row.error, row.code) == (None, None)


class TestFormats:
    RECORDS = (
        {
            "designation": "Lampe à poser",
            "description": "Un <b>pied</b>",
            "productid": "1",
            "prdtypecode": "2060",
        },
        {"designation": "", "description": "Sans titre", "productid": "2", "prdtypecode": "10"},
    )

    def check(self, path: Path) -> None:
        first, second = rows(path)
        assert first.listing is not None
        assert first.listing.designation == "Lampe à poser"
        assert (first.code, second.code) == ("2060", "10")
        assert first.ids == {"productid": "1"}
        assert second.listing is not None
        assert second.listing.description == "Sans titre"

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_csv(self, tmp_path: Path, delimiter: str) -> None:
        with (tmp_path / "shop.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self.RECORDS[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(self.RECORDS)
        self.check(tmp_path / "shop.csv")

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_recognised_encodings_and_line_ends(self, tmp_path: Path, encoding: str, end: str) -> None:
        text = "designation,description,productid,prdtypecode\nLampe à poser,x,1,2060\n,Sans titre,2,10\n"
        self.check(write(tmp_path / "shop.csv", text.replace("\n", end).encode(encoding)))

    def test_compressed(self, tmp_path: Path) -> None:
        text = "designation,description,productid,prdtypecode\nLampe à poser,x,1,2060\n,Sans titre,2,10\n"
        self.check(write(tmp_path / "shop.csv.gz", gzip.compress(text.encode())))
        damaged = write(tmp_path / "bad.csv.gz", gzip.compress(text.encode())[:-12])
        assert refusal(damaged).startswith(f"{damaged} is damaged (")

    def test_json_lines(self, tmp_path: Path) -> None:
        lines = "\n\n".join(json.dumps(record) for record in self.RECORDS)
        self.check(write(tmp_path / "shop.jsonl", lines))

    def test_parquet_with_numbers(self, tmp_path: Path) -> None:
        frame = pl.DataFrame(self.RECORDS).with_columns(
            pl.col("productid").cast(pl.Float64), pl.col("prdtypecode").cast(pl.Int64)
        )
        frame.write_parquet(tmp_path / "shop.parquet")
        self.check(tmp_path / "shop.parquet")

    def test_aliases_and_explicit_columns(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", "Product ID,Title,Category,Extra\n1,Lampe,10,x\n")
        (row,) = rows(path)
        assert (row.ids, row.code) == ({"productid": "1"}, "10")
        (row,) = rows(path, columns={"designation": "Extra"})
        assert row.listing is not None
        assert row.listing.designation == "x"

    def test_unnamed_trailing_columns_are_left_alone(self, tmp_path: Path) -> None:
        (row,) = rows(write(tmp_path / "shop.csv", "designation,code,,\nLampe,10,,\n"))
        assert (row.code, row.error) == ("10", None)

    def test_size_and_numbers_are_the_same_on_every_reading(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", HEADER + "a,,1,1,10\n\nb,,2,2,10\n")
        catalogue = open_catalogue(path)
        assert [row.number for row in catalogue.rows()] == [row.number for row in catalogue.rows()] == [1, 2]
        assert catalogue.size >= 2


class TestWholeFileErrors:
    def test_latin_1_is_refused_with_its_line(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", (HEADER + "Lampe,,1,1,10\nThéière,,2,2,10\n").encode("latin-1"))
        assert refusal(path) == (
            f"{path} is not UTF-8: byte 0xE9 on line 3. Save it as UTF-8, or say how it was written, "
            "for instance --encoding latin-1 or --encoding windows-1252"
        )
        assert rows(path, encoding="latin-1")[1].listing is not None
        assert rows(path, encoding="windows-1252")[1].listing.designation == "Théière"  # type: ignore[union-attr]

    def test_wrong_byte_far_behind_the_start(self, tmp_path: Path) -> None:
        text = HEADER.encode() + b"Lampe,,1,1,10\n" * 200_000 + b"\xff,,1,1,10\n"
        assert "byte 0xFF on line 200002" in refusal(write(tmp_path / "shop.csv", text))

    def test_utf_16_without_a_mark(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", (HEADER + "Lampe,,1,1,10\n").encode("utf-16-le"))
        assert refusal(path) == (
            f"{path} is not UTF-8 text: a quarter or more of its first bytes are NUL. "
            "If it is UTF-16 without a mark, pass --encoding utf-16-le; else save it as UTF-8"
        )
        assert rows(path, encoding="utf-16-le")[0].code == "10"

    def test_truncated_utf_16(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", (HEADER + "Lampe,,1,1,10\n").encode("utf-16")[:-1])
        assert f"{path} is not UTF-16" in refusal(path)

    def test_unknown_encoding(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", HEADER + "a,,1,1,1\n")
        assert refusal(path, encoding="klingon") == (
            "There is no text encoding 'klingon'. Common ones are utf-8, latin-1, windows-1252, utf-16"
        )

    @pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
    @pytest.mark.parametrize("name", ["shop.csv", "shop.jsonl"])
    def test_empty_files(self, tmp_path: Path, content: str, name: str) -> None:
        path = write(tmp_path / name, content)
        assert refusal(path) == f"{path} is empty. Give a file with a line of column names and one of data"

    def test_empty_parquet(self, tmp_path: Path) -> None:
        path = tmp_path / "shop.parquet"
        pl.DataFrame({"designation": []}, schema={"designation": pl.String}).write_parquet(path)
        assert refusal(path) == f"{path} is empty. Give a file with at least one row"

    @pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
    @pytest.mark.parametrize(
        ("count", "texts"),
        [
            (4000, "pl.Series([f\"{'x' * 250_000}{number}\" for number in range(4000)])"),
            (300, "pl.lit('x' * 2_000_000)"),
        ],
        ids=["many", "one"],
    )
    def test_parquet_that_unpacks_to_much_more_than_it_is(
        self, tmp_path: Path, count: int, texts: str
    ) -> None:
        path = tmp_path / "shop.parquet"
        write_it = (
            "import sys, polars as pl\n"
            f"frame = pl.DataFrame({{'designation': ['a'] * {count}}})\n"
            f"frame.with_columns(description={texts}).write_parquet(sys.argv[1])\n"
        )
        read_it = (
            "import re, sys\n"
            "from pathlib import Path\n"
            "from rayon.data.catalogue import open_catalogue\n"
            "print(sum(1 for _ in open_catalogue(Path(sys.argv[1])).rows(codes=False)))\n"
            "print(re.findall(r'VmHWM:\\s*(\\d+) kB', Path('/proc/self/status').read_text())[0])\n"
        )
        subprocess.run([sys.executable, "-c", write_it, path], check=True)
        assert path.stat().st_size < 1_000_000
        done = subprocess.run(
            [sys.executable, "-c", read_it, path], capture_output=True, text=True, check=True
        )
        rows, kibibytes = map(int, done.stdout.split())
        assert rows == count
        assert kibibytes < 500 * 1024  # the texts alone are more

    def test_long_names_of_columns_are_shown_in_part(self, tmp_path: Path) -> None:
        name = "n" * 10_000
        path = write(tmp_path / "shop.csv", f"designation,{name},{name}\na,b,c\n")
        said = f"shop.csv has the column '{'n' * 79}…' 2 times. Rename or remove all but one of them"
        assert refusal(path) == said

    def test_long_texts_in_parquet_are_refused_unread(self, tmp_path: Path) -> None:
        path = tmp_path / "shop.parquet"
        texts = ["x" * 100_000, "x" * 5_000_000, "y"]
        pl.DataFrame({"designation": ["a"] * 3, "description": texts}).write_parquet(path)
        found = list(open_catalogue(path).rows(codes=False))
        assert [one.error for one in found] == [
            None,
            "row 2: the field 'description' is longer than 100,000 characters",
            None,
        ]

    def test_damaged_parquet(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.parquet", b"PAR1 is not all")
        assert refusal(path).startswith(f"{path} cannot be read as Parquet (")

    def test_missing_columns(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", "desination,price\nLampe,3\n")
        assert refusal(path) == (
            "shop.csv has no column 'designation', 'description' or 'image'; its columns are 'desination', "
            "'price'. Did you mean 'desination'?"
        )

    def test_missing_code(self, tmp_path: Path) -> None:
        catalogue = open_catalogue(write(tmp_path / "shop.csv", "designation,prdtypcode\nLampe,3\n"))
        with pytest.raises(CatalogueError) as caught:
            catalogue.require_codes()
        assert str(caught.value) == (
            "shop.csv has no column 'prdtypecode'; its columns are 'designation', 'prdtypcode'. "
            "Did you mean 'prdtypcode'?"
        )

    def test_columns_that_are_not_there(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", "titre,prix\nLampe,3\n")
        assert refusal(path, columns={"designation": "title"}) == (
            "shop.csv has no column 'title', which --columns gives for 'designation'. Did you mean 'titre'?"
        )
        assert refusal(path, columns={"designatoin": "titre"}) == (
            "--columns names an unknown field 'designatoin'. Did you mean 'designation'?"
        )

    def test_ambiguous_columns(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", "title,name,label,category\nLampe,x,1,2\n")
        assert refusal(path) == (
            "shop.csv has several columns that could be 'designation': 'title', 'name'. "
            "Say which with --columns designation=title"
        )
        catalogue = open_catalogue(path, columns={"designation": "name"})
        with pytest.raises(CatalogueError, match="several columns that could be 'prdtypecode'"):
            catalogue.require_codes()

    def test_a_column_twice(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", "designation,code,designation\na,1,b\n")
        assert refusal(path) == (
            "shop.csv has the column 'designation' 2 times. Rename or remove all but one of them"
        )

    def test_other_kinds_of_files(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.json", "[]")
        assert refusal(path) == (
            f"{path} is not a kind of file that holds a catalogue. Write one object a line and call it .jsonl"
        )
        assert "is not a kind of file" in refusal(write(tmp_path / "shop.xlsx", b"PK"))

    def test_json_lines_without_an_object(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.jsonl", "[1]\nnull\n")
        assert "holds no JSON objects in its first 200 lines" in refusal(path)

    def test_header_with_a_broken_quote(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", '"designation,code\nLampe,10\n')
        assert refusal(path).startswith(f"The first line of {path} cannot be read as names of columns")

    def test_missing_image_folder(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", HEADER + "a,,1,1,1\n")
        assert refusal(path, images=tmp_path / "none") == (
            f"There is no image folder {tmp_path / 'none'}. Check the path given with --images"
        )


class TestBadRows:
    def test_a_bad_row_stops_nothing(self, tmp_path: Path) -> None:
        text = (
            HEADER
            + "Lampe,,1,1,10\n,,2,,10\nVa\0se,,3,3,10\nPot,4\n"
            + "x" * 100_001
            + ",,5,5,10\nLivre,,6,6,10\n"
        )
        found = rows(write(tmp_path / "shop.csv", text))
        assert [row.error for row in found] == [
            None,
            "line 3: the listing has no title, no description and no picture",
            "line 4: the field 'designation' holds a NUL byte",
            "line 5: the row has 2 fields where the header has 5",
            "line 6: the field 'designation' is longer than 100,000 characters",
            None,
        ]
        assert [row.ids["productid"] for row in found] == ["1", "2", "3", "", "5", "6"]
        assert all((row.listing is None) == (row.error is not None) for row in found)

    @pytest.mark.parametrize("quote", ["", '"'])
    def test_a_title_of_ten_megabytes(self, tmp_path: Path, quote: str) -> None:
        text = HEADER + f"{quote}{'t' * 10_000_000}{quote},,1,1,10\nLampe,,2,2,10\n"
        path = write(tmp_path / "shop.csv", text)
        assert errors(path) == ["line 2: the field 'designation' is longer than 100,000 characters", None]

    def test_a_long_line_of_json(self, tmp_path: Path) -> None:
        path = write(
            tmp_path / "shop.jsonl", '{"designation": "a"}\n{"designation": "' + "t" * 2_000_000 + '"}\n'
        )
        assert errors(path) == [None, "line 2: the row is too long"]

    def test_an_open_quote_swallows_nothing(self, tmp_path: Path) -> None:
        text = HEADER + 'Lampe,,1,1,10\n"Ecran 15,,2,2,10\nLivre,,3,3,10\nVase,,4,4,10\n'
        assert errors(write(tmp_path / "shop.csv", text)) == [
            None,
            "line 3: the row has a quote that is opened on line 3 and never closed",
            None,
            None,
        ]

    def test_an_open_quote_before_another_quoted_field(self, tmp_path: Path) -> None:
        text = HEADER + '"Ecran 15,,2,2,10\nLivre,,3,3,10\n"Vase, bleu",,4,4,10\n'
        assert errors(write(tmp_path / "shop.csv", text)) == [
            "line 2: the row has a quote that is opened on line 2 and not properly closed",
            None,
            None,
        ]

    def test_an_open_quote_behind_a_field_of_two_lines(self, tmp_path: Path) -> None:
        text = HEADER + '"deux\nlignes","ouvert,1,1,10\nLivre,,3,3,10\n'
        assert errors(write(tmp_path / "shop.csv", text)) == [
            "line 2: the row has a quote that is opened on line 3 and never closed",
            None,
        ]

    def test_text_behind_a_closing_quote(self, tmp_path: Path) -> None:
        text = HEADER + '"5" ecran",,1,1,10\n15" ecran,,2,2,10\n'
        bad, good = rows(write(tmp_path / "shop.csv", text))
        assert bad.error == (
            "line 2: the row has text after a closing quote; "
            'a quote inside a quoted field is written twice ("")'
        )
        assert good.listing is not None
        assert good.listing.designation == '15" ecran'

    def test_too_few_fields_over_several_lines(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", HEADER + '"deux\nlignes",1\nLivre,,3,3,10\n')
        assert errors(path) == [
            "line 2: the row has 2 fields where the header has 5 (it runs to line 3; a quote may be open)",
            None,
        ]

    def test_bad_json(self, tmp_path: Path) -> None:
        lines = [
            '{"designation": "Lampe"}',
            '{"designation": "Lam',
            '["Lampe"]',
            '{"designation": ["Lampe"]}',
            '{"designation": true}',
            '{"designation": "\\ud800"}',
            '{"designation": "a\\u0000b"}',
            "[" * 100_000,
            '{"designation": NaN}',
            '{"designation": 12}',
        ]
        path = write(tmp_path / "shop.jsonl", "\n".join(lines))
        assert errors(path) == [
            None,
            "line 2: the row is not JSON (Unterminated string starting at at character 17)",
            "line 3: the row is JSON but not an object: it begins with '['",
            "line 4: the field 'designation' is of the type list, not text",
            "line 5: the field 'designation' is of the type bool, not text",
            "line 6: the field 'designation' holds half of a surrogate pair, which is no text",
            "line 7: the field 'designation' holds a NUL byte",
            "line 8: the row is JSON that is nested too deep or holds too long a number",
            "line 9: the listing has no title, no description and no picture",
            None,
        ]

    def test_bad_parquet_fields(self, tmp_path: Path) -> None:
        path = tmp_path / "shop.parquet"
        pl.DataFrame({"designation": [["a"], None], "description": ["b", None]}).write_parquet(path)
        assert errors(path) == [
            "row 1: the field 'designation' is of the type list, not text",
            "row 2: the listing has no title, no description and no picture",
        ]


class TestPictures:
    def test_conventions(self, tmp_path: Path) -> None:
        for name in ("image_1_product_1.png", "2.webp", "image_3_product_3.jpeg", "notes.txt"):
            write(tmp_path / "pictures" / name, b"x")
        path = write(
            tmp_path / "shop.csv", HEADER + "".join(f"a,,{i},{i},1\n" for i in (1, 2, 3, 4)) + "a,,5,,1\n"
        )
        images = [row.listing.image for row in rows(path, images=tmp_path / "pictures") if row.listing]
        names = [image.name if isinstance(image, Path) else None for image in images]
        assert names == ["image_1_product_1.png", "2.webp", "image_3_product_3.jpeg", None, None]

    def test_images_beside_the_file_and_ids_that_a_data_frame_spoiled(self, tmp_path: Path) -> None:
        picture = write(tmp_path / "images" / "image_7_product_8.jpg", b"x")
        (row,) = rows(write(tmp_path / "shop.csv", HEADER + ",,8.0,7.0,1\n"))
        assert row.listing is not None
        assert row.listing.image == picture

    def test_only_pictures(self, tmp_path: Path) -> None:
        write(tmp_path / "images" / "7.jpg", b"x")
        path = write(tmp_path / "shop.csv", "imageid,code\n7,10\n8,10\n")
        assert errors(path) == [None, "line 3: the listing has no title, no description and no picture"]

    def test_a_column_of_paths(self, tmp_path: Path) -> None:
        inside = write(tmp_path / "shop" / "deep" / "a.jpg", b"x")
        outside = write(tmp_path / "secret.jpg", b"x")
        values = [
            "deep/a.jpg",
            str(inside),
            "deep/b.jpg",
            "../secret.jpg",
            str(outside),
            "https://x.fr/a.jpg",
            "",
        ]
        text = "designation,image\n" + "".join(f"t,{value}\n" for value in values)
        found = rows(write(tmp_path / "shop" / "shop.csv", text))
        assert [row.listing.image if row.listing else None for row in found] == [inside, inside, *[None] * 5]
        assert [row.warning for row in found] == [
            None,
            None,
            "line 4: the field 'image' names 'deep/b.jpg', which is not there",
            "line 5: the field 'image' names '../secret.jpg', which is outside of the image folder",
            f"line 6: the field 'image' names '{outside}', which is outside of the image folder",
            "line 7: the field 'image' names 'https://x.fr/a.jpg', which is a web address and not a file",
            None,
        ]

    def test_nothing_but_a_picture_that_is_not_there(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", "designation,image\n,a.jpg\n")
        assert errors(path) == ["line 2: the field 'image' names 'a.jpg', which is not there"]

    def test_bytes_in_parquet(self, tmp_path: Path) -> None:
        pl.DataFrame({"image": [b"\xff\xd8", None], "name": ["", "Lampe"]}).write_parquet(
            tmp_path / "a.parquet"
        )
        first, second = rows(tmp_path / "a.parquet")
        assert first.listing is not None
        assert first.listing.image == b"\xff\xd8"
        assert second.listing is not None
        assert second.listing.image is None


class TestFingerprint:
    def test_changes_with_the_content_only(self, tmp_path: Path) -> None:
        path = write(tmp_path / "shop.csv", HEADER + "a,,1,1,10\n")
        copy = write(tmp_path / "copy.csv", HEADER + "a,,1,1,10\n")
        first = open_catalogue(path).fingerprint()
        assert first == open_catalogue(copy).fingerprint()
        write(path, HEADER + "b,,1,1,10\n")
        assert first != open_catalogue(path).fingerprint()

    def test_covers_the_codes(self, tmp_path: Path) -> None:
        folder = challenge(tmp_path, X + "0,Lampe,,1,1\n", Y + "0,10\n")
        first = open_catalogue(folder).fingerprint()
        write(folder / "Y_train_CVw08PX.csv", Y + "0,20\n")
        assert first != open_catalogue(folder).fingerprint()


def records(text: str) -> list[Record]:
    feed = LineFeed(io.StringIO(text, newline=""))
    return list(iter(lambda: read_record(feed, ","), None))


FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.lists(FIELD, min_size=2, max_size=4), max_size=8))
def test_records_are_those_of_the_standard_library(table: list[list[str]]) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(table)
    got = records(buffer.getvalue())
    assert [record.fields for record in got] == table
    assert all(record.problem is None for record in got)


@given(st.text(st.sampled_from('a,"\n\r'), max_size=60))
def test_any_text_is_read_to_its_end(text: str) -> None:
    got = records(text)
    lines = [record.line for record in got]
    assert lines == sorted(set(lines))
    for record in got:
        assert record.line <= record.last_line


@given(st.text(st.sampled_from('a,"\n'), max_size=40))
def test_where_the_standard_library_agrees_that_text_is_well_formed(text: str) -> None:
    try:
        expected = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error:
        assert any(record.problem for record in records(text))
    else:
        got = records(text)
        assert [record.fields for record in got] == expected
        assert not any(record.problem for record in got)


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_any_bytes_give_rows_or_a_clear_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in ("a.csv", "a.jsonl"):
        path = write(folder / name, b'designation,code\n"a",1\n' + data if name == "a.csv" else data)
        try:
            found = rows(path)
        except CatalogueError as error:
            refused = error
        else:
            refused = None
        if refused is not None:
            assert refused.hint
        else:
            assert [row.number for row in found] == list(range(1, len(found) + 1))


def test_memory_does_not_grow_with_the_catalogue(tmp_path: Path) -> None:
    def peak(n: int) -> int:
        path = tmp_path / f"{n}.csv"
        with path.open("w") as file:
            file.write(",designation,description,productid,imageid\n")
            file.writelines(f'{i},"Lampe, {i}",{"mot " * 50},{i},{i}\n' for i in range(n))
        catalogue = open_catalogue(path)
        tracemalloc.start()
        try:
            assert sum(1 for _ in catalogue.rows(codes=False)) == n
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(8_000) < peak(1_000) + 500_000


@pytest.mark.parametrize(
    "name", ["train-gold", "train-silver", "train-image-only", "dev-balanced", "dev-natural"]
)
def test_real_folders(shared: Path, name: str) -> None:
    catalogue = open_catalogue(shared / "data" / "rakuten" / name)
    expected = {"train-gold": 4486, "train-silver": 10035, "train-image-only": 942, "dev-balanced": 270}
    found = list(catalogue.rows())
    assert len(found) == expected.get(name, 845)
    assert not any(row.error or row.warning for row in found)
    assert all(row.code for row in found)
    pictures = sum(row.listing is not None and row.listing.has_image for row in found)
    assert pictures == {"train-gold": 38, "dev-natural": 16}.get(name, len(found))
