"""Whether the process lives, whether it is ready to answer, and what it counts."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from rayon.errors import OverloadedError
from rayon.serving.auth import SIGNED_IN, Client
from rayon.serving.metrics import CONTENT_TYPE
from rayon.serving.problems import problem_responses
from rayon.serving.schemas import StatusOut
from rayon.serving.services import services
from rayon.store.schema import schema_status

router = APIRouter(tags=["health"])


@router.get("/health/live")
def live() -> StatusOut:
    """Say that the process runs."""
    return StatusOut(status="ok")


@router.get("/health/ready", responses=problem_responses(503))
def ready(request: Request) -> StatusOut:
    """Say whether the model is loaded, the database can be reached, and there is room."""
    served = services(request)
    if served.is_full():
        raise OverloadedError(
            "As many requests are under way as can be answered in time", "Ask another process"
        )
    schema_status(served.database)
    return StatusOut(status="ok")


@router.get(
    "/metrics",
    dependencies=[SIGNED_IN],
    response_class=Response,
    responses={
        200: {"content": {CONTENT_TYPE.partition(";")[0]: {}}},
        **problem_responses(401, 429, 503),
    },
)
def metrics(request: Request, _user: Client) -> Response:
    """Read the counters of this process, in the text format of Prometheus."""
    return Response(services(request).metrics.render(), media_type=CONTENT_TYPE)
