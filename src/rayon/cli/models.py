"""``rayon models``: the models that are kept, and the one that serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.table import Column, Table

from rayon.cli.console import DONE, NEEDS_ATTENTION, out, print_json, progress_bars, say
from rayon.cli.golden import golden_set
from rayon.cli.options import Columns, Encoding, Images, Json, ModelDir, reading_options
from rayon.cli.service import open_database
from rayon.data.listings import Listing
from rayon.errors import CatalogueError, RayonError
from rayon.learning.model import ProductClassifier
from rayon.operations.accounts import COMMAND_LINE as ACTOR
from rayon.operations.comparison import Comparison, compare_models, compare_on
from rayon.operations.registry import Registry
from rayon.settings import Settings
from rayon.store.models import ModelVersion, Promotion

models = typer.Typer(no_args_is_help=True, help="The models that are kept, and the one that serves.")

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Of a model, or the beginning of its name.", show_default=False),
]
Reason = Annotated[str, typer.Option(help="Why, for whoever asks later.")]


@models.command("list")
def list_(as_json: Json = False) -> None:
    """List the models that are registered, the last one first.

    Example: rayon models list
    """
    with _registry() as registry:
        found, champion = registry.versions(), registry.champion()
    if as_json:
        print_json({"models": [_version(one, champion) for one in found]})
        return
    table = Table(Column("name", no_wrap=True), "trained", "listings", "F1", "accepted", "promise", "")
    for one in found:
        fused = one.figures["figures"]["modalities"]["fused"]
        table.add_row(
            one.name,
            f"{one.created_at:%Y-%m-%d %H:%M}",
            f"{one.figures['data']['trusted']:,}",
            f"{fused['weighted_f1']:.3f}",
            "–" if fused["coverage"] is None else f"{fused['coverage']:.3f}",
            f"{one.figures['promise']['precision']:.0%}",
            "champion" if one.name == champion else "",
        )
    out.print(table)


@models.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show a model and when it served.

    Example: rayon models show 3f2a
    """
    with _registry() as registry:
        found, champion = registry.find(name), registry.champion()
        served = [one for one in registry.promotions() if one.model == found.name]
        folder = registry.folder_of(found.name)
    if as_json:
        moves = [_promotion(one) for one in served]
        print_json({**_version(found, champion), "folder": str(folder), "promotions": moves})
        return
    out.print((folder / "MODEL_CARD.md").read_text(encoding="utf-8"), markup=False)
    for one in served:
        out.print(_sentence(one), markup=False)


@models.command("import")
def import_(
    folder: ModelDir,
    promote: Annotated[bool, typer.Option("--promote", help="Make it the champion at once.")] = False,
    reason: Reason = "imported",
    as_json: Json = False,
) -> None:
    """Keep a copy of a model folder in RAYON_HOME, and register it.

    Example: rayon models import model --promote
    """
    with _registry() as registry:
        made = registry.register(folder, ACTOR)
        if promote and registry.champion() != made.name:
            registry.promote(made.name, ACTOR, reason)
        champion = registry.champion()
    if as_json:
        print_json(_version(made, champion))
    else:
        state = "is the champion" if champion == made.name else "is registered"
        out.print(f"{made.name} {state}.", markup=False)


@models.command()
def export(
    name: Name,
    to: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made.", show_default=False)],
) -> None:
    """Copy the folder of a model.

    Example: rayon models export 3f2a model
    """
    with _registry() as registry:
        registry.export(name, to)
    say(f"{to} holds the model.")


@models.command()
def promote(
    name: Name,
    reason: Reason,
    force: Annotated[bool, typer.Option("--force", help="Whatever the gate says.")] = False,
    as_json: Json = False,
) -> None:
    """Make a model the champion; processes that serve follow within seconds.

    Where there is a golden set, the gate has to let it through first: both models answer its listings, as
    in `rayon models compare`. Exits with 3 where it is refused.

    Example: rayon models promote 3f2a --reason "better on shoes"
    """
    with _registry() as registry, golden_set() as golden:
        version, champion, verdict = registry.find(name), registry.champion(), None
        if champion not in (None, version.name) and len(golden):
            models = [_load(registry.folder_of(one)) for one in (str(champion), version.name)]
            try:
                with progress_bars() as progress:
                    found = compare_on(models[0], models[1], *golden.listings(), progress)
            except CatalogueError as error:  # a champion that was trained before there was a golden set
                if not force:
                    raise
                verdict = {"passed": False, "forced": True, "checks": [], "problem": error.message}
            else:
                verdict = {**found.to_dict(), "forced": force and not found.verdict.passed}
                if not found.verdict.passed and not force:
                    _refuse(version.name, found, as_json)
        _tell(registry.promote(version.name, ACTOR, reason, verdict), as_json)


