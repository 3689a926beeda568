"""Where the settings say that trainings and promotions are told."""

from __future__ import annotations

from contextlib import suppress

from rayon.operations.mirroring import mirror_registry
from rayon.operations.registry import Registry
from rayon.operations.tracking import NoTracker, Tracker, open_tracker
from rayon.settings import Settings


def open_tracking(settings: Settings) -> Tracker:
    """Give the tracker that is set.

    Raises
    ------
    MissingExtraError
        When RAYON_TRACKING is ``on`` and MLflow is not installed.
    """
    if settings.tracking == "off":
        return NoTracker()
    tracker = open_tracker(settings.home, settings.tracking_uri, required=settings.tracking == "on")
    if settings.tracking_uri is None and not isinstance(tracker, NoTracker):
        with suppress(OSError):  # MLflow will say so; its own folder would be open to everybody
            settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tracker


def mirror(registry: Registry) -> None:
    """Show in MLflow, where it is used, which model is the champion now; it may take some seconds."""
    mirror_registry(open_tracking(Settings()), registry)
