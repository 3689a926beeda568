"""A model that comes as a ZIP, by a form."""

from __future__ import annotations

import shutil
from pathlib import Path

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from rayon.errors import ModelError, RayonError
from rayon.operations.accounts import Role
from rayon.serving.auth import Admin, requires
from rayon.serving.model_imports import new_archive, register_archive
from rayon.serving.services import Services, services
from rayon.serving.web.forms import check_form, file_of
from rayon.serving.web.rendering import redirect, render_page
from rayon.store.models import ModelVersion

# The role is checked before the form is read: others could send gigabytes.
router = APIRouter(dependencies=[Depends(requires(Role.ADMIN)), Depends(check_form)])


@router.get("/models/import")
def ask_for_archive(request: Request, _user: Admin) -> Response:
    """Show where an archive is chosen."""
    return _page(request)


@router.post("/models/import")
async def import_(request: Request, user: Admin) -> Response:
    """Register the model of an archive."""
    served = services(request)
    try:
        async with request.form() as form:
            archive = file_of(form, "archive")
            if archive is None:
                raise ModelError("No file is chosen", "Choose a ZIP that a download of a model gave")
            made = await run_in_threadpool(_register, served, archive, user.name)
    except RayonError as error:
        return await run_in_threadpool(_page, request, error)
    return redirect(f"/models/{made.name}", "imported")


def _register(served: Services, upload: UploadFile, actor: str) -> ModelVersion:
    with new_archive(served.exports) as file:
        shutil.copyfileobj(upload.file, file)
    return register_archive(served, Path(file.name), actor)


def _page(request: Request, error: RayonError | None = None) -> Response:
    return render_page(request, "model_import.html.j2", error.status if error else 200, error=error)
