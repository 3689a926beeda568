"""Predictions as a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from rayon.operations.export import ExportFormat, export_predictions
from rayon.serving.api.predictions import Filters
from rayon.serving.auth import Client
from rayon.serving.services import services

router = APIRouter(tags=["predictions"])
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/x-ndjson",
}


@router.get(
    "/predictions/export",
    response_class=FileResponse,
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in _TYPES.values()}}},
)
def export(
    request: Request,
    user: Client,
    filters: Annotated[Filters, Query()],
    form: Annotated[ExportFormat, Query(alias="format")] = "csv",
) -> FileResponse:
    """Download predictions, newest first; clients their own, reviewers and administrators all."""
    with tempfile.NamedTemporaryFile(suffix=f".{form}", delete=False) as file:
        path = Path(file.name)
    try:
        export_predictions(services(request).database, filters.to_filter(user, None), path, form)
    except BaseException:
        path.unlink()
        raise
    return FileResponse(
        path,
        media_type=_TYPES[form],
        filename=f"predictions.{form}",
        background=BackgroundTask(path.unlink),
    )
