"""Batches: files that are sent, looked at, started, followed, and fetched again with their codes."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from rayon.data.columns import ALIASES
from rayon.errors import CatalogueError, ConflictError, RayonError
from rayon.operations.accounts import Role
from rayon.serving.auth import Client
from rayon.serving.services import Services, services
from rayon.serving.web.forms import file_of
from rayon.serving.web.languages import N_
from rayon.serving.web.rendering import may, redirect, render_page
from rayon.store.accounts import User
from rayon.store.jobs import Job

router = APIRouter()
FIELDS = {
    "designation": N_("Title"),
    "description": N_("Description"),
    "productid": N_("Product id"),
    "imageid": N_("Picture id"),
    "image": N_("Picture file"),
    "index": N_("Row key"),
}
"""What people call the fields of a listing."""

_PAGE = 20
_FAILURES = 50
_AT_ONCE = 1000
_PLACE = re.compile(r"(line|row) (\d+): (.*)", re.DOTALL)
_ROW = Annotated[int, Query(ge=0, le=2**31 - 1)]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a batch goes on, from what was seen of it before.

    Parameters
    ----------
    since, done
        A moment in seconds, and how many rows were done then.
    rate
        Rows a second since then; ``None`` where that cannot be said yet.
    left
        Seconds until the end at this rate, likewise.
    """

    since: float
    done: int
    rate: float | None = None
    left: float | None = None

    @classmethod
    def of(cls, job: Job, since: float, done: int) -> Pace:
        """Compare a job with what was seen before; what waits begins anew."""
        now = time.time()
        if job.state != "running" or not 0 <= done <= job.rows_done or not 0 < since <= now:
            return cls(now, job.rows_done)
        if done == job.rows_done or since == now:
            return cls(since, done)
        rate = (job.rows_done - done) / (now - since)
        return cls(since, done, rate, max(0, job.rows_expected - job.rows_done) / rate)


@router.get("/batches")
def list_(request: Request, user: Client, cursor: str = "") -> Response:
    """Show where files are sent, and batches, newest first: clients their own, others all."""
    return _list(request, user, cursor[:36])


@router.post("/batches")
async def send(request: Request, user: Client) -> Response:
    """Keep files as a draft, or say why they cannot be read."""
    served = services(request)
    try:
        async with request.form(max_files=2, max_fields=10) as form:
            file, images = file_of(form, "file"), file_of(form, "images")
            if file is None:
                raise CatalogueError("No file was chosen", "Choose a file of listings")
            job = await run_in_threadpool(
                served.jobs.submit,
                file.filename or "",
                file.file,
                images.file if images else None,
                user.id,
                draft=True,
            )
    except ClientDisconnect:
        return Response(status_code=400)  # it was cancelled; nobody is there to read this
    except RayonError as error:
        return await run_in_threadpool(_list, request, user, "", error)
    return redirect(f"/batches/{job.id}")


@router.get("/batches/{job_id}")
def show(
    request: Request,
    user: Client,
    job_id: str,
    after: _ROW = 0,
    since: float = 0,
    done_then: int = 0,
) -> Response:
    """Show a draft as it is understood, or how far a batch is and what came of it."""
    return _show(request, _visible(request, job_id, user), after, since, done_then)


@router.post("/batches/{job_id}/start")
def start(request: Request, user: Client, job_id: str) -> Response:
    """Let a worker have a draft."""
    job = _visible(request, job_id, user)
    try:
        services(request).jobs.start(job.id)
    except ConflictError as error:
        return _show(request, _visible(request, job_id, user), error=error)
    return redirect(f"/batches/{job.id}")


@router.get("/batches/{job_id}/cancel")
def ask_to_cancel(request: Request, user: Client, job_id: str) -> Response:
    """Say what cancelling changes."""
    return render_page(request, "batch_cancel.html.j2", job=_visible(request, job_id, user))


