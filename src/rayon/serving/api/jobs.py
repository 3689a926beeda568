"""Files of any size, classified in the background."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, File, Query, Request, UploadFile
from fastapi.responses import FileResponse

from rayon.errors import ConflictError
from rayon.operations.accounts import Role
from rayon.operations.export import ExportFormat
from rayon.serving.auth import Client
from rayon.serving.downloads import download, download_content
from rayon.serving.problems import problem_responses
from rayon.serving.schemas import JobFailureOut, JobOut, JobsOut
from rayon.serving.services import Services, services
from rayon.store.accounts import User
from rayon.store.jobs import Job
from rayon.store.predictions import PredictionFilter

router = APIRouter(tags=["jobs"])


@router.post("/jobs", status_code=202, responses=problem_responses(400, 408, 413))
def submit(
    request: Request,
    user: Client,
    file: Annotated[UploadFile, File(description="Listings: .csv, .parquet or .jsonl")],
    images: Annotated[UploadFile | None, File(description="A ZIP of their pictures")] = None,
) -> JobOut:
    """Send a file of listings to be classified in the background."""
    job = services(request).jobs.submit(
        file.filename or "", file.file, images.file if images else None, user.id
    )
    return JobOut.of(job)


@router.get("/jobs")
def list_(
    request: Request,
    user: Client,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=36)] = None,
) -> JobsOut:
    """List jobs, newest first: clients their own, reviewers and administrators all."""
    owner = user.id if user.role == Role.CLIENT else None
    found = services(request).jobs.list(owner, cursor, limit + 1)
    items = [JobOut.of(job) for job in found[:limit]]
    return JobsOut(items=items, next=items[-1].id if len(found) > limit else None)


@router.get("/jobs/{job_id}", responses=problem_responses(404))
def get(request: Request, user: Client, job_id: str) -> JobOut:
    """See how far a job is."""
    return JobOut.of(_visible(services(request), job_id, user))


@router.delete("/jobs/{job_id}", status_code=204, responses=problem_responses(404, 409))
def cancel(request: Request, user: Client, job_id: str) -> None:
    """Cancel a job; what is classified already stays."""
    served = services(request)
    served.jobs.cancel(_visible(served, job_id, user).id)


@router.get("/jobs/{job_id}/failures", responses=problem_responses(404))
def failures(
    request: Request,
    user: Client,
    job_id: str,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Row to go on after")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[JobFailureOut]:
    """See which rows failed, and why."""
    served = services(request)
    found = served.jobs.failures(_visible(served, job_id, user).id, after, limit)
    return [JobFailureOut(row=row, error=error) for row, error in found]


@router.get(
    "/jobs/{job_id}/results",
    response_class=FileResponse,
    responses={200: {"content": download_content()}, **problem_responses(404, 409)},
)
def results(
    request: Request,
    user: Client,
    job_id: str,
    form: Annotated[ExportFormat, Query(alias="format")] = "csv",
) -> FileResponse:
    """Download the predictions of a job that has ended; `job_row` is the row of the file, from 1."""
    served = services(request)
    job = _visible(served, job_id, user)
    if job.finished_at is None:
        raise ConflictError(f"The job {job.id!r} has not ended", "Ask again when its state is done")
    name = f"{Path(job.file).stem}-codes"
    return download(served, PredictionFilter(job_id=job.id), form, name)


def _visible(served: Services, job_id: str, user: User) -> Job:
    return served.jobs.find(job_id, user.id if user.role == Role.CLIENT else None)
