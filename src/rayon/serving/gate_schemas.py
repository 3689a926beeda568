"""What goes into the gate and comes out of it, as the OpenAPI document shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from rayon.data.taxonomy_change import TaxonomyChange
from rayon.operations.judging import Judged
from rayon.serving.model_schemas import ReasonIn
from rayon.store.verdicts import StoredVerdict

Code = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S")]
CodeChange = Annotated[
    dict[Code, Code | list[Code]],
    Field(
        description="What became of the champion's codes, where the challenger knows others: the new code, "
        "all new codes of one that was split, or none of one that was retired"
    ),
]
ModelName = Annotated[str, StringConstraints(max_length=64)]


class PromoteIn(ReasonIn):
    """Why the champion is changed, and whether the gate may be overruled."""

    force: StrictBool = Field(default=False, description="Promote it whatever the gate says")
    change: CodeChange | None = None


class CompareIn(BaseModel):
    """Who is to be compared."""

    model_config = ConfigDict(extra="forbid")

    challenger: ModelName = Field(description="Name of the model that might take the place")
    champion: ModelName | None = Field(
        default=None, description="Name of the model whose place it is; that of the champion where not given"
    )
    change: CodeChange | None = None


def change_of(asked: PromoteIn | CompareIn) -> TaxonomyChange | None:
    """The change that was asked for."""
    if asked.change is None:
        return None
    return TaxonomyChange(
        {
            code: (new,) if isinstance(new, str) else tuple(dict.fromkeys(new))
            for code, new in asked.change.items()
        }
    )


class CheckOut(BaseModel):
    """One thing that the gate looked at."""

    name: str = Field(examples=["better"])
    passed: bool
    reason: str
    figures: dict[str, Any]


class JudgedOut(BaseModel):
    """What the gate found on the golden set."""

    champion: str
    challenger: str
    passed: bool = Field(description="Whether the challenger may take the place: whether all checks passed")
    checks: list[CheckOut]
    listings: int = Field(description="Listings that both were scored on")
    seen: int = Field(description="Listings that were left out because a model had learned from them")
    retired: int = Field(description="Listings that were left out because their code was retired")
    golden_listings: int
    turn: int = Field(description="The place of this question in its spell, from 1")
    alpha: float = Field(description="The level at which it was judged; later turns have lower ones")

    @classmethod
    def of(cls, judged: Judged) -> Self:
        """Make it from what was found."""
        return cls(**{name: value for name, value in judged.to_dict().items() if name in cls.model_fields})


class VerdictOut(BaseModel):
    """Something that was asked of the golden set."""

    id: int
    at: datetime
    actor: str
    serving: str | None = Field(description="The champion at that time")
    champion: str
    challenger: str
    golden_listings: int
    turn: int = Field(description="Its place in its spell, from 1; 0 where the models could not be compared")
    alpha: float
    passed: bool
    forced: bool = Field(description="Whether it was to be promoted although it did not pass")
    verdict: dict[str, Any] = Field(description="All figures")

    @classmethod
    def of(cls, verdict: StoredVerdict) -> Self:
        """Make it from what is stored."""
        return cls(**{name: getattr(verdict, name) for name in cls.model_fields})
