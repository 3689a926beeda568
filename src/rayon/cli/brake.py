"""``rayon brake``: what keeps the champion from accepting, once its promise is broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

from rayon.cli.console import out, print_json
from rayon.cli.options import Json
from rayon.cli.service import open_database
from rayon.errors import RayonError
from rayon.operations.accounts import COMMAND_LINE as ACTOR
from rayon.operations.brake import brake_of, release_brake, set_brake
from rayon.operations.registry import Registry
from rayon.settings import Settings
from rayon.store.brakes import Brake
from rayon.store.database import Database

brake = typer.Typer(
    no_args_is_help=True, help="What keeps the champion from accepting, once its promise is broken."
)

Reason = Annotated[str, typer.Option(help="Why, for whoever asks later.")]


class Kind(StrEnum):
    """What a brake does."""

    TIGHTEN = "tighten"
    REVIEW = "review"


@brake.command()
def show(as_json: Json = False) -> None:
    """Say whether a brake is on the champion.

    Example: rayon brake show
    """
    with _champion() as (database, _, name):
        found = brake_of(database, name)
    if as_json:
        print_json({"model": name, "brake": _plain(found)})
    else:
        out.print(f"No brake is on {name}." if found is None else _sentence(found), markup=False)


@brake.command("set")
def set_(
    reason: Reason,
    kind: Annotated[
        Kind,
        typer.Option(
            help="tighten: accept as if half as many errors were allowed, where the model's own listings "
            "support that; review: accept nothing."
        ),
    ] = Kind.TIGHTEN,
    as_json: Json = False,
) -> None:
    """Brake the champion; processes that serve follow within seconds.

    Example: rayon brake set --kind review --reason "complaints about shoes"
    """
    with _champion() as (database, registry, name):
        made = set_brake(database, registry, name, kind.value, ACTOR, reason)
    if as_json:
        print_json({"model": name, "brake": _plain(made)})
        return
    out.print(_sentence(made), markup=False)
    if made.kind != kind.value:
        out.print("Its own listings support no stricter threshold.", markup=False)


@brake.command()
def release(reason: Reason, as_json: Json = False) -> None:
    """Let the champion accept again as it promises; processes that serve follow within seconds.

    Example: rayon brake release --reason "the supplier has mended the titles"
    """
    with _champion() as (database, _, name):
        release_brake(database, name, ACTOR, reason)
    if as_json:
        print_json({"model": name, "brake": None})
    else:
        out.print(f"No brake is on {name} any more.", markup=False)


@contextmanager
def _champion() -> Iterator[tuple[Database, Registry, str]]:
    settings = Settings()
    with open_database(settings) as database:
        registry = Registry(database, settings.models)
        name = registry.champion()
        if name is None:
            raise RayonError(
                "There is no champion to brake", "Register one: rayon models import MODEL_DIR --promote"
            )
        yield database, registry, name


def _sentence(one: Brake) -> str:
    effect = (
        "accepts nothing" if one.threshold is None else f"accepts from a score of {one.threshold:.4f} on only"
    )
    return f"{one.model} {effect}, since {one.at:%Y-%m-%d %H:%M} UTC, by {one.actor} ({one.reason})."


def _plain(one: Brake | None) -> dict[str, Any] | None:
    return None if one is None else asdict(one) | {"at": one.at.isoformat()}
