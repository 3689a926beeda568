"""Reviewing: one listing at a time, or many similar ones at once; the script asks the API for listings."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from rayon.data.listings import Listing
from rayon.data.taxonomy import Taxonomy
from rayon.errors import NotFoundError
from rayon.learning.decision import Reason
from rayon.serving.api.explanations import explanation_turn
from rayon.serving.api.predictions import visible_prediction
from rayon.serving.auth import Reviewer
from rayon.serving.services import Services, services
from rayon.serving.web.explanation import marked_texts
from rayon.serving.web.languages import N_, Language, language_of, translator
from rayon.serving.web.rendering import render_page
from rayon.store.predictions import StoredPrediction

router = APIRouter()
CHOICES = 5
"""Other codes that are on the keys 1 to 5."""

_WORDS = {
    "audit": N_("Random audit"),
    "unsure": N_("Needs a person"),
    "lostOne": N_("The connection is lost. One answer is kept here, and sent once it is back."),
    "lost": N_("The connection is lost. {n} answers are kept here, and sent once it is back."),
    "signedOutOne": N_("You are signed out. One answer is kept here."),
    "signedOut": N_("You are signed out. {n} answers are kept here."),
    "signIn": N_("Sign in again, and they are sent"),
    "look": N_("Look at it"),
    "for": N_("speaks for the code"),
    "against": N_("speaks against the code"),
    "said": N_("Next: {title}. Suggested: {label}, {confidence} sure."),
    "saidRight": N_("Confirmed."),
    "saidWrong": N_("Corrected to {label}."),
    "saidSkipped": N_("Skipped."),
    "saidUndone": N_("Taken back."),
    "nothingToUndo": N_("There is nothing to take back."),
    "confirm": N_("Confirm {n}"),
    "correct": N_("Correct {n}…"),
    "saidConfirmedOne": N_("One confirmed."),
    "saidConfirmed": N_("{n} confirmed."),
    "saidCorrectedOne": N_("One corrected to {label}."),
    "saidCorrected": N_("{n} corrected to {label}."),
    "noImage": N_("no picture"),
    "noTitle": N_("no title"),
}
_REASONS = {
    Reason.BELOW_THRESHOLD: N_("Not sure enough"),
    Reason.RARE_CODE: N_("Too rare a code"),
    Reason.NO_PROMISE: N_("No promise can be kept"),
    Reason.PROMISE_BROKEN: N_("Held back by the brake"),
}


@router.get("/review")
def review(request: Request, _user: Reviewer, order: str = "useful", code: str = "") -> Response:
    """Show the queue, one listing at a time."""
    return _page(request, "review.html.j2", order=order, code=code)


@router.get("/review/bulk")
def bulk(request: Request, _user: Reviewer, code: str = "") -> Response:
    """Show similar listings with the same suggestion together."""
    return _page(request, "review_bulk.html.j2", code=code)


@router.get("/review/{prediction_id}/details")
def details(request: Request, user: Reviewer, prediction_id: str) -> JSONResponse:
    """What makes a listing quick to judge: its texts with the words that decided, and the next best codes."""
    served = services(request)
    stored = visible_prediction(served, prediction_id, user)
    listing = _listing(served, stored)
    model = served.model
    with explanation_turn():
        code = stored.code if stored.code in model.taxonomy_ else None
        explained = model.explain(listing, code, n_neighbours=0)
        proba = model.predict_proba([listing])[0]
    best = (-proba).argsort(kind="stable")[: CHOICES + 1]
    codes = model.taxonomy_.codes
    return JSONResponse(
        {
            **{name: [asdict(one) for one in text] for name, text in marked_texts(stored, explained).items()},
            "alternatives": [
                {
                    "code": codes[index],
                    "label": model.taxonomy_.label(codes[index], language_of(request)),
                    "confidence": round(float(proba[index]), 6),
                }
                for index in best
            ],
        }
    )


def _listing(served: Services, stored: StoredPrediction) -> Listing:
    try:
        image = served.images.get(stored.image) if stored.image else None
    except NotFoundError:  # erased since: the text alone is explained
        image = None
    return Listing(stored.designation, stored.description, image)


def _page(request: Request, template: str, **values: Any) -> Response:
    language = language_of(request)
    say = translator(language)
    words = {name: say(text) for name, text in _WORDS.items()}
    reasons = {reason.value: say(text) for reason, text in _REASONS.items()}
    taxonomy = services(request).model.taxonomy_
    codes = _codes(taxonomy, language)
    return render_page(
        request,
        template,
        words=json.dumps({**words, "reasons": reasons}),
        codes=json.dumps(codes),
        choices=sorted(codes, key=lambda one: one["label"].casefold()),
        **values,
    )


def _codes(taxonomy: Taxonomy, language: Language) -> list[dict[str, str]]:
    """All codes with their labels and what they hang below."""
    return [
        {
            "code": category.code,
            "label": category.label(language),
            "parent": taxonomy.label(category.parent, language) if category.parent else "",
        }
        for category in taxonomy
    ]
