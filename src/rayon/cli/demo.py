"""``rayon demo``: the whole main job, on a catalogue made for it."""

from __future__ import annotations

import csv
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from rayon.cli.console import out, progress_bars
from rayon.cli.serve import HOST, PORT, run_service
from rayon.data.catalogue import open_catalogue
from rayon.data.sample import TRUTH, make_sample
from rayon.errors import OutputError
from rayon.learning.checks import check_parameters
from rayon.learning.model import ProductClassifier
from rayon.learning.storage import cross_fitted_figures
from rayon.operations.accounts import Accounts, Role
from rayon.operations.inference import classify_catalogues
from rayon.operations.passwords import new_password
from rayon.operations.training import train
from rayon.reports.console import figures_table, predictions_table
from rayon.settings import Settings
from rayon.store.database import Database
from rayon.store.schema import upgrade_schema

_MARK = ".rayon-demo"
_SHOWN = 12


def demo(
    folder: Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where to put everything.")] = Path(
        "demo"
    ),
    listings: Annotated[int, typer.Option(min=300, help="How many listings to make.")] = 3000,
    precision: Annotated[float, typer.Option(help="What accepted listings are promised to keep.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same demonstration.")] = 0,
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="Do not start the service at the end.")
    ] = False,
) -> None:
    """Make a catalogue, train on it, evaluate, classify what the model has not seen, and serve the model.

    Where there is no terminal, no service is started.

    Example: rayon demo --dir demo
    """
    begin = time.monotonic()
    check_parameters(precision)
    catalogue, model_dir, results = folder / "catalogue", folder / "model", folder / "codes.csv"
    unseen = catalogue / "X_test_update.csv"
    settings = Settings()
    model = ProductClassifier(precision=precision, threads=settings.threads, random_state=seed)
    _make_room(folder)
    with progress_bars() as progress:
        made = make_sample(
            catalogue, listings, seed, progress=lambda done: progress("Drawing listings", done, listings)
        )
        train(model, [catalogue], model_dir, progress)
        summary = classify_catalogues(
            model, [unseen], results, progress=lambda done, total: progress("Classifying", done, total)
        )
    right, accepted_right = _check(catalogue / TRUTH, results)
    figures = cross_fitted_figures(model)["modalities"]
    out.print(figures_table(figures, f"Cross-fitted on {made.listings:,} labelled listings"))
    shown = [row.listing for row in open_catalogue(unseen).rows() if row.listing is not None][:_SHOWN]
    out.print(predictions_table(shown, model.decide(shown)))
    out.print(
        f"{summary.rows:,} listings that the model had not seen: {right / summary.rows:.1%} right.\n"
        f"{summary.accepted:,} accepted under a promise of {precision:.0%}: {accepted_right:,} of them right"
        + (f" ({accepted_right / summary.accepted:.1%})" if summary.accepted else "")
        + f"; {summary.review:,} left to people.\n"
        + ("" if summary.accepted else f"{model.policy_.report()['message']}.\n")
        + f"Done in {time.monotonic() - begin:.0f} s. All of it is in {folder}: {results} has every answer.\n"
        f"Your own catalogue: rayon train FOLDER_OR_FILE --out my-model",
        markup=False,
    )
    if not no_serve and sys.stdin.isatty() and sys.stdout.isatty():
        _serve(folder, model_dir, settings)


def _serve(folder: Path, model_dir: Path, settings: Settings) -> None:
    """Start the service on a database of its own, with an administrator made for this run."""
    settings = settings.model_copy(update={"home": folder / "home", "database": None})
    database = Database(settings.database_url)
    upgrade_schema(database)
    password = new_password()
    Accounts(database).create("admin", password, Role.ADMIN, "demo")
    database.close()
    out.print(
        "\nThe service starts; sign in as admin with the password of this run:\n"
        f"  {password}\n"
        "Ask it:\n"
        f"  curl -u admin:{password} -H 'Content-Type: application/json' \\\n"
        '    -d \'{"designation": "Piscine ronde 3 m"}\' '
        f"http://{HOST}:{PORT}/api/v1/predictions\n",
        markup=False,
        soft_wrap=True,
    )
    run_service(settings, model_dir, HOST, PORT)


def _make_room(folder: Path) -> None:
    """Start afresh, and never remove what the demonstration did not make."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).is_file():
            raise OutputError(f"{folder} is in the way", "Choose another folder with --dir")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).write_text("Made by rayon demo, which will replace this folder.\n", encoding="utf-8")


def _check(truth_file: Path, results: Path) -> tuple[int, int]:
    """How many answers are right, of all and of the accepted."""
    with truth_file.open(encoding="utf-8", newline="") as file:
        truth = [row["prdtypecode"] for row in csv.DictReader(file)]
    with results.open(encoding="utf-8", newline="") as file:
        answers = list(csv.DictReader(file))
    right = [answer["code"] == code for answer, code in zip(answers, truth, strict=True)]
    accepted = [yes and answer["decision"] == "accept" for yes, answer in zip(right, answers, strict=True)]
    return sum(right), sum(accepted)
