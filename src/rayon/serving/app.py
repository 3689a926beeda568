"""The application: the endpoints, what holds for all of them, and a clean end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from rayon import __version__
from rayon.data.image import MAX_BYTES
from rayon.serving import health, problems
from rayon.serving.api import (
    audit,
    brake,
    explanations,
    exports,
    jobs,
    model,
    models,
    monitoring,
    predictions,
    retrainings,
    review,
    users,
    validations,
)
from rayon.serving.auth import SIGNED_IN, SignIn
from rayon.serving.limits import PATIENCE, RequestLimits
from rayon.serving.observation import RequestObserver
from rayon.serving.security import SecurityHeaders
from rayon.serving.services import Services
from rayon.serving.web.router import router as pages

MAX_BODY = MAX_BYTES + 4 * 1024 * 1024
"""Bytes of a request: the largest picture, and the texts beside it."""

MAX_UPLOAD = 5 * 1024**3
"""Bytes of a job: its listings, and the pictures in their archive; or of a model."""

_UPLOADS = {"/api/v1/jobs", "/api/v1/models/import", "/batches", "/models/import"}


def create_app(
    services: Services, max_body: int = MAX_BODY, max_upload: int = MAX_UPLOAD, patience: float = PATIENCE
) -> FastAPI:
    """Make the application; when it stops, what was asked is answered, then the services are closed.

    Parameters
    ----------
    services
        Made by the caller, who closes the database after.
    max_body
        Bytes of a request's body that are read.
    max_upload
        The same for the files of a job, and for a model.
    patience
        Seconds that a client may leave between two pieces of a body.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(services.predictions.close)

    app = FastAPI(
        title="Rayon",
        version=__version__,
        summary="Product type codes for listings, with calibrated confidence and a promised precision.",
        lifespan=lifespan,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # it would lead to whatever host the client names
    )
    app.state.services = services
    services.metrics.watch(lambda: services.predictions.waiting)
    problems.install(app)
    app.include_router(health.router)
    app.include_router(pages)
    for resource in (
        exports,
        predictions,
        explanations,
        validations,
        review,
        jobs,
        users,
        audit,
        model,
        models,
        brake,
        monitoring,
        retrainings,
    ):
        app.include_router(
            resource.router,
            prefix="/api/v1",
            dependencies=[SIGNED_IN],
            responses=problems.problem_responses(400, 401, 403, 422, 429, 503),
        )
    app.add_middleware(SignIn)
    app.add_middleware(
        RequestLimits,
        max_body=lambda path: max_upload if path in _UPLOADS else max_body,
        admission=services.admission,
        is_full=services.is_full,
        stopping=services.stopping.is_set,
        patience=patience,
    )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestObserver, metrics=services.metrics)
    problems.document(app)
    return app
