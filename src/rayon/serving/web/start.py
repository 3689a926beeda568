"""The start page: what needs doing now, by role."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from rayon.operations.accounts import Role
from rayon.serving.auth import Client
from rayon.serving.services import Services, services
from rayon.serving.web.rendering import may, render_page
from rayon.store.accounts import User
from rayon.store.monitoring import list_runs
from rayon.store.predictions import PredictionFilter, list_predictions
from rayon.store.review import count_progress

router = APIRouter()
_JOBS = 3
_RECENT = 5


@router.get("/")
def start(request: Request, user: Client) -> Response:
    """Show what needs doing now."""
    served = services(request)
    return render_page(
        request,
        "start.html.j2",
        **_own(served, user),
        **(_of_reviewers(served, user) if may(user, Role.REVIEWER) else {}),
    )


def _own(served: Services, user: User) -> dict[str, Any]:
    """One's own batches and predictions."""
    with served.database.read() as connection:
        recent = list_predictions(connection, PredictionFilter(user_id=user.id), _RECENT)
    return {"jobs": served.jobs.list(user.id, None, _JOBS), "recent": recent}


def _of_reviewers(served: Services, user: User) -> dict[str, Any]:
    """The queue, what monitoring found, and the model that answers."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with served.database.read() as connection:
        progress = count_progress(connection, user.id, midnight)
        runs = list_runs(connection, limit=1)
    return {
        "progress": progress,
        "look": runs[0] if runs else None,
        "brake": served.recorder.brake,
        "promise": served.model.policy_.report(),
        "retrainings": served.retrainings.newest(None, 1),
    }