@router.post("/batches/{job_id}/cancel")
def cancel(request: Request, user: Client, job_id: str) -> Response:
    """Cancel a batch, or discard a draft."""
    job = _visible(request, job_id, user)
    try:
        services(request).jobs.cancel(job.id)
    except ConflictError as error:
        return _show(request, _visible(request, job_id, user), error=error)
    if job.state == "draft":
        return redirect("/batches", "batch-discarded")
    return redirect(f"/batches/{job.id}", "batch-cancelled")


@router.get("/batches/{job_id}/progress")
def progress(request: Request, user: Client, job_id: str, since: float = 0, done_then: int = 0) -> Response:
    """Show how far a batch is; a part of its page that is fetched again and again."""
    job = _visible(request, job_id, user)
    return render_page(request, "batch_progress.html.j2", job=job, pace=Pace.of(job, since, done_then))


@router.get("/batches/{job_id}/decisions")
def decisions(request: Request, user: Client, job_id: str) -> Response:
    """Show what was decided of how many rows; a part of the page that comes later."""
    job = _visible(request, job_id, user)
    counts = services(request).jobs.decisions(job.id)
    return render_page(
        request,
        "batch_decisions.html.j2",
        job=job,
        accepted=counts.get("accept", 0),
        to_review=counts.get("review", 0),
    )


@router.get("/batches/{job_id}/failures.csv")
def failures(request: Request, user: Client, job_id: str) -> Response:
    """Download which rows failed, and why."""
    served = services(request)
    job = _visible(request, job_id, user)
    name = f"failures-{job.id}.csv"
    return StreamingResponse(
        _failure_lines(served, job.id),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/batches/{job_id}/pictures/{row}")
def picture(request: Request, user: Client, job_id: str, row: int) -> Response:
    """Show the picture of one of the first rows of a draft, small."""
    job = _visible(request, job_id, user)
    data = services(request).jobs.thumbnail(job.id, row)
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


def _list(request: Request, user: User, cursor: str, error: RayonError | None = None) -> Response:
    served = services(request)
    sees_all = may(user, Role.REVIEWER)
    found = served.jobs.list(None if sees_all else user.id, cursor or None, _PAGE + 1)
    return render_page(
        request,
        "batches.html.j2",
        error.status if error else 200,
        jobs=found[:_PAGE],
        next=found[_PAGE - 1].id if len(found) > _PAGE else None,
        cursor=cursor,
        names={one.id: one.name for one in served.accounts.users()} if sees_all else {},
        fields=FIELDS,
        aliases=ALIASES,
        error=error,
    )


def _show(
    request: Request,
    job: Job,
    after: int = 0,
    since: float = 0,
    done_then: int = 0,
    error: RayonError | None = None,
) -> Response:
    status = error.status if error else 200
    if job.state == "draft":
        preview = services(request).jobs.preview(job.id)
        page = "batch_draft.html.j2"
        return render_page(request, page, status, job=job, preview=preview, fields=FIELDS, error=error)
    found = services(request).jobs.failures(job.id, after, _FAILURES + 1)
    return render_page(
        request,
        "batch.html.j2",
        status,
        job=job,
        pace=Pace.of(job, since, done_then),
        failures=[_failure(*one) for one in found[:_FAILURES]],
        after=after,
        next=found[_FAILURES - 1][0] if len(found) > _FAILURES else None,
        error=error,
    )


def _failure(row: int, text: str) -> dict[str, Any]:
    """A row that failed: its number, its line where the file has lines, and why."""
    match = _PLACE.fullmatch(text)
    line = int(match[2]) if match and match[1] == "line" else None
    return {"row": row, "line": line, "reason": match[3] if match else text}


def _failure_lines(served: Services, job_id: str) -> Iterator[str]:
    yield "row,error\r\n"
    after = 0
    while found := served.jobs.failures(job_id, after, _AT_ONCE):
        lines = io.StringIO()
        csv.writer(lines).writerows(found)
        yield lines.getvalue()
        after = found[-1][0]


def _visible(request: Request, job_id: str, user: User) -> Job:
    owner = user.id if user.role == Role.CLIENT else None
    return services(request).jobs.find(job_id, owner)
