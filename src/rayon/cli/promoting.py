"""``rayon models compare`` and ``promote``: the gate's word on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from rayon.cli.console import DONE, NEEDS_ATTENTION, out, print_json, progress_bars, say
from rayon.cli.options import Columns, Encoding, Images, Json, reading_options
from rayon.cli.service import open_database
from rayon.cli.tracking import mirror
from rayon.data.taxonomy_change import TaxonomyChange, compose
from rayon.errors import PromotionRefusedError
from rayon.operations.accounts import COMMAND_LINE as ACTOR
from rayon.operations.comparison import Comparison
from rayon.operations.golden_set import GoldenSet
from rayon.operations.promotion import Gatekeeper
from rayon.operations.registry import Registry
from rayon.settings import Settings
from rayon.store.images import open_images
from rayon.store.models import Promotion

Reason = Annotated[str, typer.Option(help="Why, for whoever asks later.")]
Force = Annotated[bool, typer.Option("--force", help="Whatever the gate says; it is asked all the same.")]
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Of a model, or the beginning of its name.", show_default=False),
]
Change = Annotated[
    list[Path] | None,
    typer.Option(
        "--change",
        metavar="FILE",
        help="What became of the champion's codes, as JSON, where the challenger knows others. May be "
        "repeated, the earliest first.",
    ),
]


def promote(
    name: Name, reason: Reason, force: Force = False, change: Change = None, as_json: Json = False
) -> None:
    """Make a model the champion; processes that serve follow within seconds.

    Where there is a golden set, the gate has to let it through first: both models answer its listings, as
    in `rayon models compare`. Exits with 3 where it is refused.

    Example: rayon models promote 3f2a --reason "better on shoes"
    """
    with gatekeeper() as gate:
        moved = promote_or_exit(gate, name, reason, force=force, change=read_change(change), as_json=as_json)
    if as_json:
        print_json(plain(moved))
    else:
        out.print(sentence(moved), markup=False)


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
    change: Change = None,
    columns: Columns = None,
    images: Images = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Judge whether B may take A's place, on labelled listings; exits with 3 where it may not.

    B has to be better beyond doubt, to lose no code, to keep its promise, to know how sure it is, to take
    not much more time and room, and to answer in the same form. On the golden set every new question is
    judged more strictly than the one before, and is kept: rayon models verdicts.

    Example: rayon models compare 3f2a new-model --on held-out.csv
    """
    named = read_change(change)
    with gatekeeper() as gate, progress_bars() as progress:
        first, second = (_model(name) for name in (champion, challenger))
        if on:
            reading = reading_options(columns, images, encoding)
            found = gate.look(first, second, on, progress, reading=reading, change=named)
            document: dict[str, Any] = found.to_dict()
        else:
            judged = gate.judge(second, ACTOR, progress, champion=first, change=named)
            found, document = judged.comparison, judged.to_dict()
    if as_json:
        print_json(document)
    else:
        _show_checks(document)
        word = "may" if found.verdict.passed else "may not"
        out.print(f"{challenger} {word} take the place of {champion}.", markup=False, soft_wrap=True)
    _say_what_was_left_out(found)
    if not on:
        say(
            f"This was question {document['turn']} to the golden set, judged at {document['alpha']:.3g}; "
            "the next one is judged more strictly, this one again is not."
        )
    raise typer.Exit(DONE if found.verdict.passed else NEEDS_ATTENTION)


def verdicts(as_json: Json = False) -> None:
    """List what was asked of the golden set, the last first, refused challengers too.

    Example: rayon models verdicts
    """
    with gatekeeper() as gate:
        found = gate.verdicts()
    if as_json:
        print_json({"verdicts": [plain(one) for one in found]})
        return
    names = [Column(name, no_wrap=True) for name in ("champion", "challenger")]
    table = Table("when", *names, "listings", "question", "level", "word")
    for one in found:
        word = "passed" if one.passed else "forced" if one.forced else "refused"
        table.add_row(
            f"{one.at:%Y-%m-%d %H:%M}",
            one.champion,
            one.challenger,
            f"{one.golden_listings:,}",
            str(one.turn or "–"),
            f"{one.alpha:.3g}",
            word,
        )
    out.print(table)


def promote_or_exit(
    gate: Gatekeeper,
    name: str,
    reason: str,
    *,
    force: bool,
    change: TaxonomyChange | None,
    as_json: bool,
) -> Promotion:
    """Promote a model, or say why the gate does not let it through and exit with 3."""
    try:
        with progress_bars() as progress:
            moved = gate.promote(name, ACTOR, reason, progress, force=force, change=change)
    except PromotionRefusedError as error:
        if as_json:
            print_json({"promoted": False, **error.verdict})
        else:
            _show_checks(error.verdict)
            challenger = error.verdict["challenger"]
            out.print(f"{challenger} is not promoted; --force would do it all the same.", markup=False)
        raise typer.Exit(NEEDS_ATTENTION) from None
    mirror(gate.registry)
    return moved


def read_change(files: Sequence[Path] | None) -> TaxonomyChange | None:
    """All changes of ``--change`` as one."""
    return reduce(compose, map(TaxonomyChange.load, files)) if files else None


@contextmanager
def gatekeeper() -> Iterator[Gatekeeper]:
    """Open the gate of this installation."""
    settings = Settings()
    with open_database(settings) as database:
        yield Gatekeeper(
            database,
            Registry(database, settings.models),
            GoldenSet(database, open_images(settings.images_location)),
            cache=settings.embedding_cache,
            threads=settings.threads,
        )


def sentence(one: Promotion) -> str:
    """What happened, for people."""
    word = "rolled back to" if one.kind == "rollback" else "promoted"
    after = f" after {one.previous}" if one.previous else ""
    return f"{one.at:%Y-%m-%d %H:%M} UTC: {one.actor} {word} {one.model}{after} ({one.reason})."


def plain(one: Any) -> dict[str, Any]:
    """JSON-ready form of something that is kept, its moments in ISO 8601."""
    values = asdict(one)
    return {name: value.isoformat() if name.endswith("at") else value for name, value in values.items()}


def _model(name: str) -> str | Path:
    """A model folder where there is one of this name, or else the name of a registered model."""
    return Path(name) if Path(name).is_dir() else name


def _show_checks(verdict: dict[str, Any]) -> None:
    for check in verdict["checks"]:
        out.print(f"{'✓' if check['passed'] else '✗'} {check['reason']}.", markup=False, soft_wrap=True)


def _say_what_was_left_out(found: Comparison) -> None:
    if found.seen:
        say(f"{found.seen:,} listings were left out: one of the models had learned from them.")
    if found.rejected:
        say(f"{found.rejected:,} rows could not be read and were left out.")
    if found.retired:
        say(f"{found.retired:,} listings were left out: their codes were retired.")
