"""What monitoring and retraining answer, as the OpenAPI document shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from rayon.store.monitoring import MonitoringRun
from rayon.store.retrainings import Retraining, RetrainingState, RetrainingStep, Trigger


class AttentionOut(BaseModel):
    """Something that a person should look at."""

    kind: str = Field(description="promise, quality, confidence, drift or brake")
    message: str


class MonitoringRunOut(BaseModel):
    """One look at the live service."""

    id: int
    at: datetime
    actor: str = Field(description="Who looked: a user, `command line` or `the schedule`")
    model: str
    attention: list[AttentionOut]
    missing: list[str] = Field(description="What could not be judged, and how much data it takes")

    @classmethod
    def of(cls, run: MonitoringRun) -> Self:
        """Make it from what is stored."""
        report = run.report
        return cls(
            id=run.id,
            at=run.at,
            actor=run.actor,
            model=run.model,
            attention=report["attention"],
            missing=report["missing"],
        )


class MonitoringRunsOut(BaseModel):
    """Looks at the live service, newest first."""

    items: list[MonitoringRunOut]
    next: int | None = Field(description="Give it as `cursor` to go on; null at the end")


class MonitoringReportOut(MonitoringRunOut):
    """All that a look found."""

    report: dict[str, Any] = Field(description="Volumes, quality, promise, calibration and drift")

    @classmethod
    def of(cls, run: MonitoringRun) -> Self:
        """Make it from what is stored."""
        return cls(**MonitoringRunOut.of(run).model_dump(), report=run.report)


class LookIn(BaseModel):
    """From when on to look."""

    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime | None = Field(default=None, description="30 days ago where not given")


class RetrainingStepOut(BaseModel):
    """Something that a retraining has done."""

    at: datetime
    step: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, step: RetrainingStep) -> Self:
        """Make it from what is stored."""
        return cls(at=step.at, step=step.step, detail=step.detail)


class RetrainingOut(BaseModel):
    """A run from training data and feedback to a decision about the challenger."""

    id: str
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    state: RetrainingState
    trigger: Trigger
    actor: str
    reason: str
    model: str | None = Field(description="The challenger; null as long as there is none")
    error: str

    @classmethod
    def of(cls, one: Retraining) -> Self:
        """Make it from what is stored."""
        return cls(**{name: getattr(one, name) for name in RetrainingOut.model_fields})


class RetrainingsOut(BaseModel):
    """Retrainings, newest first."""

    items: list[RetrainingOut]
    next: str | None = Field(description="Give it as `cursor` to go on; null at the end")


class RetrainingDetailOut(RetrainingOut):
    """A retraining with what it has done."""

    steps: list[RetrainingStepOut]

    @classmethod
    def with_steps(cls, one: Retraining, steps: list[RetrainingStep]) -> Self:
        """Make it from what is stored."""
        return cls(**RetrainingOut.of(one).model_dump(), steps=[RetrainingStepOut.of(step) for step in steps])
