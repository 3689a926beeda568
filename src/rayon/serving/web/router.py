"""All pages, under the one rule that forms come from a page of their session."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from rayon.serving.web import (
    account,
    batches,
    brake,
    classify,
    documentation,
    explanation,
    gate,
    look_plots,
    looking,
    model_imports,
    models,
    monitoring,
    monthly_reports,
    people,
    predictions,
    promotion,
    retrainings,
    review,
    start,
    static_files,
)
from rayon.serving.web.forms import check_form

router = APIRouter(include_in_schema=False)
router.include_router(model_imports.router)  # which checks it itself, after the role
for pages in (
    documentation,
    static_files,
    start,
    account,
    batches,
    review,
    classify,
    explanation,
    predictions,
    gate,
    promotion,
    brake,
    retrainings,
    people,
    models,
    looking,
    look_plots,
    monthly_reports,
    monitoring,
):
    router.include_router(pages.router, dependencies=[Depends(check_form)])
