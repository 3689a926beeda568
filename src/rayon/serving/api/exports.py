"""Predictions as a file."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse

from rayon.operations.export import ExportFormat
from rayon.serving.api.predictions import Filters
from rayon.serving.auth import Client
from rayon.serving.downloads import download, download_content
from rayon.serving.services import services

router = APIRouter(tags=["predictions"])


@router.get(
    "/predictions/export",
    response_class=FileResponse,
    responses={200: {"content": download_content()}},
)
def export(
    request: Request,
    user: Client,
    filters: Annotated[Filters, Query()],
    form: Annotated[ExportFormat, Query(alias="format")] = "csv",
) -> FileResponse:
    """Download predictions, newest first; clients their own, reviewers and administrators all."""
    wanted = filters.to_filter(user, None)
    return download(services(request), wanted, form, "predictions")
