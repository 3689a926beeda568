"""What listings can be made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from rayon.data.listings import Listing, as_listing, as_listings
from rayon.errors import ListingError


class PandasLike:
    """The two things of a pandas frame that are looked at."""

    columns = ("designation", "image")

    def to_dict(self, orient: str) -> list[dict[str, object]]:
        assert orient == "records"
        return [{"designation": "Lampe", "image": float("nan")}]


def test_parts() -> None:
    assert Listing(designation="Lampe").has_text
    assert Listing(description="Lampe").has_text
    assert not Listing(designation=" \n").has_text
    assert Listing(image=b"x").has_image
    assert Listing(productid="1", imageid="2").is_empty
    assert not Listing(image=b"x").is_empty


def test_made_of_a_title_a_mapping_or_itself() -> None:
    listing = Listing("Lampe")
    assert as_listing(listing) is listing
    assert as_listing("Lampe") == listing
    made = as_listing({"designation": "Lampe", "productid": 12.0, "imageid": 3, "image": "a.jpg", "price": 4})
    assert made == Listing("Lampe", "", Path("a.jpg"), "12", "3")
    assert as_listing({"designation": None, "description": float("nan"), "productid": 1.5}) == Listing(
        productid="1.5"
    )
    assert as_listing({"image": b"x"}).image == b"x"
    assert as_listing({"image": ""}).image is None


def test_made_of_several() -> None:
    frame = pl.DataFrame({"designation": ["Lampe", None], "productid": [1, 2]})
    assert as_listings(frame) == [Listing("Lampe", productid="1"), Listing(productid="2")]
    assert as_listings(PandasLike()) == [Listing("Lampe")]
    assert as_listings(["Lampe", {"designation": "Livre"}]) == [Listing("Lampe"), Listing("Livre")]
    assert as_listings(title for title in ("Lampe",)) == [Listing("Lampe")]
    assert as_listings([]) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: as_listing(3),
            "A listing cannot be made of int. "
            "Give a rayon.Listing, a title, or a mapping with designation, description and image",
        ),
        (
            lambda: as_listing({"designation": ["a"]}),
            "The field 'designation' of a listing holds list. It takes text",
        ),
        (
            lambda: as_listing({"description": True}),
            "The field 'description' of a listing holds bool. It takes text",
        ),
        (lambda: as_listing({"image": 3}), "The image of a listing is int. It takes a path or bytes"),
        (
            lambda: as_listings("Lampe"),
            "Expected several listings and got a single one. Put it in a list: [listing]",
        ),
        (lambda: as_listings(3), "Listings cannot be read from int. Give a list of listings"),
    ],
)
def test_what_is_no_listing(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ListingError) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_infinite_numbers_are_text_like_any_other(value: float) -> None:
    assert as_listing({"productid": value}).productid == str(value)
