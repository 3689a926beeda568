"""What an inspection finds in a catalogue."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rayon.data.inspection import Inspection, LabelIssue, inspect_catalogue
from rayon.data.loading import LoadedCatalogue, read_catalogue
from rayon.data.taxonomy import Taxonomy

TITLE = "Lampe de bureau articulée en métal noir mat pour la chambre"
HEADER = "designation,description,productid,imageid,prdtypecode\n"


def encoded_picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((128, 128)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedCatalogue:
    text = HEADER + (
        f"{TITLE},Livrée sans ampoule,1,1,2060\n"
        f"{TITLE.upper()},<p>Livr&eacute;e sans ampoule</p>,2,2,1560\n"
        "The history of the world in one book,,3,3,10\n"
        ",,4,4,10\n"
        ",,5,,10\n"
        "Coussin,,,,9999\n"
        "Vase bleu,,6,6,10\n"
    )
    (tmp_path / "images").mkdir()
    for name, data in (
        ("image_1_product_1.png", encoded_picture(1)),
        ("image_3_product_3.png", encoded_picture(1)),
        ("image_4_product_4.png", b"not a picture"),
    ):
        (tmp_path / "images" / name).write_bytes(data)
    path = tmp_path / "shop.csv"
    path.write_text(text, encoding="utf-8")
    return read_catalogue(path, taxonomy=Taxonomy.rakuten_france())


@pytest.fixture
def inspection(loaded: LoadedCatalogue) -> Inspection:
    issues = [LabelIssue(1, "1560", "2060", 0.02), LabelIssue(2, "10", "2403", 0.1)]
    return inspect_catalogue(loaded, taxonomy=Taxonomy.rakuten_france(), issues=issues, examples=1)


def test_rows_and_what_is_missing(inspection: Inspection) -> None:
    assert (inspection.rows, inspection.listings, inspection.rejected_rows) == (7, 5, 2)
    assert len(inspection.rejected) == 1
    assert inspection.missing == {
        "designation": 1,
        "description": 3,
        "text": 1,
        "image": 2,
        "productid": 0,
        "imageid": 0,
        "image file": 2,
    }


def test_codes_and_balance(inspection: Inspection) -> None:
    assert inspection.codes is not None
    assert inspection.balance is not None
    assert [(count.code, count.n, count.share) for count in inspection.codes] == [
        ("10", 3, 0.6),
        ("1560", 1, 0.2),
        ("2060", 1, 0.2),
    ]
    assert all(count.label != count.code for count in inspection.codes)
    balance = inspection.balance
    assert (balance.n_codes, balance.largest, balance.smallest) == (3, 3, 1)
    assert balance.single == ["1560", "2060"]
    assert len(balance.unused) == 24
    assert balance.effective_codes == pytest.approx(np.exp(-(0.6 * np.log(0.6) + 0.4 * np.log(0.2))))


def test_languages_and_lengths(inspection: Inspection) -> None:
    assert inspection.languages["fr"] == 3
    assert inspection.languages["en"] == 1
    lengths = inspection.title_lengths
    assert (lengths.n, lengths.minimum, lengths.maximum) == (4, 9, len(TITLE))
    assert sum(lengths.counts) == 4
    assert len(lengths.edges) == len(lengths.counts) + 1
    assert inspection.description_lengths.n == 2


def test_duplicates_and_their_codes(inspection: Inspection) -> None:
    text = inspection.text_duplicates
    assert (text.exact_groups, text.exact_listings, text.near_groups, text.near_listings) == (1, 2, 1, 2)
    assert (text.conflicting_groups, text.conflicting_listings) == (1, 2)
    assert text.conflicts[0].codes == ["1560", "2060"]
    assert text.conflicts[0].exact
    assert [ref.index for ref in text.examples[0].listings] == [0, 1]
    pictures = inspection.image_duplicates
    assert pictures is not None
    assert (pictures.exact_groups, pictures.exact_listings, pictures.conflicting_groups) == (1, 2, 1)


def test_unreadable_pictures(inspection: Inspection, loaded: LoadedCatalogue) -> None:
    assert inspection.unreadable_images == 1
    (bad,) = inspection.unreadable
    assert bad.listing.place == loaded.place(3) == f"{loaded.sources[0]}, row 4"
    assert bad.listing.image == str(loaded.listings[3].image)
    assert "image_4_product_4.png" in bad.reason


def test_suspects(inspection: Inspection) -> None:
    assert inspection.suspect_labels == 2
    (suspect,) = inspection.suspects
    assert (suspect.given, suspect.suggested, suspect.quality) == ("1560", "2060", 0.02)
    assert suspect.listing.designation == TITLE.upper()
    assert suspect.given_label == Taxonomy.rakuten_france().label("1560")


def test_is_ready_for_json(inspection: Inspection) -> None:
    figures = json.loads(json.dumps(inspection.to_dict()))
    assert figures["balance"]["n_codes"] == 3
    assert figures["text_duplicates"]["conflicts"][0]["listings"][0]["code"] == "2060"


def test_without_codes_pictures_and_issues(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("designation\nLampe de chevet\nLampe de chevet\n", encoding="utf-8")
    inspection = inspect_catalogue(read_catalogue(path), images=False)
    assert inspection.codes is inspection.balance is inspection.image_duplicates is None
    assert inspection.unreadable_images is inspection.suspect_labels is None
    assert inspection.text_duplicates.conflicting_groups == 0
    assert inspection.description_lengths.edges == []
    json.dumps(inspection.to_dict())


def test_a_real_folder(shared: Path) -> None:
    loaded = read_catalogue(shared / "data" / "rakuten" / "dev-balanced")
    inspection = inspect_catalogue(loaded, taxonomy=Taxonomy.rakuten_france())
    assert (inspection.listings, inspection.unreadable_images) == (270, 0)
    assert inspection.balance is not None
    assert inspection.balance.effective_codes == pytest.approx(27)
    assert next(iter(inspection.languages)) == "fr"
