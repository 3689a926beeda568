"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rayon.data.columns import CODE, IMAGE, INDEX
from rayon.errors import CatalogueError, TrainingError

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


TextEncoders = Annotated[
    list[str] | None,
    typer.Option(
        "--text-encoder",
        metavar="NAME",
        help="`ngrams` (the default), `none`, `conv1d`, `hf:NAME_OR_FOLDER` (pretrained weights), or the "
        "path of an ONNX encoder; may be repeated.",
    ),
]
ImageEncoders = Annotated[
    list[str] | None,
    typer.Option(
        "--image-encoder",
        metavar="NAME",
        help="`builtin` (the default), `none`, `cnn`, `hf:NAME_OR_FOLDER` (pretrained weights), or the "
        "path of an ONNX encoder; may be repeated.",
    ),
]
NetworkWords = Annotated[
    list[str] | None,
    typer.Option(
        "--network",
        metavar="NAME=VALUE",
        help="How networks are trained and exported, such as epochs=3, learning_rate=2e-5, precision=int8; "
        "may be repeated. An unknown name lists them all.",
    ),
]


def network_words(pairs: list[str] | None) -> dict[str, str]:
    """What `NetworkTraining.from_words` takes, from the command line's options.

    Raises
    ------
    TrainingError
        When one is not of the form NAME=VALUE.
    """
    words = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise TrainingError(
                f"The training option {pair!r} is not of the form NAME=VALUE",
                "Write for instance --network epochs=3",
            )
        words[name.strip().replace("-", "_")] = value.strip()
    return words


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
