"""``rayon monitor``: how good the live service is, and what has changed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from rayon.cli.console import NEEDS_ATTENTION, out, print_json, progress_bars, say
from rayon.cli.moments import parse_moment
from rayon.cli.options import Json, PinnedModel
from rayon.cli.service import model_folder, open_database
from rayon.errors import ConflictError
from rayon.learning.crossfit import Progress
from rayon.learning.stratified import Estimate
from rayon.operations.accounts import COMMAND_LINE as ACTOR
from rayon.operations.accounts import SCHEDULE
from rayon.operations.monitoring import Monitor, MonitoringReport
from rayon.operations.monthly import looks_before, write_monthly_report
from rayon.operations.needs import need_of_retraining
from rayon.operations.promise_keeping import hold_to_promise
from rayon.operations.registry import Registry
from rayon.operations.retrainings import Retrainings
from rayon.reports.monitoring import write_monitoring_report
from rayon.settings import Settings
from rayon.store.database import Database
from rayon.store.images import open_images

_NICENESS = 10


def monitor(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="From when on: `30d` or `12h` ago, or a date; 30 days ago where not given."
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page with plots as well.")
    ] = None,
    model: PinnedModel = None,
    as_json: Json = False,
    scheduled: Annotated[bool, typer.Option("--scheduled", hidden=True)] = False,
    actor: Annotated[str, typer.Option("--actor", hidden=True)] = ACTOR,
) -> None:
    """Look at the live service: volumes, quality, the promise, calibration and drift.

    Quality is estimated from validated predictions that the random audit drew, and from strata that were
    reviewed throughout. Exits with 3 where something needs attention. Each look leaves a journal entry, and
    over 30 days or more brakes a model whose promise is broken, as RAYON_ON_BROKEN_PROMISE says.

    Example: rayon monitor --since 30d --report monitoring.html
    """
    if (scheduled or actor != ACTOR) and hasattr(os, "nice"):
        os.nice(_NICENESS)  # whoever waits for an answer goes first
    settings = Settings()
    actor = SCHEDULE if scheduled else actor
    start = parse_moment(since) if since else None
    with open_database(settings) as database, progress_bars() as progress:
        registry = Registry(database, settings.models)
        folder = model_folder(settings, registry, model)
        watching = Monitor(database, open_images(settings.images_location), folder, threads=settings.threads)
        found = watching.look(actor, progress, since=start)
        brake = None
        if model is None and settings.model is None:  # nothing brakes a model that is pinned
            brake = hold_to_promise(found, database, registry, settings.on_broken_promise, actor)
        if scheduled:
            _follow_up(settings, database, watching, found, progress)
        if report is not None:
            write_monitoring_report(report, found.to_dict(), looks_before(database, found.at))
    if as_json:
        print_json(found.to_dict())
    else:
        _show(found)
    if report is not None:
        say(f"{report} shows it.")
    if brake is not None:
        what = "nothing" if brake.threshold is None else f"from a score of {brake.threshold:.4f} on only"
        say(f"The model accepts {what} until it is recalibrated or the brake is released.")
    if found.attention:
        raise typer.Exit(NEEDS_ATTENTION)


def _follow_up(
    settings: Settings, database: Database, watching: Monitor, found: MonitoringReport, progress: Progress
) -> None:
    """What a scheduled look does besides: the monthly report, and a retraining where it is needed."""
    zone = settings.time_zone or "UTC"
    write_monthly_report(watching, database, settings.reports, zone, found.at, progress)
    if settings.retrain_when_needed:
        need = need_of_retraining(database, found)
        if need.needed:
            with suppress(ConflictError):  # one is under way
                Retrainings(database, settings.retrainings).request(SCHEDULE, need.reason, "monitoring")


def _show(found: MonitoringReport) -> None:
    window, quality, trained = found.window, found.quality, found.trained
    accepted = f", {window.accepted / len(window):.1%} accepted" if len(window) else ""
    out.print(
        f"{len(window):,} predictions from {window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} UTC"
        f"{accepted}; {len(window.sample):,} by the model {found.model}; {found.waiting:,} wait for review.",
        markup=False,
        soft_wrap=True,
    )
    table = Table(
        "",
        Column("estimate", justify="right"),
        Column("95 % interval", justify="right"),
        Column("naive", justify="right"),
        Column("training", justify="right"),
        title=f"From {quality.audited:,} audited predictions ({quality.pending:,} wait for a person)",
    )
    naive = quality.naive
    for name, figure, biased, before in (
        ("accuracy", quality.accuracy, naive.accuracy, trained["accuracy"]),
        ("weighted F1", quality.weighted_f1, naive.weighted_f1, trained["weighted_f1"]),
        ("precision of accepted", quality.accepted_precision, None, trained["accepted_precision"]),
    ):
        table.add_row(name, _point(figure), _interval(figure), _point(biased), _number(before))
    out.print(table)
    if found.promise is not None:
        words = {"kept": "is kept", "broken": "is broken", "too_few": "cannot be judged yet"}
        out.print(
            f"The promise of {found.promise.promise:.1%} {words[found.promise.verdict]}: "
            f"{found.promise.n_right:,} of {found.promise.n:,} audited accepted listings are right.",
            markup=False,
        )
    for line in found.missing:
        out.print(f"Too little data: {line}.", markup=False, soft_wrap=True)
    for one in found.attention:
        out.print(f"Needs attention: {one.message}.", style="bold red", markup=False, soft_wrap=True)
    if not found.attention:
        out.print("Nothing needs attention.")


def _point(figure: Estimate | None) -> str:
    return _number(None if figure is None else figure.estimate)


def _interval(figure: Estimate | None) -> str:
    return "–" if figure is None else f"{figure.low:.3f} to {figure.high:.3f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
