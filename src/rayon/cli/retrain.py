"""``rayon retrain``: training data and feedback to a challenger, and through the gate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from rayon.cli.console import DONE, NEEDS_ATTENTION, out, print_json, progress_bars, say
from rayon.cli.options import (
    Columns,
    Encoding,
    ImageEncoders,
    Images,
    Json,
    NetworkWords,
    TextEncoders,
    network_words,
    reading_options,
)
from rayon.cli.service import model_folder, open_database
from rayon.cli.tracking import open_tracking
from rayon.encoders.weights import PREFIX
from rayon.learning.finetuning.settings import NetworkTraining
from rayon.operations.accounts import COMMAND_LINE as ACTOR
from rayon.operations.accounts import SCHEDULE
from rayon.operations.golden_set import GoldenSet
from rayon.operations.monitoring import Monitor
from rayon.operations.needs import Need, need_of_retraining
from rayon.operations.promotion import Gatekeeper
from rayon.operations.recipe import RetrainingRecipe
from rayon.operations.registry import Registry
from rayon.operations.retraining import Retrainer
from rayon.operations.retrainings import Retrainings
from rayon.settings import Settings
from rayon.store.images import open_images
from rayon.store.retrainings import Retraining, RetrainingStep, Trigger

_NICENESS = 10


def retrain(
    catalogues: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[CATALOGUE...]",
            help="Trusted training data; where not given, all is as the last time.",
            show_default=False,
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for whoever asks later.")] = "by hand",
    if_needed: Annotated[
        bool,
        typer.Option(
            "--if-needed",
            help="Only where monitoring finds something that needs attention, and people have validated "
            "something since the last time.",
        ),
    ] = False,
    train_only: Annotated[
        list[Path] | None,
        typer.Option(metavar="CATALOGUE", help="Teaches, but is never scored. May be repeated."),
    ] = None,
    taxonomy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Codes, labels and parents, as JSON.")
    ] = None,
    text_encoder: TextEncoders = None,
    image_encoder: ImageEncoders = None,
    finetune: Annotated[
        bool | None, typer.Option("--finetune/--no-finetune", help="Train pretrained networks on.")
    ] = None,
    network: NetworkWords = None,
    folds: Annotated[int | None, typer.Option(min=2, help="Parts of the cross-fitting.")] = None,
    precision: Annotated[
        float | None, typer.Option(help="What accepted listings are promised to keep.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of all that is drawn.")] = None,
    columns: Columns = None,
    images: Images = None,
    encoding: Encoding = None,
    scheduled: Annotated[bool, typer.Option("--scheduled", hidden=True)] = False,
    waiting: Annotated[str | None, typer.Option("--waiting", metavar="ID", hidden=True)] = None,
    as_json: Json = False,
) -> None:
    """Train a challenger on training data and feedback, and promote it if the gate lets it through.

    The first run holds a golden set out of the training data, and makes the first champion. Later ones add
    what people have validated, and need no arguments. One runs at a time; Ctrl-C stops it and clears up.
    Exits with 3 where the champion is kept.

    Example: rayon retrain shop --train-only other-shop
    """
    if hasattr(os, "nice"):
        os.nice(_NICENESS)  # whoever waits for an answer goes first
    settings = Settings()
    given = _given(
        catalogues,
        train_only=train_only,
        taxonomy=taxonomy,
        text_encoder=text_encoder,
        image_encoder=image_encoder,
        finetune=finetune,
        network=_chosen(network_words(network)),
        folds=folds,
        precision=precision,
        seed=seed,
        **reading_options(columns, images, encoding),
    )
    with _retrainer(settings) as runner:
        if if_needed:
            need = _need(settings, runner, SCHEDULE if scheduled else ACTOR)
            if not need.needed:
                _tell_not_needed(need, as_json)
                return
            reason = need.reason
        if waiting is None:
            recipe = _recipe(runner.retrainings, given)
            actor = SCHEDULE if scheduled else ACTOR
            trigger: Trigger = "schedule" if scheduled else "hand"
            waiting = runner.retrainings.request(actor, reason, trigger, recipe).id
        with progress_bars() as progress:
            done = runner.run(waiting, progress)
        steps = runner.retrainings.steps(done.id)
    if as_json:
        print_json(document(done, steps))
    else:
        _show(done, steps, runner.retrainings.folder)
    raise typer.Exit(DONE if done.state == "promoted" else NEEDS_ATTENTION)


@contextmanager
def _retrainer(settings: Settings) -> Iterator[Retrainer]:
    with open_database(settings) as database:
        registry = Registry(database, settings.models)
        images = open_images(settings.images_location)
        golden = GoldenSet(database, images)
        shared: dict[str, Any] = {"cache": settings.embedding_cache, "threads": settings.threads}
        yield Retrainer(
            Retrainings(database, settings.retrainings),
            database,
            images,
            registry,
            golden,
            Gatekeeper(database, registry, golden, **shared),
            tracker=open_tracking(settings),
            workspace=settings.networks,
            **shared,
        )


def _given(catalogues: list[Path] | None, **options: Any) -> dict[str, Any]:
    """What was given on the command line, as a recipe keeps it."""
    found = {name: value for name, value in options.items() if value not in (None, [])}
    if catalogues:
        found["catalogues"] = tuple(str(path.absolute()) for path in catalogues)
    if "train_only" in found:
        found["train_only"] = tuple(str(path.absolute()) for path in found["train_only"])
    for name in ("taxonomy", "images"):
        if name in found:
            found[name] = str(found[name].absolute())
    for name in ("text_encoder", "image_encoder"):
        if name in found:
            found[name] = tuple(map(_absolute, found[name]))
    return found


def _chosen(words: dict[str, str]) -> dict[str, Any] | None:
    """Those training options that were given, read and checked."""
    options = NetworkTraining.from_words(words).to_dict()
    return {name: options[name] for name in words} or None


def _absolute(encoder: str) -> str:
    """An encoder's name as it is, a file or folder by its whole path."""
    prefix = PREFIX if encoder.startswith(PREFIX) else ""
    path = Path(encoder.removeprefix(PREFIX))
    is_file = prefix or path.suffix.lower() == ".onnx"  # a folder called ngrams is no encoder
    return f"{prefix}{path.absolute()}" if is_file and path.exists() else encoder


