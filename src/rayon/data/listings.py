"""The listing: one product for sale, as it arrives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rayon.errors import ListingError

ImageSource = Path | bytes
"""Where a picture comes from: a file, or the encoded bytes themselves."""

TEXT_FIELDS = ("designation", "description", "productid", "imageid")


@dataclass(frozen=True, slots=True)
class Listing:
    """One product for sale; any part may be missing, not all of them.

    Parameters
    ----------
    designation
        The title. Empty where it is missing.
    description
        The longer text, possibly HTML. Empty where it is missing.
    image
        A file (a path, as text too) or the encoded bytes of a picture; ``None`` where there is none.
    productid, imageid
        The seller's identifiers, carried along and never used to classify.
    """

    designation: str = ""
    description: str = ""
    image: ImageSource | None = None
    productid: str = ""
    imageid: str = ""

    def __post_init__(self) -> None:
        image: Any = self.image
        if isinstance(image, str):  # people write paths as text; nobody should learn so from a traceback
            object.__setattr__(self, "image", Path(image) if image else None)

    @property
    def has_text(self) -> bool:
        """Whether there is a title or a description with something other than white space in it."""
        return bool(self.designation.strip() or self.description.strip())

    @property
    def has_image(self) -> bool:
        """Whether a picture is named; it may still prove unreadable."""
        return self.image is not None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all to classify."""
        return not self.has_text and not self.has_image


def as_listing(item: Listing | str | Mapping[str, Any]) -> Listing:
    """Make a listing of what people have at hand: a listing, a title, or a mapping of fields.

    Raises
    ------
    ListingError
        When the item is of another type, or a field is neither text, number nor missing.
    """
    if isinstance(item, Listing):
        return item
    if isinstance(item, str):
        return Listing(designation=item)
    if isinstance(item, Mapping):
        fields = {name: _text(name, item.get(name)) for name in TEXT_FIELDS}
        return Listing(image=_image(item.get("image")), **fields)
    raise ListingError(
        f"A listing cannot be made of {type(item).__name__}",
        "Give a rayon.Listing, a title, or a mapping with designation, description and image",
    )


def as_listings(items: Any) -> list[Listing]:
    """Make listings of a sequence of items or of a data frame (Polars or pandas).

    Parameters
    ----------
    items
        A sequence of what `as_listing` takes, or a data frame with its fields as columns.

    Returns
    -------
    list of Listing
        In the given order, `N` of them.
    """
    if isinstance(items, str | Mapping | Listing):
        raise ListingError("Expected several listings and got a single one", "Put it in a list: [listing]")
    if hasattr(items, "iter_rows"):  # a Polars frame
        return [as_listing(row) for row in items.iter_rows(named=True)]
    if hasattr(items, "to_dict") and hasattr(items, "columns"):  # a pandas frame
        return [as_listing(row) for row in items.to_dict("records")]
    if not isinstance(items, Sequence) and not hasattr(items, "__iter__"):
        raise ListingError(f"Listings cannot be read from {type(items).__name__}", "Give a list of listings")
    return [as_listing(item) for item in items]


def _text(name: str, value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):  # NaN is how frames say "missing"
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(int(value)) if float(value).is_integer() else str(value)
    raise ListingError(f"The field {name!r} of a listing holds {type(value).__name__}", "It takes text")


def _image(value: Any) -> ImageSource | None:
    if value is None or value == "" or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, Path | bytes):
        return value
    if isinstance(value, str):
        return Path(value)
    raise ListingError(f"The image of a listing is {type(value).__name__}", "It takes a path or bytes")
