"""What stops the model that answers from accepting too much: its brake, and thresholds set anew."""

from __future__ import annotations

from datetime import datetime

from rayon.errors import ConflictError
from rayon.operations import recalibration
from rayon.operations.registry import NAME_LENGTH
from rayon.serving.judging import judging
from rayon.serving.services import Services
from rayon.store.models import Promotion


def serving_name(served: Services) -> str:
    """The name of the model that answers."""
    return str(served.model.version_)[:NAME_LENGTH]


def followed_name(served: Services, seen: str | None = None) -> str:
    """The name of the model that answers, for whoever brakes it.

    Parameters
    ----------
    served
        The services.
    seen
        The model that whoever asks has seen; none other is braked then.

    Raises
    ------
    ConflictError
        When no brake would stop it, or another one answers.
    """
    if served.follower is None:
        raise ConflictError(
            "This process is pinned to one model, which follows no brake",
            "Serve the champion, without --model and RAYON_MODEL",
        )
    name = serving_name(served)
    if seen is not None and name != seen:
        raise ConflictError("Another model was promoted at the same moment", "Look again, and decide anew")
    return name


def recalibrate_champion(served: Services, actor: str, reason: str, since: datetime | None) -> Promotion:
    """Set the champion's thresholds anew, from validated predictions that the random audit drew.

    It takes as long as the champion takes to answer their listings afresh.

    Parameters
    ----------
    served
        The services.
    actor, reason
        Who does it, and why.
    since
        From when on validations count; see `rayon.operations.recalibration.recalibrate`.

    Raises
    ------
    ConflictError
        When the champion does not answer here, or the gate is busy.
    RayonError
        When the listings do not support the promise.
    """
    model = served.model
    if served.registry.champion() != serving_name(served):
        raise ConflictError("The champion does not answer here", "Ask a process that follows it")
    with judging(served) as (_, watch):
        found = recalibration.recalibrate(served.database, served.images, model, since=since, progress=watch)
    moved = recalibration.promote_recalibrated(served.registry, found, actor, reason)
    served.mirror()
    return moved
