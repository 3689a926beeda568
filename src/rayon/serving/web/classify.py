"""Classifying one listing, and seeing at once what came out and why."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from rayon.data.image import MAX_BYTES
from rayon.data.listings import Listing
from rayon.errors import ListingError, OverloadedError, RayonError
from rayon.serving.api.explanations import kept_listing
from rayon.serving.api.predictions import visible_prediction
from rayon.serving.auth import Client
from rayon.serving.predicting import predict_listing
from rayon.serving.services import Services, services
from rayon.serving.web.forms import file_of, text_of
from rayon.serving.web.judging import judging_values
from rayon.serving.web.rendering import redirect, render_page
from rayon.store.accounts import User
from rayon.store.predictions import StoredPrediction

router = APIRouter()


@router.get("/classify")
def classify(request: Request, user: Client, id: str = "", explain: str = "") -> Response:
    """Show where one types a listing, and beside it the answer once there is one."""
    stored = visible_prediction(services(request), id, user) if id else None
    return _page(request, stored, explain=explain)


@router.post("/classify")
async def ask(request: Request, user: Client) -> Response:
    """Classify what was typed, as the API does."""
    served = services(request)
    typed: dict[str, str] = {}
    try:
        async with request.form() as form:
            typed = {name: _lines(text_of(form, name)) for name in ("designation", "description")}
            served.predictions.refuse_if_full()  # before a picture is read
            listing = Listing(**typed, image=await _picture(served, user, form))
        stored = await predict_listing(served, listing, user)
    except (ListingError, OverloadedError) as error:
        return _page(request, None, typed, error)
    return redirect(f"/classify?id={stored.id}")


async def _picture(served: Services, user: User, form: FormData) -> bytes | None:
    """The picture that was chosen, or else that of the listing from which the form was filled in."""
    chosen = file_of(form, "image")
    if chosen is not None:
        return await chosen.read() or None
    before = text_of(form, "picture_of", 36)
    if not before or form.get("without_picture"):
        return None

    def fetch() -> bytes | None:
        image = kept_listing(served, visible_prediction(served, before, user)).image
        return image if isinstance(image, bytes) else None

    return await run_in_threadpool(fetch)


def _page(
    request: Request,
    stored: StoredPrediction | None,
    typed: dict[str, str] | None = None,
    error: RayonError | None = None,
    explain: str = "",
) -> Response:
    if typed is None:
        typed = {
            "designation": stored.designation if stored else "",
            "description": stored.description if stored else "",
        }
    return render_page(
        request,
        "classify.html.j2",
        error.status if error else 200,
        typed=typed,
        error=error,
        max_bytes=MAX_BYTES,
        prediction=stored,
        explain=explain,
        **(judging_values(request, stored) if stored else {}),
    )


def _lines(text: str) -> str:
    """Browsers send lines with two characters at their ends."""
    return text.replace("\r\n", "\n")
