"""All pages, under the one rule that forms come from a page of their session."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from rayon.serving.web import (
    account,
    batches,
    classify,
    documentation,
    explanation,
    look_plots,
    looking,
    models,
    monitoring,
    monthly_reports,
    people,
    predictions,
    retrainings,
    review,
    start,
    static_files,
)
from rayon.serving.web.forms import check_form

SUBJECTS = (
    documentation,
    static_files,
    start,
    account,
    review,
    classify,
    batches,
    explanation,
    predictions,
    models,
    looking,
    look_plots,
    monthly_reports,
    monitoring,
    people,
    retrainings,
)
"""Modules of pages, each with a router."""

router = APIRouter(include_in_schema=False, dependencies=[Depends(check_form)])
for subject in SUBJECTS:
    router.include_router(subject.router)
