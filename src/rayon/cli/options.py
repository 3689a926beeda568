"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rayon.data.columns import CODE, IMAGE, INDEX
from rayon.errors import CatalogueError

FIELDS = ("designation", "description", "productid", "imageid", CODE, IMAGE, INDEX)

Catalogues = Annotated[
    list[Path],
    typer.Argument(
        metavar="CATALOGUE...",
        help="Folders in the challenge's layout, or CSV, Parquet or JSON Lines files; several are joined.",
        show_default=False,
    ),
]
ModelDir = Annotated[
    Path, typer.Argument(metavar="MODEL_DIR", help="A folder that `rayon train` made.", show_default=False)
]
PinnedModel = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="MODEL_DIR",
        help="Pins what answers. RAYON_MODEL where not given; without both, the champion answers.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="FIELD=NAME",
        help="Where a field is, if its column bears another name; may be repeated. "
        f"Fields: {', '.join(FIELDS)}.",
    ),
]
Images = Annotated[
    Path | None,
    typer.Option("--images", metavar="DIR", help="Folder of the pictures, if not beside the catalogue."),
]
Encoding = Annotated[
    str | None, typer.Option("--encoding", metavar="NAME", help="Of the text files, if not UTF-8 or UTF-16.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else.")]


def reading_options(columns: list[str] | None, images: Path | None, encoding: str | None) -> dict[str, Any]:
    """The keywords of `read_catalogue` from the command line's options.

    Raises
    ------
    CatalogueError
        When a mapping is not of the form FIELD=NAME.
    """
    mapping = {}
    for pair in columns or []:
        field, equals, name = pair.partition("=")
        if not (field and equals and name):
            raise CatalogueError(
                f"The column mapping {pair!r} is not of the form FIELD=NAME",
                "Write for instance --columns designation=titre",
            )
        mapping[field] = name
    return {"columns": mapping or None, "images": images, "encoding": encoding}
