"""Whether the process lives, and whether it is ready to answer."""

from __future__ import annotations

from fastapi import APIRouter, Request

from rayon.serving.problems import problem_responses
from rayon.serving.schemas import StatusOut
from rayon.serving.services import services
from rayon.store.schema import schema_status

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
def live() -> StatusOut:
    """Say that the process runs."""
    return StatusOut(status="ok")


@router.get("/ready", responses=problem_responses(503))
def ready(request: Request) -> StatusOut:
    """Say whether the model is loaded, the database can be reached, and there is room."""
    served = services(request)
    served.predictions.refuse_if_full()
    schema_status(served.database)
    return StatusOut(status="ok")
