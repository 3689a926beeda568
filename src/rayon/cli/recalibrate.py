"""``rayon recalibrate``: the champion's weights, with thresholds from fresh validations."""

from __future__ import annotations

from typing import Annotated

import typer

from rayon.cli.console import NEEDS_ATTENTION, out, print_json, progress_bars, say
from rayon.cli.moments import parse_moment
from rayon.cli.options import Json
from rayon.cli.service import load_model, open_database
from rayon.cli.tracking import mirror
from rayon.errors import RayonError
from rayon.operations.accounts import COMMAND_LINE as ACTOR
from rayon.operations.recalibration import (
    Effect,
    Recalibration,
    keep_recalibrated,
    promote_recalibrated,
)
from rayon.operations.recalibration import (
    recalibrate as find_thresholds,
)
from rayon.operations.registry import Registry
from rayon.settings import Settings
from rayon.store.images import open_images


def recalibrate(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="From when on validations count: `30d` ago, or a date; 90 days ago where not given.",
        ),
    ] = None,
    no_promote: Annotated[
        bool, typer.Option("--no-promote", help="Register the model, and leave the champion.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Set the champion's thresholds anew, from validated predictions that the random audit drew.

    The champion answers their listings afresh. What comes of it is a new model with the same weights, which
    becomes the champion. Exits with 3 and changes nothing where the listings do not support the promise.

    Example: rayon recalibrate --since 30d
    """
    settings = Settings()
    start = parse_moment(since) if since else None
    with open_database(settings) as database:
        registry = Registry(database, settings.models)
        name = registry.champion()
        if name is None:
            raise RayonError(
                "There is no champion to recalibrate",
                "Register one: rayon models import MODEL_DIR --promote",
            )
        champion = load_model(settings, registry.folder_of(name))
        images = open_images(settings.images_location)
        with progress_bars() as progress:
            found = find_thresholds(database, images, champion, since=start, progress=progress)
        made = None
        if found.supported and no_promote:
            made = keep_recalibrated(registry, found, ACTOR).name
        elif found.supported:
            made = promote_recalibrated(registry, found, ACTOR).model
        if made is not None:
            mirror(registry)
    promoted = made is not None and not no_promote
    if as_json:
        print_json({**found.to_dict(), "model": made, "promoted": promoted})
    else:
        _show(found)
        if made is not None:
            state = "is the champion" if promoted else "is registered"
            out.print(f"{made} {state}; it has the weights of {name}.", markup=False)
    if made is None:
        say(f"Nothing was changed; {name} stays the champion.")
        raise typer.Exit(NEEDS_ATTENTION)


def _show(found: Recalibration) -> None:
    n = found.listings
    out.print(
        f"{n:,} validated listings of the random audit since {found.since:%Y-%m-%d}, "
        f"{found.right / n:.1%} answered rightly.",
        markup=False,
    )
    out.print(f"Before: {_effect(found.before, n)}.", markup=False)
    out.print(f"After: {_effect(found.after, n)}.", markup=False)
    out.print(f"{found.message}.", markup=False, soft_wrap=True)
    left_out = {
        "wait for a person": found.waiting,
        "were likelier to be drawn than others": found.thinned,
        "are known to the model from training": found.seen,
        "give no answer any more": found.unanswerable,
    }
    for why, count in left_out.items():
        if count:
            say(f"{count:,} audited predictions did not count: they {why}.")


def _effect(one: Effect, n: int) -> str:
    if one.threshold is None:
        return "nothing is accepted"
    right = f", {one.right / one.accepted:.1%} of them right" if one.accepted else ""
    return f"{one.accepted / n:.1%} accepted from a score of {one.threshold:.4f} on{right}"
