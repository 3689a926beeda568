"""Why a listing got its code, for people: words marked in its texts, a grid over its picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from rayon.data.readable import readable
from rayon.errors import ListingError, OverloadedError
from rayon.learning.explain import Explanation, WordWeight, strongest
from rayon.serving.api.explanations import explain_stored
from rayon.serving.api.predictions import visible_prediction
from rayon.serving.auth import Client
from rayon.serving.services import services
from rayon.serving.web.languages import N_
from rayon.serving.web.rendering import render_page
from rayon.store.predictions import StoredPrediction

router = APIRouter()
Side = Literal["", "for", "against"]

_FAINT = 0.15
"""Share of the strongest weight below which nothing is marked."""

_LEAST_STRONGEST = 0.2
"""Log-odds: where even the strongest weight is smaller, marks stay pale."""

_LEAST_SAID = 0.01
"""Log-odds from which a word is named."""

_LEAST_ALIKE = 0.1
"""Similarity below which a known listing only looks alike by chance."""

_PLACES = (
    (N_("at the top left"), N_("at the top"), N_("at the top right")),
    (N_("on the left"), N_("in the middle"), N_("on the right")),
    (N_("at the bottom left"), N_("at the bottom"), N_("at the bottom right")),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text, with the side that it speaks for and how strongly, 1 to 3."""

    text: str
    side: Side = ""
    strength: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the grid over the picture; its strength is from 0 to 1."""

    x: int
    y: int
    side: Side
    strength: float


@router.get("/predictions/{prediction_id}/explanation")
def explain(request: Request, user: Client, prediction_id: str, code: str = "", whole: str = "") -> Response:
    """Show what spoke for and against a code: as a part that a page loads, or as a page of its own."""
    served = services(request)
    stored = visible_prediction(served, prediction_id, user)
    template = "explanation_page.html.j2" if whole else "explanation.html.j2"
    wanted = code or stored.code
    is_other_model = stored.model_version != served.model.version_
    explanation, obstacle = None, ""
    try:
        # A model that came later may not know the code any more: it explains its own answer then.
        explanation = explain_stored(
            served, stored, user, wanted if wanted in served.model.taxonomy_ else None
        )
    except OverloadedError:
        obstacle = "busy"
    except ListingError:  # what it had to be classified by was erased since
        obstacle = "nothing"
    return render_page(
        request,
        template,
        prediction=stored,
        explanation=explanation,
        obstacle=obstacle,
        is_other_model=is_other_model,
        **(_shown(stored, explanation, is_other_model=is_other_model) if explanation else {}),
    )


def _shown(stored: StoredPrediction, explanation: Explanation, *, is_other_model: bool) -> dict[str, Any]:
    sides = {"for": 1, "against": -1}
    return {
        "sure": explanation.confidence if is_other_model else _sure(stored, explanation),
        **marked_texts(stored, explanation),
        "strongest": {
            side: _once(strongest([word for word in explanation.words if sign * word.weight > _LEAST_SAID]))
            for side, sign in sides.items()
        },
        "neighbours": [one for one in explanation.neighbours if one.similarity >= _LEAST_ALIKE],
        "cells": grid(explanation.regions) if explanation.regions else (),
        "place": _place(explanation.regions) if explanation.regions else "",
    }


def _sure(stored: StoredPrediction, explanation: Explanation) -> float:
    """How sure the answer was of the code, where that is stored.

    The picture that is kept was encoded anew, so that explaining gives a little more or less.
    """
    said = {one["code"]: float(one["confidence"]) for one in stored.alternatives}
    said[stored.code] = stored.confidence
    return said.get(explanation.code, explanation.confidence)


def marked_texts(stored: StoredPrediction, explanation: Explanation) -> dict[str, list[Piece]]:
    """Title and description in pieces, the words that decided apart from the rest."""
    return {
        name: _marked(getattr(stored, field), [word for word in explanation.words if word.field == field])
        for name, field in (("title", "designation"), ("description", "description"))
    }


def _marked(text: str, words: Sequence[WordWeight]) -> list[Piece]:
    """Cut a text into pieces as people read them, the words that decided apart from the rest."""
    most = max([_LEAST_STRONGEST, *(abs(word.weight) for word in words)])
    pieces, at = [], 0
    for word in sorted(words, key=lambda one: one.start):
        share = abs(word.weight) / most
        if share < _FAINT or word.start < at:
            continue
        side: Side = "for" if word.weight > 0 else "against"
        pieces += [
            Piece(readable(text[at : word.start])),
            Piece(readable(text[word.start : word.end]), side, min(3, ceil(3 * share))),
        ]
        at = word.end
    return [piece for piece in (*pieces, Piece(readable(text[at:]))) if piece.text]


def grid(regions: Sequence[Sequence[float]]) -> list[Cell]:
    """The cells of the picture that speak for the code or against it."""
    most = max(_LEAST_STRONGEST, *(abs(weight) for row in regions for weight in row))
    return [
        Cell(x, y, "for" if weight > 0 else "against", round(abs(weight) / most, 2))
        for y, row in enumerate(regions)
        for x, weight in enumerate(row)
        if abs(weight) / most >= _FAINT
    ]


def _once(words: Iterable[WordWeight]) -> list[str]:
    """Each word once, however it is written."""
    return list({word.word.casefold(): readable(word.word) for word in words}.values())


def _place(regions: Sequence[Sequence[float]]) -> str:
    """Where in the picture most speaks for the code, in words; empty where nothing does."""
    size = len(regions)
    weight, y, x = max((weight, y, x) for y, row in enumerate(regions) for x, weight in enumerate(row))
    return _PLACES[3 * y // size][3 * x // size] if weight > 0 else ""