def _recipe(retrainings: Retrainings, given: dict[str, Any]) -> RetrainingRecipe:
    if "catalogues" in given:
        return RetrainingRecipe(**given)
    last = retrainings.last_recipe()
    if "network" in given:
        given = {**given, "network": {**(last.network or {}), **given["network"]}}
    return replace(last, **given)


def _need(settings: Settings, runner: Retrainer, actor: str) -> Need:
    if settings.model is None and runner.registry.champion() is None:
        return Need(True, "there is no model yet")
    folder = model_folder(settings, runner.registry, None)
    watching = Monitor(runner.database, runner.images, folder, threads=settings.threads)
    with progress_bars() as progress:
        return need_of_retraining(runner.database, watching.look(actor, progress))


def _tell_not_needed(need: Need, as_json: bool) -> None:
    if as_json:
        print_json({"needed": False, "reason": need.reason})
    else:
        out.print(f"Not needed: {need.reason}.", markup=False)


def document(one: Retraining, steps: list[RetrainingStep]) -> dict[str, Any]:
    """JSON-ready form of a retraining with its steps."""
    moments = {
        name: moment.isoformat() if (moment := getattr(one, name)) else None
        for name in ("requested_at", "started_at", "ended_at")
    }
    names = ("id", "state", "trigger", "actor", "reason", "recipe", "model", "error")
    return {
        **{name: getattr(one, name) for name in names},
        **moments,
        "steps": [{"at": step.at.isoformat(), "step": step.step, "detail": step.detail} for step in steps],
    }


def _show(done: Retraining, steps: list[RetrainingStep], folder: Path) -> None:
    details = {step.step: step.detail for step in steps}
    for line in _lines(details):
        out.print(line, markup=False, soft_wrap=True)
    if done.state == "promoted":
        out.print(f"{done.model} is the champion; processes that serve follow within seconds.", markup=False)
    else:
        out.print(f"The champion is kept; {done.model} is registered.", markup=False)
    say(f"Report: {folder / done.id / 'report.html'}")


def _lines(details: dict[str, dict[str, Any]]) -> Iterator[str]:
    golden, snapshot, report, gate = (details[name] for name in ("golden", "snapshot", "report", "gate"))
    if "fixed" in golden:
        yield f"The golden set holds {golden['fixed']:,} listings now, which no training learns from."
    else:
        yield f"The golden set grew by {golden['added']:,} audited listings to {golden['listings']:,}."
    aside = sum(snapshot.get("set_aside", {}).values())
    yield f"Feedback: {snapshot['listings']:,} validated listings, and {aside:,} set aside."
    if report["weighted_f1"] is not None:
        yield f"The challenger's weighted F1 on the golden set: {report['weighted_f1']:.3f}."
    for check in gate.get("checks", []):
        yield f"{'✓' if check['passed'] else '✗'} {check['reason']}."
    if "problem" in gate:
        yield f"{gate['problem']}"
