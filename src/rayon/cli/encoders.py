"""``rayon encoders``: pretrained weights, and the encoders that are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from rayon.cli.console import NEEDS_ATTENTION, out, print_json, say
from rayon.cli.options import Json
from rayon.encoders.onnx_text import DEFAULT_LENGTH
from rayon.encoders.pretrained import part_of_weights, write_pretrained
from rayon.encoders.weights import PREFIX, Weights, WeightStore
from rayon.errors import ModelError, OutputError
from rayon.settings import Settings

encoders = typer.Typer(
    no_args_is_help=True, help="Pretrained weights, and the encoders that are made of them."
)

BUILT_IN = {
    "ngrams": ("text", "words and n-grams, counted; nothing to download"),
    "conv1d": ("text", "a network trained from scratch; extra deep"),
    "builtin": ("image", "colour, shape and texture; nothing to download"),
    "cnn": ("image", "a network trained from scratch; extra deep"),
}

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="On the Hugging Face hub, with `@REVISION` where not the newest, or a folder.",
        show_default=False,
    ),
]


@encoders.command("list")
def list_encoders(as_json: Json = False) -> None:
    """Show what `--text-encoder` and `--image-encoder` take: the built-in ones, and weights that are here.

    Example: rayon encoders list
    """
    store = _store()
    rows: list[dict[str, Any]] = [
        {"name": name, "part": part, "revision": None, "bytes": None, "about": about}
        for name, (part, about) in BUILT_IN.items()
    ]
    rows += [_row(place) for place in store.places()]
    if as_json:
        print_json({"encoders": rows})
        return
    table = Table("encoder", "for", "revision", "MB", "", box=None)
    for row in rows:
        size = "" if row["bytes"] is None else f"{row['bytes'] / 1e6:,.0f}"
        table.add_row(row["name"], row["part"], (row["revision"] or "")[:12], size, row["about"])
    out.print(table)


@encoders.command()
def pull(names: Annotated[list[str], typer.Argument(metavar="NAME...")], as_json: Json = False) -> None:
    """Fetch pretrained weights from the Hugging Face hub into RAYON_HOME, and pin their revision.

    Only safetensors, configuration and tokenizer are fetched, and no code. The folder can be copied to a
    machine without a network.

    Example: rayon encoders pull almanach/camembert-base
    """
    found = []
    for name in names:
        say(f"Fetching {name.removeprefix(PREFIX)} …")
        found.append(_store().pull(name))
    if as_json:
        print_json({"pulled": [_document(weights) for weights in found]})
        return
    for weights in found:
        out.print(f"{weights.name} at revision {weights.revision[:12]} is in {weights.folder}", markup=False)
        out.print(f"Use it with: --{_part(weights)}-encoder {PREFIX}{weights.name}", markup=False)


@encoders.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]")] = None, as_json: Json = False
) -> None:
    """Check every byte of weights against what was fetched; all of them where no name is given.

    Exits with 3 where something is amiss.

    Example: rayon encoders verify
    """
    store = _store()
    checked: list[dict[str, Any]] = []
    for name, look in _to_verify(store, names or []):
        try:
            weights = look()
            checked.append({"name": name, "whole": True, **_document(weights)})
        except ModelError as error:
            checked.append({"name": name, "whole": False, "problem": str(error)})
    if as_json:
        print_json({"verified": checked})
    else:
        for one in checked:
            out.print(
                f"✓ {one['name']}: {one['sha256'][:12]}" if one["whole"] else f"✗ {one['problem']}",
                markup=False,
                soft_wrap=True,
            )
        if not checked:
            out.print("There are no weights here. Fetch some with: rayon encoders pull NAME", markup=False)
    if not all(one["whole"] for one in checked):
        raise typer.Exit(NEEDS_ATTENTION)


@encoders.command()
def export(
    name: Name,
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder to make.", show_default=False)
    ],
    int8: Annotated[bool, typer.Option("--int8", help="Weights in eight bits: smaller and faster.")] = False,
    max_length: Annotated[
        int, typer.Option(min=4, max=8192, help="Tokens of a listing that a text encoder reads.")
    ] = DEFAULT_LENGTH,
    as_json: Json = False,
) -> None:
    """Write pretrained weights as an ONNX encoder, which needs neither torch nor a network any more.

    What is written is compared with the network before it counts.

    Example: rayon encoders export almanach/camembert-base --out camembert --int8
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is in the way", "Choose another folder")
    weights = _store().find(name)
    part = part_of_weights(weights)
    encoder = write_pretrained(part, weights, folder, "int8" if int8 else "fp32", max_length)
    size = encoder.path.stat().st_size
    if as_json:
        print_json({"file": str(encoder.path), "part": part, "bytes": size, **encoder.spec()})
        return
    out.print(f"{encoder.path}: {size / 1e6:,.0f} MB, vectors of {encoder.dimension}", markup=False)
    out.print(f"Use it with: --{part}-encoder {encoder.path}", markup=False)


def _store() -> WeightStore:
    return WeightStore(Settings().networks / "pretrained")


def _part(weights: Weights) -> str:
    try:
        return part_of_weights(weights)
    except ModelError:
        return "text"


def _row(place: Path) -> dict[str, Any]:
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    try:
        manifest = WeightStore.manifest(place)
    except ModelError as error:
        return {"name": place.name, "part": "", "revision": None, "bytes": size, "about": error.message}
    weights = Weights(manifest["name"], place, manifest["revision"], "")
    return {
        "name": f"{PREFIX}{weights.name}",
        "part": _part(weights),
        "revision": weights.revision,
        "bytes": size,
        "about": "pretrained; extra deep",
    }


def _to_verify(store: WeightStore, names: list[str]) -> list[tuple[str, Any]]:
    if names:
        return [(name, lambda name=name: store.here(name)) for name in names]
    return [(place.name, lambda place=place: store.verify(place)) for place in store.places()]


def _document(weights: Weights) -> dict[str, str]:
    return {**weights.source(), "folder": str(weights.folder)}