def _refuse(name: str, found: Comparison, as_json: bool) -> NoReturn:
    if as_json:
        print_json({"promoted": False, **found.to_dict()})
    else:
        _show_checks(found)
        out.print(f"{name} is not promoted; --force would do it all the same.", markup=False)
    raise typer.Exit(NEEDS_ATTENTION)


@models.command()
def compare(
    champion: Annotated[
        str, typer.Argument(metavar="A", help="A registered model, or a folder.", show_default=False)
    ],
    challenger: Annotated[
        str, typer.Argument(metavar="B", help="What might take its place.", show_default=False)
    ],
    on: Annotated[
        list[Path] | None,
        typer.Option(
            "--on",
            metavar="CATALOGUE",
            help="Labelled listings that neither has learned from; the golden set where not given.",
        ),
    ] = None,
    columns: Columns = None,
    images: Images = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Judge whether B may take A's place, on labelled listings; exits with 3 where it may not.

    B has to be better beyond doubt, to lose no code, to keep its promise, and to know how sure it is.

    Example: rayon models compare 3f2a new-model --on held-out.csv
    """
    with _registry() as registry:
        folders = [_folder(registry, name) for name in (champion, challenger)]
    first, second = (_load(folder) for folder in folders)
    reading = reading_options(columns, images, encoding)
    with progress_bars() as progress:
        if on:
            found = compare_models(first, second, on, progress, reading=reading)
        else:
            found = compare_on(first, second, *_golden_listings(), progress)
    if as_json:
        print_json(found.to_dict())
    else:
        _show_checks(found)
        word = "may" if found.verdict.passed else "may not"
        out.print(f"{challenger} {word} take the place of {champion}.", markup=False, soft_wrap=True)
    if found.seen:
        say(f"{found.seen:,} listings were left out: one of the models had learned from them.")
    if found.rejected:
        say(f"{found.rejected:,} rows could not be read and were left out.")
    raise typer.Exit(DONE if found.verdict.passed else NEEDS_ATTENTION)


def _golden_listings() -> tuple[list[Listing], list[str]]:
    with golden_set() as golden:
        listings, codes = golden.listings()
    if not listings:
        raise RayonError(
            "There is no golden set to compare on",
            "Name labelled listings with --on, or hold some out: rayon golden fix CATALOGUE",
        )
    return listings, codes


def _show_checks(found: Comparison) -> None:
    for check in found.verdict.checks:
        out.print(f"{'✓' if check.passed else '✗'} {check.reason}.", markup=False, soft_wrap=True)


def _load(folder: Path) -> ProductClassifier:
    settings = Settings()
    return ProductClassifier.load(folder, cache=settings.embedding_cache, threads=settings.threads)


def _folder(registry: Registry, name: str) -> Path:
    return Path(name) if Path(name).is_dir() else registry.folder_of(registry.find(name).name)


@models.command()
def rollback(reason: Reason, as_json: Json = False) -> None:
    """Go back to the champion before this one; again, and to the one before that.

    Example: rayon models rollback --reason "complaints about shoes"
    """
    with _registry() as registry:
        _tell(registry.rollback(ACTOR, reason), as_json)


@contextmanager
def _registry() -> Iterator[Registry]:
    settings = Settings()
    with open_database(settings) as database:
        yield Registry(database, settings.models)


def _tell(promotion: Promotion, as_json: bool) -> None:
    if as_json:
        print_json(_promotion(promotion))
    else:
        out.print(_sentence(promotion), markup=False)


def _sentence(one: Promotion) -> str:
    word = "rolled back to" if one.kind == "rollback" else "promoted"
    after = f" after {one.previous}" if one.previous else ""
    return f"{one.at:%Y-%m-%d %H:%M} UTC: {one.actor} {word} {one.model}{after} ({one.reason})."


def _version(version: ModelVersion, champion: str | None) -> dict[str, Any]:
    return _plain(asdict(version)) | {"champion": version.name == champion}


def _promotion(promotion: Promotion) -> dict[str, Any]:
    return _plain(asdict(promotion))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if name.endswith("at") else value for name, value in values.items()}
