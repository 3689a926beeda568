"""``rayon taxonomy``: what differs between two taxonomies, and catalogues in the codes of the new one."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.console import DONE, NEEDS_ATTENTION, SOME_ROWS_FAILED, out, print_json, progress_bars, say
from rayon.cli.options import Catalogues, Columns, Encoding, Images, Json, reading_options
from rayon.data.taxonomy import Taxonomy
from rayon.data.taxonomy_change import TaxonomyChange, compose
from rayon.data.taxonomy_diff import CodeChange, likely_renamings, taxonomy_changes
from rayon.errors import OutputError
from rayon.operations.migration import Migration, migrate_catalogues

RAKUTEN = "rakuten-france"
TAXONOMY_FILE = "taxonomy.json"

taxonomy = typer.Typer(
    no_args_is_help=True,
    help="What differs between two taxonomies, and catalogues in the codes of the new one.",
)

_KINDS_OF = f"A taxonomy file, a model folder, a registered model, or {RAKUTEN}."


@taxonomy.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help=_KINDS_OF, show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="What takes its place.", show_default=False)],
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--change",
            metavar="FILE",
            help="What became of old codes, as JSON. May be repeated, the earliest first.",
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="FILE",
            help="Save what is known and what is likely as a change file, to be read and mended.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show which codes were added, renamed, merged, split, retired, relabelled or moved.

    Exits with 3 where a code is gone and no change file says what became of it. Such a file is a JSON object
    like {"10": "11", "20": ["21", "22"], "30": []}: 10 was renamed, 20 split, 30 retired, all others stay.

    Example: rayon taxonomy diff model new-taxonomy.json --write change.json
    """
    before, after = _taxonomy(old), _taxonomy(new)
    change = _of_old_codes([TaxonomyChange.load(file) for file in files or []], before)
    found = taxonomy_changes(before, after, change)
    likely = likely_renamings(before, after, change)
    unsettled = change.unsettled(before, after)
    if write is not None:
        _write(TaxonomyChange({**change.named, **likely.named}), write)
    if as_json:
        print_json(
            {
                "settled": not unsettled,
                "changes": [asdict(one) for one in found],
                "unsettled": unsettled,
                "likely": likely.to_dict(),
            }
        )
    else:
        for one in found:
            out.print(_sentence(one, before, after, likely), markup=False, soft_wrap=True)
        if not found:
            out.print("Nothing differs.", markup=False)
    if unsettled:
        say(f"{len(unsettled):,} codes are gone, and no change file says what became of them.")
    raise typer.Exit(NEEDS_ATTENTION if unsettled else DONE)


@taxonomy.command()
def migrate(
    catalogues: Catalogues,
    files: Annotated[
        list[Path],
        typer.Option(
            "--change",
            metavar="FILE",
            help="What became of old codes, as JSON. May be repeated, the earliest first.",
            show_default=False,
        ),
    ],
    new: Annotated[str, typer.Option("--taxonomy", metavar="NEW", help=_KINDS_OF, show_default=False)],
    to: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            help="All together in a .csv, .parquet or .jsonl file; without such an ending, a folder to make "
            "with a CSV file for each.",
            show_default=False,
        ),
    ],
    old: Annotated[
        str | None,
        typer.Option("--from", metavar="OLD", help="The old taxonomy, to check the change file against."),
    ] = None,
    columns: Columns = None,
    images: Images = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Write labelled catalogues again with the new codes.

    Rows whose code was split or retired go to FILE.set-aside.csv with the reason, and the exit code is 1.

    Example: rayon taxonomy migrate shop --change change.json --taxonomy new-taxonomy.json --out new-shop.csv
    """
    before, after = None if old is None else _taxonomy(old), _taxonomy(new)
    changes = [TaxonomyChange.load(file) for file in files]
    _of_old_codes(changes, before).check(before, after)
    with progress_bars() as progress:
        made = migrate_catalogues(
            catalogues,
            to,
            reduce(compose, changes),
            after,
            progress=lambda done, total: progress("Rewriting", done, total),
            **reading_options(columns, images, encoding),
        )
    if as_json:
        print_json({"files": [one.to_dict() for one in made]})
    else:
        for one in made:
            _report(one)
    if roots := [one.images for one in made if one.images]:
        say(f"Their pictures lie elsewhere: read them with --images {os.path.commonpath(roots)}")
    if missing := sum(one.missing_images for one in made):
        say(f"{missing:,} pictures that the listings name are not there; check --images.")
    raise typer.Exit(SOME_ROWS_FAILED if any(one.set_aside for one in made) else DONE)


def _taxonomy(name: str) -> Taxonomy:
    path = Path(name)
    if name == RAKUTEN:
        return Taxonomy.rakuten_france()
    if path.is_dir():
        return Taxonomy.load(path / TAXONOMY_FILE)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return Taxonomy.load(path)
    # Not above: they load all that serves, which takes seconds, and files are what is mostly given.
    from rayon.cli.service import open_database
    from rayon.operations.registry import Registry
    from rayon.settings import Settings

    settings = Settings()
    with open_database(settings) as database:
        registry = Registry(database, settings.models)
        return Taxonomy.load(registry.folder_of(registry.find(name).name) / TAXONOMY_FILE)


def _of_old_codes(changes: list[TaxonomyChange], old: Taxonomy | None) -> TaxonomyChange:
    """All changes as one, without the codes that there were only in between."""
    whole = reduce(compose, changes, TaxonomyChange())
    between = {code for one in changes[:-1] for targets in one.named.values() for code in targets}
    return TaxonomyChange(
        {
            code: new
            for code, new in whole.named.items()
            if code not in between or (old is not None and code in old)
        }
    )


def _write(change: TaxonomyChange, path: Path) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(change.to_dict(), ensure_ascii=False, indent=1) + "\n")
    except FileExistsError:
        raise OutputError(f"{path} is in the way", "Choose another name with --write") from None
    say(f"{path} holds what is known and what is likely; read it, and mend it.")


def _sentence(one: CodeChange, before: Taxonomy, after: Taxonomy, likely: TaxonomyChange) -> str:
    olds, news = _named(before, one.old), _named(after, one.new)
    if one.kind == "relabelled":
        code = one.new[0]
        language = "fr" if before.label(code, "fr") != after.label(code, "fr") else "en"
        what = f"{code}: {before.label(code, language)} → {after.label(code, language)}"
    elif one.kind == "moved":
        parents = (before.parent(one.old[0]) or "the top", after.parent(one.new[0]) or "the top")
        what = f"{news}: {' → '.join(parents)}"
    elif one.kind == "gone" and one.old[0] in likely.named:
        what = f"{olds}; likely renamed to {_named(after, likely.named[one.old[0]])}"
    else:
        what = " → ".join(side for side in (olds, news) if side)
    return f"{one.kind:<11} {what}"


def _named(taxonomy: Taxonomy, codes: tuple[str, ...]) -> str:
    return ", ".join(code if (label := taxonomy.label(code)) == code else f"{code} {label}" for code in codes)


def _report(made: Migration) -> None:
    out.print(
        f"{made.listings:,} listings in {made.out}, {made.recoded:,} of them with another code than before.",
        markup=False,
        soft_wrap=True,
    )
    if made.set_aside:
        total = sum(made.set_aside.values())
        out.print(f"{total:,} rows in {made.set_aside_file}:", markup=False, soft_wrap=True)
        for reason, n in made.set_aside.items():
            out.print(f"  {n:,}: {reason}", markup=False, soft_wrap=True)
