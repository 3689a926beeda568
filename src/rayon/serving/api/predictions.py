"""Ask for predictions, and find them again."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from rayon.data.listings import Listing
from rayon.errors import NotFoundError
from rayon.operations.accounts import Role
from rayon.serving.auth import Client
from rayon.serving.predicting import predict_listing, predict_listings
from rayon.serving.problems import problem_responses
from rayon.serving.schemas import (
    AnswerOut,
    BatchIn,
    BatchOut,
    FailureOut,
    ListingIn,
    PageOut,
    PredictionOut,
    ScoreOut,
)
from rayon.serving.services import Services, services
from rayon.store.accounts import User
from rayon.store.predictions import (
    PredictionFilter,
    StoredPrediction,
    find_prediction,
    list_predictions,
)
from rayon.store.search import MAX_SEARCH

_JSON, _FORM = "application/json", "multipart/form-data"
_LONG = 100_000
_FIELDS = ("designation", "description", "productid", "imageid")


router = APIRouter(tags=["predictions"])
_FORM_SCHEMA = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in _FIELDS},
        "image": {"type": "string", "format": "binary"},
    },
    "additionalProperties": False,
}


@router.post(
    "/predictions",
    responses=problem_responses(400, 408, 413, 415, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                _JSON: {"schema": {"$ref": "#/components/schemas/ListingIn"}},
                _FORM: {"schema": _FORM_SCHEMA},
            },
        }
    },
)
async def predict(
    request: Request,
    user: Client,
    full: Annotated[bool, Query(description="Whether to give all codes as alternatives")] = False,
) -> AnswerOut:
    """Classify one listing, from JSON, or from a form with the picture as a file.

    The prediction is stored before it is answered.
    """
    begin = time.perf_counter()
    listing = await _read_listing(request)
    served = services(request)
    stored = await predict_listing(served, listing, user)
    answer = PredictionOut.of(stored, await _everything(served, listing) if full else None)
    return AnswerOut(**dict(answer), milliseconds=_since(begin))


@router.post(
    "/predictions/batch",
    responses=problem_responses(400, 408, 413, 422, 503),
)
async def predict_batch(request: Request, user: Client, batch: BatchIn) -> BatchOut:
    """Classify up to 1,000 listings at once; those that cannot be are listed apart."""
    begin = time.perf_counter()
    stored = await predict_listings(services(request), [item.listing() for item in batch.listings], user)
    return BatchOut(
        predictions=[PredictionOut.of(one) for one in stored if one.code],
        failures=[
            FailureOut(position=position, error=one.error)
            for position, one in enumerate(stored)
            if not one.code
        ],
        milliseconds=_since(begin),
    )


def _written_out(value: Any) -> Any:
    if isinstance(value, str) and "T" not in value.upper():
        raise ValueError("a moment is written as 2026-01-31T12:00:00Z")
    return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("this moment is beyond the calendar") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]


class Filters(BaseModel):
    """Which predictions to list."""

    search: Annotated[str, Query(max_length=MAX_SEARCH)] | None = None
    decision: Literal["accept", "review"] | None = None
    code: str | None = None
    true_code: str | None = None
    model_version: str | None = None
    user_id: str | None = None
    productid: str | None = None
    job_id: str | None = None
    since: Moment | None = None
    until: Moment | None = None
    validated: bool | None = None
    correct: bool | None = None
    queued: bool | None = None
    min_confidence: Annotated[float, Query(ge=0, le=1)] | None = None
    max_confidence: Annotated[float, Query(ge=0, le=1)] | None = None

    def to_filter(self, user: User, cursor: str | None) -> PredictionFilter:
        """What the store understands; clients see their own predictions only."""
        values = self.model_dump()
        if user.role == Role.CLIENT:
            values["user_id"] = user.id
        return PredictionFilter(**values, before=cursor)


@router.get("/predictions", responses=problem_responses(422))
def list_(
    request: Request,
    user: Client,
    filters: Annotated[Filters, Query()],
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=36)] = None,
) -> PageOut:
    """List predictions, newest first. Clients see their own, reviewers and administrators all."""
    with services(request).database.read() as connection:
        found = list_predictions(connection, filters.to_filter(user, cursor), limit + 1)
    items = [PredictionOut.of(one) for one in found[:limit]]
    return PageOut(items=items, next=items[-1].id if len(found) > limit else None)


@router.get("/predictions/{prediction_id}", responses=problem_responses(404))
def get(request: Request, user: Client, prediction_id: str) -> PredictionOut:
    """Fetch one prediction."""
    return PredictionOut.of(visible_prediction(services(request), prediction_id, user))


@router.get(
    "/predictions/{prediction_id}/image",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, **problem_responses(404)},
)
def get_image(request: Request, user: Client, prediction_id: str) -> Response:
    """Fetch the picture of a prediction, as it is kept: a JPEG of at most 1,000 pixels."""
    served = services(request)
    stored = visible_prediction(served, prediction_id, user)
    if stored.image is None:
        raise NotFoundError(
            f"The prediction {prediction_id!r} has no picture", "None was sent that can be used"
        )
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return Response(served.images.get(stored.image), media_type="image/jpeg", headers=headers)


def visible_prediction(served: Services, prediction_id: str, user: User) -> StoredPrediction:
    """Find a prediction that this user may see.

    Raises
    ------
    NotFoundError
        When there is none, or it is another client's: the two cannot be told apart.
    """
    with served.database.read() as connection:
        stored = find_prediction(connection, prediction_id[:36])
    if stored is None or (user.role == Role.CLIENT and stored.user_id != user.id):
        raise NotFoundError(f"There is no prediction {prediction_id[:80]!r}", "Check its id")
    return stored


async def _everything(served: Services, listing: Listing) -> list[ScoreOut]:
    model = served.model
    proba = (await run_in_threadpool(model.predict_proba, [listing]))[0]
    codes = model.taxonomy_.codes
    return [
        ScoreOut(
            code=codes[index],
            label=model.taxonomy_.label(codes[index]),
            confidence=round(float(proba[index]), 6),
        )
        for index in (-proba).argsort(kind="stable")[1:]
    ]


async def _read_listing(request: Request) -> Listing:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _JSON:
        body = await request.body()
        # A long one may hold errors by the million, each of which takes its time.
        return await run_in_threadpool(_parsed, body) if len(body) > _LONG else _parsed(body)
    if kind != _FORM:
        raise HTTPException(415, f"A body of the type {kind[:80]!r} cannot be read, only JSON or a form")
    async with request.form(max_files=1, max_fields=len(_FIELDS) + 1) as form:
        values: dict[str, Any] = {}
        for name, value in form.multi_items():
            if name in values:
                raise HTTPException(400, f"The form has the field {name[:80]!r} twice")
            values[name] = await value.read() if isinstance(value, UploadFile) else value
        image = values.pop("image", None) or None
        if isinstance(image, str):
            raise HTTPException(400, "The field 'image' of the form is not a file")
        if any(isinstance(value, bytes) for value in values.values()):
            raise HTTPException(400, "Only the field 'image' of the form may be a file")
        item = _parsed(json.dumps(values).encode()) if values else Listing()
    return Listing(item.designation, item.description, image, item.productid, item.imageid)


def _parsed(body: bytes) -> Listing:
    try:
        return ListingIn.model_validate_json(body).listing()
    except ValidationError as error:
        raise RequestValidationError(
            [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        ) from None


def _since(begin: float) -> float:
    return round((time.perf_counter() - begin) * 1e3, 3)
