"""Settings from the environment: the only place that reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What can be set by ``RAYON_*`` variables; passed down as plain values."""

    model_config = SettingsConfigDict(env_prefix="RAYON_", extra="ignore")

    home: Path = Field(
        default_factory=lambda: Path.home() / ".rayon", description="Where Rayon keeps its data"
    )
    cache: bool = Field(default=True, description="Whether embeddings are kept on disk between runs")
    database: str | None = Field(
        default=None, description="Address of the database; the file rayon.db in RAYON_HOME where unset"
    )
    images: str | None = Field(
        default=None,
        description="Where pictures are kept: a folder, or an fsspec address such as s3://bucket/images; "
        "the folder images in RAYON_HOME where unset",
    )
    model: Path | None = Field(
        default=None, description="The model folder that answers; the champion where unset"
    )
    audit_share: float = Field(
        default=0.01, ge=0, le=1, description="Share of all predictions that is drawn for review at random"
    )
    on_broken_promise: Literal["nothing", "tighten", "review"] = Field(
        default="tighten",
        description="What happens to a model whose promise is seen to be broken, until somebody releases it",
    )
    monitor_schedule: str | None = Field(
        default=None,
        description="When the live service is looked at: a cron expression in RAYON_TIME_ZONE",
    )
    retrain_schedule: str | None = Field(
        default=None,
        description="When a model is retrained, if it is needed: a cron expression in RAYON_TIME_ZONE",
    )
    time_zone: str | None = Field(
        default=None, description="Of the schedules, such as Europe/Paris; needed where there is one"
    )
    retrain_when_needed: bool = Field(
        default=False, description="Whether a scheduled look that finds a need asks for a retraining"
    )
    max_waiting: int = Field(
        default=64, ge=1, description="Listings, and requests, that may wait for the model in each process"
    )
    deadline: float = Field(
        default=10.0, gt=0, description="Seconds within which a prediction is answered, or refused"
    )
    drain_seconds: float = Field(
        default=1.0, ge=0, description="Seconds for which a stopping server refuses requests before it closes"
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="How the service logs: lines for people, or JSON for machines"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="From which level on the service logs"
    )
    threads: int | None = Field(default=None, ge=1, description="Worker threads; all cores where unset")
    tracking: Literal["auto", "on", "off"] = Field(
        default="auto", description="Whether MLflow is told of trainings; auto does where it is installed"
    )

    @property
    def embedding_cache(self) -> Path | None:
        """Folder of the embeddings; ``None`` where caching is off."""
        return self.home / "cache" / "embeddings" if self.cache else None

    @property
    def networks(self) -> Path:
        """Folder of pretrained weights, checkpoints and exported networks."""
        return self.home / "networks"

    @property
    def database_url(self) -> str:
        """Address of the database."""
        return self.database or f"sqlite:///{(self.home / 'rayon.db').absolute()}"

    @property
    def jobs(self) -> Path:
        """Folder of the files of jobs that have not ended."""
        return self.home / "jobs"

    @property
    def models(self) -> Path:
        """Folder of the model versions that Rayon keeps."""
        return self.home / "models"

    @property
    def reports(self) -> Path:
        """Folder of the monthly reports."""
        return self.home / "reports"

    @property
    def retrainings(self) -> Path:
        """Folder of the reports of retrainings, and of their files while they run."""
        return self.home / "retrainings"

    @property
    def tracking_uri(self) -> str | None:
        """Where MLflow is: its own variable, as everything else that uses MLflow has it."""
        return os.environ.get("MLFLOW_TRACKING_URI") or None

    @property
    def images_location(self) -> str | Path:
        """Where the service keeps pictures."""
        return self.images or self.home / "images"
