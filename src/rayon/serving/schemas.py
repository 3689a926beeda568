"""What goes in and comes out, as the OpenAPI document shows it."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
)

from rayon.data.image import MAX_BYTES
from rayon.data.listings import Listing
from rayon.learning.explain import Explanation
from rayon.operations.accounts import Role
from rayon.operations.passwords import MAX_PASSWORD, MIN_PASSWORD
from rayon.store.accounts import ApiKey, User
from rayon.store.audit import AuditEntry
from rayon.store.jobs import Job
from rayon.store.predictions import StoredPrediction, Validation

MAX_LISTINGS = 1000
"""Listings in one batch."""


def without_nul(text: str) -> str:
    """Leave out what PostgreSQL keeps none of, and what says nothing."""
    return text.replace("\0", "")


Text = Annotated[str, StringConstraints(max_length=100_000), AfterValidator(without_nul)]
Identifier = Annotated[str, StringConstraints(max_length=200), AfterValidator(without_nul)]
UserName = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w.@+-]+$")]
Password = Annotated[str, StringConstraints(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]


def _decode(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise ValueError("this is not Base64") from None


_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
Picture = Annotated[
    bytes,
    BeforeValidator(_decode),
    Field(max_length=MAX_BYTES),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "pattern": _BASE64}),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ListingIn(_Model):
    """A listing to classify; any part may be missing, not all of them."""

    designation: Text = Field(default="", description="The title", examples=["Piscine ronde 3 m avec pompe"])
    description: Text = Field(default="", description="The longer text, possibly HTML")
    productid: Identifier = Field(default="", description="Your own id; carried along")
    imageid: Identifier = Field(default="", description="Your id of the picture; carried along")
    image: Picture | None = Field(
        default=None, description="A JPEG, PNG or WebP in Base64; multipart takes the file as it is"
    )

    def listing(self) -> Listing:
        """Make the listing."""
        return Listing(self.designation, self.description, self.image or None, self.productid, self.imageid)


class BatchIn(_Model):
    """Several listings to classify."""

    listings: Annotated[list[ListingIn], Field(min_length=1, max_length=MAX_LISTINGS)]


class ScoreOut(BaseModel):
    """A code with its confidence."""

    code: str
    label: str
    confidence: float


class PredictionOut(BaseModel):
    """What was answered for a listing, and what a person said of it."""

    id: str = Field(description="Unique; keep it to validate or to look the prediction up")
    created_at: datetime
    code: str
    label: str
    confidence: float = Field(ge=0, le=1, description="Calibrated: how often such an answer is right")
    decision: Literal["accept", "review"]
    reason: str
    alternatives: list[ScoreOut]
    scores: dict[str, ScoreOut] = Field(description="What each modality alone would answer")
    modalities: list[str] = Field(description="What was used: text, image, or both")
    degraded: bool = Field(description="Whether a part that was given could not be used")
    error: str = Field(description="Which part could not be used, and why; empty otherwise")
    model_version: str
    productid: str
    imageid: str
    designation: str
    description: str
    image: str | None = Field(description="Where the picture is, below /api/v1; null where none is kept")
    queued_for: Literal["review", "audit"] | None = Field(description="Why a person is to look, if one is")
    audit_probability: float = Field(description="How likely the random audit was to draw this prediction")
    validated_at: datetime | None
    true_code: str | None = Field(description="What a person said is right; null until then")
    job_id: str | None = Field(description="The job that it belongs to, if any")
    job_row: int | None = Field(description="The row of the job's file, from 1")

    @classmethod
    def of(cls, stored: StoredPrediction, alternatives: list[ScoreOut] | None = None) -> Self:
        """Make it from what is stored."""
        return cls(
            **{name: getattr(stored, name) for name in _SAME},
            alternatives=alternatives or [ScoreOut(**one) for one in stored.alternatives],
            scores={name: ScoreOut(**one) for name, one in stored.scores.items()},
            image=f"/predictions/{stored.id}/image" if stored.image else None,
        )


_SAME = tuple(set(PredictionOut.model_fields) - {"alternatives", "scores", "image"})


class AnswerOut(PredictionOut):
    """A prediction, with how long it took."""

    milliseconds: float = Field(description="From the request's arrival to the stored prediction")


class FailureOut(BaseModel):
    """A listing of a batch that could not be classified."""

    position: int = Field(description="Its place in the batch, from 0")
    error: str


class BatchOut(BaseModel):
    """Predictions of a batch in its order, and the listings that got none."""

    predictions: list[PredictionOut]
    failures: list[FailureOut]
    milliseconds: float


class PageOut(BaseModel):
    """A part of a list, newest first."""

    items: list[PredictionOut]
    next: str | None = Field(description="Pass it as `cursor` to go on; null at the end")


class WordOut(BaseModel):
    """How much a word speaks for the code, in log-odds; negative where it speaks against."""

    field: Literal["designation", "description"]
    start: int
    end: int
    word: str
    weight: float


class NeighbourOut(BaseModel):
    """A training listing that looks alike."""

    code: str
    title: str
    productid: str
    similarity: float


class ExplanationOut(BaseModel):
    """What spoke for and against a code."""

    code: str
    label: str
    confidence: float
    words: list[WordOut]
    regions: list[list[float]] | None = Field(
        description="Log-odds by cell of the picture, row by row from the top; null without a picture"
    )
    neighbours: list[NeighbourOut]
    scores: dict[str, float] = Field(description="What each modality alone gives the code")

    @classmethod
    def of(cls, explanation: Explanation) -> Self:
        """Make it from the model's."""
        return cls.model_validate(explanation.to_dict())


