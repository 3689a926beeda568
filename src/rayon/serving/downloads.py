"""Files that are made to be downloaded, and removed once they are sent."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from rayon.operations.export import ExportFormat, export_predictions
from rayon.serving.services import Services
from rayon.store.predictions import PredictionFilter

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/x-ndjson",
}


def download(services: Services, wanted: PredictionFilter, form: ExportFormat, name: str) -> FileResponse:
    """Export what the filter lets through, under a name without its suffix."""
    return download_made(
        services,
        lambda path: export_predictions(services.database, wanted, path, form),
        f"{name}.{form}",
        MEDIA_TYPES[form],
    )


def download_made(
    services: Services, make: Callable[[Path], object], name: str, media_type: str
) -> FileResponse:
    """Have a file made at a path, and send it under this name."""
    services.exports.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=services.exports, suffix=Path(name).suffix, delete=False) as file:
        path = Path(file.name)
    try:
        make(path)
    except BaseException:
        path.unlink()
        raise
    return FileResponse(
        path,
        media_type=media_type,
        filename=name,
        background=BackgroundTask(path.unlink, missing_ok=True),
    )


def download_content() -> dict[str, dict[str, object]]:
    """What the OpenAPI document says of the answer."""
    return {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()}
