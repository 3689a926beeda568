"""Saying on a page that a prediction is right, or wrong and what is true, and taking it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Request

from rayon.data.taxonomy import Taxonomy
from rayon.errors import NotFoundError, TaxonomyError
from rayon.operations.accounts import Role
from rayon.serving.services import services
from rayon.serving.web.languages import LANGUAGES, language_of
from rayon.serving.web.rendering import may, signed_in
from rayon.store.accounts import list_users
from rayon.store.identifiers import new_id
from rayon.store.predictions import StoredPrediction, Validation, list_validations, standing_validation

_BETWEEN = " · "


@dataclass(frozen=True, slots=True)
class Said:
    """A word of a person, as a page shows it; clients are not told who it was."""

    verdict: str
    code: str | None
    comment: str
    at: datetime
    by: str


def judging_values(request: Request, stored: StoredPrediction) -> dict[str, Any]:
    """What the parts of a page need that show a prediction and let people judge it."""
    served = services(request)
    with served.database.read() as connection:
        history = list_validations(connection, stored.id)
        names = {user.id: user.name for user in list_users(connection)}
    sees_names = may(signed_in(request), Role.REVIEWER)
    standing = standing_validation(history)
    return {
        "history": [_said(one, names if sees_names else None) for one in history],
        "standing": _said(standing, names if sees_names else None) if standing else None,
        "asked_by": names.get(stored.user_id or "", ""),
        "has_picture": _has_picture(request, stored),
        "codes": [said for _, said in code_choices(request)],
        "token": new_id,  # each form has its own
    }


def chosen_code(taxonomy: Taxonomy, typed: str) -> str:
    """The code that somebody chose from the list, or typed by itself or by its label.

    Raises
    ------
    TaxonomyError
        When there is none like that.
    """
    for wanted in (typed.strip(), typed.rpartition(_BETWEEN.strip())[2].strip()):
        if wanted in taxonomy:
            return wanted
    named = {
        category.code
        for category in taxonomy
        for language in LANGUAGES
        if category.label(language).casefold() == typed.strip().casefold()
    }
    if len(named) != 1:
        raise TaxonomyError(f"There is no code {typed.strip()[:80]!r}", "Choose one from the list")
    return named.pop()


def code_choices(request: Request) -> list[tuple[str, str]]:
    """All codes, with label and code as people choose them, by label."""
    language = language_of(request)
    said = [(one.code, one.label(language)) for one in services(request).model.taxonomy_]
    return [
        (code, f"{label}{_BETWEEN}{code}" if label != code else code)
        for code, label in sorted(said, key=lambda one: one[1].casefold())
    ]


def _said(word: Validation, names: Mapping[str, str] | None) -> Said:
    by = "" if names is None else names.get(word.user_id or "", "")
    return Said(word.verdict, word.code, word.comment, word.at, by)


def _has_picture(request: Request, stored: StoredPrediction) -> bool:
    """Whether the picture is kept still."""
    if stored.image is None:
        return False
    try:
        services(request).images.get(stored.image)
    except NotFoundError:
        return False
    return True