class JobOut(BaseModel):
    """A file to classify, and how far it is."""

    id: str
    state: Literal["draft", "waiting", "running", "done", "failed", "cancelled"]
    file: str
    created_at: datetime
    finished_at: datetime | None
    rows_done: int = Field(description="Answered or failed")
    rows_failed: int
    rows_expected: int = Field(description="At the most; 0 until a worker has begun")
    error: str = Field(description="Why the whole job failed; empty otherwise")

    @classmethod
    def of(cls, job: Job) -> Self:
        """Make it from what is stored."""
        return cls(**{name: getattr(job, name) for name in cls.model_fields})


class JobsOut(BaseModel):
    """A part of the list of jobs, newest first."""

    items: list[JobOut]
    next: str | None = Field(description="Pass it as `cursor` to go on; null at the end")


class JobFailureOut(BaseModel):
    """A row of a job that failed."""

    row: int
    error: str


class ValidationIn(_Model):
    """A person's word on a prediction."""

    verdict: Literal["right", "wrong", "undone"] = Field(
        description="right; wrong, with the code that is; or undone, which takes the word before back"
    )
    code: Identifier | None = Field(default=None, description="The true code, with `wrong`")
    comment: Annotated[str, StringConstraints(max_length=2000), AfterValidator(without_nul)] = ""
    token: Annotated[str, StringConstraints(pattern=r"^[\w-]{8,36}$")] | None = Field(
        default=None,
        description="Made by the sender, another one for each word: a word that is sent twice is stored once",
    )


class ValidationOut(BaseModel):
    """A stored word of a person."""

    id: int
    at: datetime
    by: str | None = Field(description="The user's id; null where they were deleted")
    verdict: Literal["right", "wrong", "undone"]
    code: str | None
    comment: str

    @classmethod
    def of(cls, stored: Validation) -> Self:
        """Make it from what is stored."""
        return cls(
            id=stored.id,
            at=stored.at,
            by=stored.user_id,
            verdict=stored.verdict,
            code=stored.code,
            comment=stored.comment,
        )


class UserIn(_Model):
    """A user to create."""

    name: UserName
    password: Password
    role: Role = Role.CLIENT


class UserChange(_Model):
    """What to change of a user; what is left out stays."""

    password: Password | None = None
    role: Role | None = None
    disabled: StrictBool | None = None


class OwnPassword(_Model):
    """One's own new password, with the one that holds now."""

    current: Annotated[str, StringConstraints(max_length=MAX_PASSWORD)]
    new: Password


class UserOut(BaseModel):
    """A user."""

    id: str
    name: str
    role: Role
    disabled: bool
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> Self:
        """Make it from what is stored, without the password's hash."""
        return cls(**{name: getattr(user, name) for name in cls.model_fields})


class KeyIn(_Model):
    """An API key to create for oneself."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"\S")] = Field(
        description="What it is for", examples=["shop import"]
    )


class KeyOut(BaseModel):
    """An API key without its secret."""

    id: str
    name: str
    prefix: str = Field(description="The first characters of the secret, to know it by")
    user_id: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Make it from what is stored."""
        return cls(**{name: getattr(key, name) for name in KeyOut.model_fields})


class NewKeyOut(KeyOut):
    """A new API key, with the secret that is shown this once."""

    secret: str

    @classmethod
    def made(cls, key: ApiKey, secret: str) -> Self:
        """Make it from what is stored and the secret."""
        return cls(**KeyOut.of(key).model_dump(), secret=secret)


class AuditEntryOut(BaseModel):
    """One thing that somebody did."""

    id: int
    at: datetime
    actor: str = Field(description="The name of a user, or `command line`")
    action: str = Field(examples=["user.create"])
    subject: str = Field(description="Whom or what it was done to")
    detail: dict[str, Any]

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Make it from what is stored."""
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class AuditOut(BaseModel):
    """A part of the audit log, newest first."""

    items: list[AuditEntryOut]
    next: int | None = Field(description="Pass it as `cursor` to go on; null at the end")


class CategoryOut(BaseModel):
    """A product type code with its labels."""

    code: str
    label_fr: str
    label_en: str
    parent: str | None


class StatusOut(BaseModel):
    """How the service is."""

    status: Literal["ok"]
