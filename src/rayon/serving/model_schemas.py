"""What is asked and answered about models, as the OpenAPI document shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from rayon.serving.schemas import without_nul
from rayon.store.brakes import Brake
from rayon.store.models import ModelVersion, Promotion


class ReasonIn(BaseModel):
    """Why something is done to the model that serves."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(without_nul)]


class BrakeIn(ReasonIn):
    """A brake to set on the model that answers."""

    kind: Literal["tighten", "review"] = Field(
        default="tighten",
        description="tighten: accept as if half as many errors were allowed, where the model's own listings "
        "support that; review: accept nothing",
    )


class BrakeOut(BaseModel):
    """What keeps a model from accepting as it promises."""

    model: str = Field(description="Its name; other models are not braked")
    at: datetime
    actor: str
    kind: Literal["tighten", "review"]
    threshold: float | None = Field(description="From which score on it accepts; null where it does not")
    reason: str

    @classmethod
    def of(cls, brake: Brake) -> Self:
        """Make it from what is stored."""
        return cls(**{name: getattr(brake, name) for name in cls.model_fields})


class RecalibrationIn(ReasonIn):
    """On what to set the champion's thresholds anew, and why."""

    since: AwareDatetime | None = Field(
        default=None, description="From when on validations count; 90 days ago where not given"
    )


class ModelOut(BaseModel):
    """The model that answers."""

    version: str
    modalities: list[str]
    codes: int
    precision: float = Field(description="What the accepted listings as a whole are promised to keep")
    policy: str = Field(description="The promise, and what it rests on, in a sentence")
    pinned: bool = Field(description="Whether this process stays with this model, whatever is promoted")
    champion: str | None = Field(description="The name of the model that should answer")
    problem: str = Field(description="Why the champion does not answer; empty where it does")
    brake: BrakeOut | None = Field(description="What keeps it from accepting as it promises, if anything")


class ModelVersionOut(BaseModel):
    """A model that is registered."""

    name: str = Field(description="The first 12 digits of its version")
    version: str
    champion: bool = Field(description="Whether it is the one that serves")
    created_at: datetime
    registered_at: datetime
    registered_by: str
    source: str
    parent: str | None = Field(description="The champion when it was registered")
    size_bytes: int
    figures: dict[str, Any] = Field(description="Its data, its promise and its figures, from its model.json")

    @classmethod
    def of(cls, version: ModelVersion, champion: str | None) -> Self:
        """Make it from what is stored."""
        same = {name: getattr(version, name) for name in cls.model_fields if name != "champion"}
        return cls(**same, champion=version.name == champion)


class PromotionOut(BaseModel):
    """One change of the champion."""

    id: int
    at: datetime
    actor: str
    kind: Literal["promote", "rollback"]
    model: str
    previous: str | None
    reason: str
    verdict: dict[str, Any] | None = Field(description="What the gate found; null where it was not asked")

    @classmethod
    def of(cls, promotion: Promotion) -> Self:
        """Make it from what is stored."""
        return cls(**{name: getattr(promotion, name) for name in cls.model_fields})
