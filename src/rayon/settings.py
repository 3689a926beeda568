"""Settings from the environment: the only place that reads it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What can be set by ``RAYON_*`` variables; passed down as plain values."""

    model_config = SettingsConfigDict(env_prefix="RAYON_", extra="ignore")

    home: Path = Field(
        default_factory=lambda: Path.home() / ".rayon", description="Where Rayon keeps its data"
    )
    cache: bool = Field(default=True, description="Whether image embeddings are kept on disk between runs")
    threads: int | None = Field(default=None, ge=1, description="Worker threads; all cores where unset")

    @property
    def embedding_cache(self) -> Path | None:
        """Folder of the image embeddings; ``None`` where caching is off."""
        return self.home / "cache" / "embeddings" if self.cache else None
