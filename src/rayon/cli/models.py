"""``rayon models``: the models that are kept, and the one that serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from rayon.cli import promoting
from rayon.cli.console import out, print_json, say
from rayon.cli.options import Json, ModelDir
from rayon.cli.promoting import (
    Change,
    Force,
    Name,
    Reason,
    gatekeeper,
    plain,
    promote_or_exit,
    read_change,
    sentence,
)
from rayon.cli.service import open_database
from rayon.cli.tracking import mirror
from rayon.errors import RayonError
from rayon.operations.accounts import COMMAND_LINE as ACTOR
from rayon.operations.registry import Registry
from rayon.settings import Settings
from rayon.store.models import ModelVersion

models = typer.Typer(no_args_is_help=True, help="The models that are kept, and the one that serves.")


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
        moves = [plain(one) for one in served]
        print_json({**_version(found, champion), "folder": str(folder), "promotions": moves})
        return
    out.print((folder / "MODEL_CARD.md").read_text(encoding="utf-8"), markup=False)
    for one in served:
        out.print(sentence(one), markup=False)


@models.command("import")
def import_(
    folder: ModelDir,
    promote: Annotated[
        bool, typer.Option("--promote", help="Make it the champion at once, if the gate lets it through.")
    ] = False,
    force: Force = False,
    reason: Annotated[str | None, typer.Option(help="Why; needed with --force.", show_default=False)] = None,
    change: Change = None,
    as_json: Json = False,
) -> None:
    """Keep a copy of a model folder in RAYON_HOME, and register it.

    Exits with 3 where it was to be promoted, and the gate does not let it through; it is registered then.

    Example: rayon models import model --promote
    """
    if force and not (reason or "").strip():
        raise RayonError("A promotion by force needs a reason", "Say why, with --reason")
    with _registry() as registry:
        made, champion = registry.register(folder, ACTOR), registry.champion()
    if promote and champion != made.name:
        with gatekeeper() as gate:
            promote_or_exit(
                gate,
                made.name,
                reason or "imported",
                force=force,
                change=read_change(change),
                as_json=as_json,
            )
        champion = made.name
    else:
        mirror(registry)
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


models.command()(promoting.compare)
models.command()(promoting.promote)
models.command()(promoting.verdicts)


@models.command()
def rollback(reason: Reason, as_json: Json = False) -> None:
    """Go back to the champion before this one; again, and to the one before that.

    Example: rayon models rollback --reason "complaints about shoes"
    """
    with _registry() as registry:
        moved = registry.rollback(ACTOR, reason)
        mirror(registry)
    if as_json:
        print_json(plain(moved))
    else:
        out.print(sentence(moved), markup=False)


@contextmanager
def _registry() -> Iterator[Registry]:
    settings = Settings()
    with open_database(settings) as database:
        yield Registry(database, settings.models)


def _version(version: ModelVersion, champion: str | None) -> dict[str, Any]:
    return plain(version) | {"champion": version.name == champion}
