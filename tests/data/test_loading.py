"""Several catalogues as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rayon.data.loading import Rejected, read_catalogue
from rayon.data.taxonomy import Taxonomy
from rayon.errors import CatalogueError

HEADER = "designation,description,productid,imageid,prdtypecode\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_joins_in_order_and_knows_the_places(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", HEADER + "Lampe,,1,1,2060\n,,2,2,10\nVase,,3,3,1560\n")
    b = write(tmp_path / "b.csv", HEADER + "Livre,,4,,10\n")
    loaded = read_catalogue([a, b])
    assert [listing.designation for listing in loaded.listings] == ["Lampe", "Vase", "Livre"]
    assert loaded.codes == ["2060", "1560", "10"]
    assert [loaded.place(i) for i in range(len(loaded))] == [f"{a}, row 1", f"{a}, row 3", f"{b}, row 1"]
    reason = "line 3: the listing has no title, no description and no picture"
    assert loaded.rejected == [Rejected(str(a), 2, 3, reason)]
    assert loaded.missing_images == 2
    assert loaded.source_of.dtype == np.int32
    assert loaded.number_of.dtype == np.int64


def test_codes_that_the_taxonomy_lacks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", HEADER + "Lampe,,1,1,2061\nLivre,,2,2,10.0\nVase,,3,3,xyz\nPot,,4,4,\n")
    loaded = read_catalogue(path, taxonomy=Taxonomy.rakuten_france())
    assert loaded.codes == ["10"]
    assert [row.reason for row in loaded.rejected] == [
        "line 2: The taxonomy has no code '2061'. Did you mean '2060'?",
        "line 4: The taxonomy has no code 'xyz'. Add it to the taxonomy file",
        "line 5: the listing has no code",
    ]


def test_listings_without_a_code_in_the_other_file(tmp_path: Path) -> None:
    write(
        tmp_path / "X_train_update.csv",
        ",designation,description,productid,imageid\n0,Lampe,,1,1\n1,Pot,,2,2\n",
    )
    write(tmp_path / "Y_train_CVw08PX.csv", ",prdtypecode\n0,10\n2,40\n")
    loaded = read_catalogue(tmp_path, codes="required")
    assert loaded.codes == ["10"]
    assert [row.reason for row in loaded.rejected] == [
        "line 3: the listing has no code",
        "the index '2' of Y_train_CVw08PX.csv has no row in X_train_update.csv",
    ]


def test_codes_wanted(tmp_path: Path) -> None:
    with_codes = write(tmp_path / "a.csv", HEADER + "Lampe,,1,1,10\n")
    without = write(tmp_path / "b.csv", "designation\nLampe\n")
    assert read_catalogue(with_codes, codes="none").codes is None
    assert read_catalogue(without).codes is None
    with pytest.raises(CatalogueError) as caught:
        read_catalogue([with_codes, without])
    assert str(caught.value) == f"{with_codes} has codes and {without} has none. Read them one at a time"
    with pytest.raises(CatalogueError, match=r"b\.csv has no column 'prdtypecode'"):
        read_catalogue([with_codes, without], codes="required")


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError) as caught:
        read_catalogue([])
    assert str(caught.value) == "No catalogue was given. Name at least one folder or file"
    path = write(tmp_path / "a.csv", "designation,description\n ,\n")
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(path)
    assert str(caught.value) == (
        f"No row of {path} can be used. "
        "The first problem: line 2: the listing has no title, no description and no picture"
    )
    path = write(tmp_path / "b.csv", "designation,description\n")
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(path)
    assert str(caught.value) == f"No row of {path} can be used. The first problem: there are no rows"


def test_warnings_and_progress(tmp_path: Path) -> None:
    lines = "".join(f"t{i},none.jpg\n" for i in range(1500))
    path = write(tmp_path / "a.csv", "designation,image\n" + lines)
    calls: list[tuple[int, int]] = []
    loaded = read_catalogue(path, progress=lambda done, expected: calls.append((done, expected)))
    assert len(loaded.warnings) == len(loaded) == 1500
    assert loaded.warnings[0].reason == "line 2: the field 'image' names 'none.jpg', which is not there"
    assert [done for done, _ in calls] == [1000]
    assert calls[0][1] >= 1500


def test_fingerprint_follows_content_and_order(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", HEADER + "Lampe,,1,1,10\n")
    b = write(tmp_path / "b.csv", HEADER + "Livre,,1,1,10\n")
    one, other, same = (read_catalogue(paths).fingerprint for paths in ([a, b], [b, a], [a, b]))
    assert one == same != other


def test_the_english_set(shared: Path) -> None:
    loaded = read_catalogue(shared / "data" / "rakuten-en" / "test.csv", taxonomy=Taxonomy.rakuten_france())
    assert (len(loaded), loaded.rejected) == (5062, [])
    assert loaded.codes is not None
    assert len(set(loaded.codes)) == 27
