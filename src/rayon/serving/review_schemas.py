"""What goes into the review queue and comes out of it, as the OpenAPI document shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from rayon.data.readable import readable
from rayon.serving.schemas import Identifier, PredictionOut, ValidationIn, ValidationOut
from rayon.store.predictions import StoredPrediction

Id = Annotated[str, StringConstraints(max_length=36)]
Ids = Annotated[list[Id], Field(max_length=500)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LeaseIn(_Model):
    """Which listings a reviewer wants."""

    count: int = Field(default=8, ge=1, le=50)
    order: Literal["useful", "age", "confidence"] = Field(
        default="useful",
        description="useful: the random audit first, then the most unsure ones, near-duplicates later; "
        "age: oldest first; confidence: least sure first",
    )
    code: Identifier | None = Field(default=None, description="Only those with this suggested code")
    exclude: Ids = Field(default=[], description="Ids of predictions that are not to be given")


class SimilarIn(_Model):
    """To which listing others are to be similar."""

    id: Id | None = Field(default=None, description="The prediction; the most useful one where not given")
    code: Identifier | None = Field(default=None, description="Only those with this suggested code")
    count: int = Field(default=24, ge=1, le=60)
    exclude: Ids = Field(default=[], description="Ids of predictions that are not to be given")


class QueuedOut(PredictionOut):
    """A prediction that waits for a person."""

    title: str = Field(description="The title as people read it: entities and formatting resolved")
    text: str = Field(description="The description, likewise")
    near_key: str | None = Field(description="The same for near-duplicates; null where there is none")

    @classmethod
    def queued(cls, stored: StoredPrediction) -> Self:
        """Make it from what is stored."""
        return cls(
            **dict(PredictionOut.of(stored)),
            title=readable(stored.designation),
            text=readable(stored.description),
            near_key=stored.near_key,
        )


class LeasedOut(BaseModel):
    """Predictions that are one reviewer's until a moment."""

    items: list[QueuedOut]
    leased_until: datetime


class IdsIn(_Model):
    """Predictions, by their ids."""

    ids: Ids


class RenewedOut(BaseModel):
    """Which predictions are still one's own."""

    ids: list[str]
    leased_until: datetime


class ReviewProgressOut(BaseModel):
    """How far reviewing is."""

    waiting: int = Field(description="Predictions that wait for a person")
    waiting_audit: int = Field(description="Those of them that the random audit drew")
    mine_today: int = Field(description="Words of one's own since that moment, less those taken back")
    team_today: int = Field(description="The same of all")
    since: datetime


class WordIn(ValidationIn):
    """A person's word on a certain prediction."""

    prediction_id: Id
    overrule: StrictBool = Field(
        default=False, description="Whether it counts although somebody else has said something meanwhile"
    )


class WordsIn(_Model):
    """Several words."""

    words: Annotated[list[WordIn], Field(min_length=1, max_length=100)]


class OutcomeOut(BaseModel):
    """What became of a word."""

    prediction_id: str
    status: Literal["stored", "repeated", "conflict", "refused"] = Field(
        description="repeated: it was stored before; conflict: somebody else has said something meanwhile"
    )
    validation: ValidationOut | None = None
    detail: str = Field(default="", description="Why it was not stored; empty otherwise")


class OutcomesOut(BaseModel):
    """What became of several words, in their order."""

    outcomes: list[OutcomeOut]
