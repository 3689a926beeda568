"""Monitoring: what a look at the live service found, and the journal of all looks."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from rayon.errors import NotFoundError, RayonError
from rayon.reports.codes import by_need
from rayon.reports.drift_changes import Change, Rows, change_of, has_drifted, ranked_signals
from rayon.reports.signals import signal_words
from rayon.reports.volumes import bars_of, utc
from rayon.serving.auth import Reviewer
from rayon.serving.services import Services, services
from rayon.serving.web.look_plots import bin_namer, wording_of
from rayon.serving.web.monthly_reports import list_reports
from rayon.serving.web.rendering import render_page
from rayon.store.monitoring import MonitoringRun, find_run, list_runs

router = APIRouter()
LARGEST = 2**31 - 1
RunId = Annotated[int, Path(ge=1, le=LARGEST)]

_PAGE = 25
_CODES_SHOWN = 12
_MAX_CODES = 60
_MAX_CHANGES = 8


@router.get("/monitoring")
def latest(request: Request, _user: Reviewer) -> Response:
    """Show what the last look found."""
    return latest_page(request)


@router.get("/monitoring/journal")
def journal(
    request: Request, _user: Reviewer, before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None
) -> Response:
    """List earlier looks, and the reports of the months."""
    served = services(request)
    with served.database.read() as connection:
        found = list_runs(connection, before, _PAGE + 1)
    return render_page(
        request,
        "monitoring_journal.html.j2",
        runs=found[:_PAGE],
        before=before,
        next=found[_PAGE - 1].id if len(found) > _PAGE else None,
        reports=list_reports(served.reports),
        wording=wording_of(request),
    )


@router.get("/monitoring/{run_id:int}")
def one(request: Request, _user: Reviewer, run_id: RunId) -> Response:
    """Show what an earlier look found."""
    served = services(request)
    run = run_of(served, run_id)
    with served.database.read() as connection:
        newest = list_runs(connection, limit=1)
    return _page(request, run, is_latest=run.id == newest[0].id)


def latest_page(request: Request, error: RayonError | None = None) -> Response:
    """The last look, with what went wrong when somebody wanted another."""
    with services(request).database.read() as connection:
        newest = list_runs(connection, limit=1)
    return _page(request, newest[0] if newest else None, is_latest=True, error=error)


def run_of(served: Services, run_id: int) -> MonitoringRun:
    """Find a look.

    Raises
    ------
    NotFoundError
        When there is none with that id.
    """
    with served.database.read() as connection:
        found = find_run(connection, run_id)
    if found is None:
        raise NotFoundError(f"There is no look {run_id}", "The journal lists them")
    return found


def _page(
    request: Request, run: MonitoringRun | None, *, is_latest: bool, error: RayonError | None = None
) -> Response:
    served = services(request)
    return render_page(
        request,
        "monitoring.html.j2",
        error.status if error else 200,
        run=run,
        is_latest=is_latest,
        under_way=served.looking.locked() and error is None,
        now=int(time.time()),
        brake=served.recorder.brake,
        error=error,
        **(_found(request, run) if run else {}),
    )


def _found(request: Request, run: MonitoringRun) -> dict[str, Any]:
    """What the template shows of a look."""
    report = run.report
    since, until = utc(report["since"]), utc(report["until"])
    unit, bars = bars_of(report["volume"]["days"], since, until)
    signals = ranked_signals(report["drift"]) if report["drift"] else []
    codes = by_need(report["quality"]["codes"])
    return {
        "report": report,
        "since": since,
        "until": until,
        "unit": unit,
        "bars": bars,
        "codes": codes[:_MAX_CODES],
        "codes_shown": _CODES_SHOWN,
        "more_codes": max(0, len(codes) - _MAX_CODES),
        "signals": signals,
        "changes": _changes(signals),
        "signal_words": signal_words,
        "bin_name": bin_namer(request, report),
        "wording": wording_of(request),
    }


def _changes(signals: list[Rows]) -> list[Change]:
    return [change_of(rows) for rows in signals if has_drifted(rows)][:_MAX_CHANGES]
