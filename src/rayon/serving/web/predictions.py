"""The list of predictions, each of them with all that is known of it, and people's words on them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response

from rayon.errors import RayonError
from rayon.operations.accounts import Role
from rayon.serving.api.predictions import Filters, visible_prediction
from rayon.serving.auth import Client, Reviewer
from rayon.serving.schemas import ValidationIn, without_nul
from rayon.serving.services import services
from rayon.serving.validating import store_word
from rayon.serving.web.errors import local_path
from rayon.serving.web.filtering import STATES, Asked, read_filters
from rayon.serving.web.judging import chosen_code, code_choices, judging_values
from rayon.serving.web.rendering import may, redirect, render_page
from rayon.store.accounts import User
from rayon.store.jobs import find_job
from rayon.store.predictions import StoredPrediction, list_predictions

router = APIRouter()
Text = Annotated[str, Form(max_length=10_000)]
_PAGE = 50
_JOBS = 50
"""Newest jobs among which one can choose."""

_MORE = ("since", "until", "least", "most", "productid", "job_id", "model_version", "user_id")
"""Fields of the form that are folded away where they are not used."""

_DONE = {"right": "judged-right", "wrong": "judged-wrong", "undone": "judgement-undone"}


@router.get("/predictions")
def list_(request: Request, user: Client, cursor: str = "") -> Response:
    """Show predictions, newest first; clients their own, reviewers and administrators all."""
    served = services(request)
    asked = read_filters(request.query_params)
    found: list[StoredPrediction] = []
    if not asked.problems:
        wanted = asked.filters.to_filter(user, cursor[:36] or None)
        with served.database.read() as connection:
            found = list_predictions(connection, wanted, _PAGE + 1)
    return render_page(
        request,
        "predictions.html.j2",
        400 if asked.problems else 200,
        asked=asked,
        predictions=found[:_PAGE],
        next=found[_PAGE - 1].id if len(found) > _PAGE else None,
        cursor=cursor,
        is_filtered=bool(asked.query or asked.problems),
        **_choices(request, user, asked),
    )


@router.get("/predictions/{prediction_id}")
def show(request: Request, user: Client, prediction_id: str, explain: str = "") -> Response:
    """Show all that is known of a prediction."""
    stored = visible_prediction(services(request), prediction_id, user)
    return _page(request, stored, explain)


@router.post("/predictions/{prediction_id}/validations")
def judge(
    request: Request,
    user: Reviewer,
    prediction_id: str,
    verdict: Annotated[Literal["right", "wrong", "undone"], Form()],
    token: Annotated[str, Form(pattern=r"^[\w-]{8,36}$")],
    code: Text = "",
    comment: Text = "",
    back: Text = "",
) -> Response:
    """Store what a person says of a prediction."""
    served = services(request)
    stored = visible_prediction(served, prediction_id, user)
    note = without_nul(comment).replace("\r\n", "\n").strip()[:2000]
    try:
        true_code = (
            chosen_code(served.model.taxonomy_, without_nul(code)) if verdict == "wrong" and code else None
        )
        word = ValidationIn(verdict=verdict, code=true_code, comment=note, token=token)
        with served.database.write() as connection:
            store_word(served, connection, stored, user, word)
    except RayonError as error:
        return _page(request, stored, typed={"code": code, "comment": note}, error=error)
    own = f"/predictions/{stored.id}"
    return redirect(local_path(back) if back else own, _DONE[verdict])


def _page(
    request: Request,
    stored: StoredPrediction,
    explain: str = "",
    typed: dict[str, str] | None = None,
    error: RayonError | None = None,
) -> Response:
    served = services(request)
    job = None
    if stored.job_id is not None:
        with served.database.read() as connection:
            job = find_job(connection, stored.job_id)
    return render_page(
        request,
        "prediction.html.j2",
        error.status if error else 200,
        prediction=stored,
        job=job,
        explain=explain,
        error=error,
        typed=typed or {},
        **judging_values(request, stored),
    )


def _choices(request: Request, user: User, asked: Asked) -> dict[str, Any]:
    """What one can choose in the form, also what a link asked for and is no choice any more."""
    served, wanted = services(request), asked.filters
    sees_all = may(user, Role.REVIEWER)
    jobs = served.jobs.list(None if sees_all else user.id, None, _JOBS)
    versions: dict[str, datetime | None] = {served.model.version_: None}
    versions |= {one.version: one.created_at for one in served.registry.versions()}
    return {
        "states": {state: name for state, (name, _) in STATES.items()},
        "codes": _with(code_choices(request), wanted.code, wanted.code),
        "versions": _with(versions.items(), wanted.model_version, None),
        "jobs": _with(((job.id, job.file) for job in jobs), wanted.job_id, wanted.job_id),
        "people": [(one.id, one.name) for one in served.accounts.users()] if sees_all else [],
        "uses_more": bool(asked.typed.keys() & set(_MORE)),
        "can_search": "search" in Filters.model_fields,
    }


def _with(choices: Iterable[tuple[str, Any]], wanted: str | None, name: str | None) -> list[tuple[str, Any]]:
    found = list(choices)
    if wanted is None or any(wanted == value for value, _ in found):
        return found
    return [*found, (wanted, name)]
