"""What people ask for in the list of predictions: the fields of a form to the filters of the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError

from rayon.serving.api.predictions import Filters
from rayon.serving.schemas import without_nul
from rayon.serving.web.languages import N_

STATES: Mapping[str, tuple[str, dict[str, bool]]] = {
    "waiting": (N_("waits for a person"), {"queued": True, "validated": False}),
    "open": (N_("nobody has judged it"), {"validated": False}),
    "judged": (N_("judged"), {"validated": True}),
    "right": (N_("right"), {"correct": True}),
    "wrong": (N_("wrong"), {"correct": False}),
}
"""What people may have said of a prediction: word, name and filters."""

_PROBLEMS = {
    "since": N_("The first day is written as 2026-01-31."),
    "until": N_("The last day is written as 2026-01-31."),
    "min_confidence": N_("The least confidence is a percentage from 0 to 100."),
    "max_confidence": N_("The greatest confidence is a percentage from 0 to 100."),
}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PERCENT = re.compile(r"(\d{1,3}(?:[.,]\d+)?)\s*%?")


@dataclass(frozen=True)
class Asked:
    """What a form asks for.

    Parameters
    ----------
    filters
        As the API has them; without those that cannot be understood.
    typed
        The fields as they were typed.
    problems
        What cannot be understood, in sentences.
    """

    filters: Filters
    typed: Mapping[str, str]
    problems: list[str] = field(default_factory=list)

    @property
    def query(self) -> str:
        """The filters as a query of the API."""
        return urlencode(self.filters.model_dump(exclude_none=True, mode="json"))


def read_filters(query: Mapping[str, str]) -> Asked:
    """Understand a query: the form's own fields, and the API's filters under their names there."""
    typed = {name: without_nul(value).strip()[:200] for name, value in query.items()}
    typed = {name: value for name, value in typed.items() if value}
    values: dict[str, Any] = {name: value for name, value in typed.items() if name in Filters.model_fields}
    if typed.get("state") in STATES:
        values |= STATES[typed["state"]][1]
    problems = []
    for name, form_name in (("min_confidence", "least"), ("max_confidence", "most")):
        if form_name in typed:
            values[name] = _share(typed[form_name])
    if _DAY.fullmatch(typed.get("since", "")):
        values["since"] = f"{typed['since']}T00:00:00Z"
    if _DAY.fullmatch(typed.get("until", "")):
        values["until"] = _day_after(typed["until"])
    try:
        filters = Filters.model_validate(values)
    except ValidationError as error:
        wrong = list(dict.fromkeys(str(one["loc"][0]) for one in error.errors()))
        problems = [
            _PROBLEMS.get(name, N_("One of the fields has a value that does not exist.")) for name in wrong
        ]
        filters = Filters.model_validate({name: one for name, one in values.items() if name not in wrong})
    return Asked(filters, _shown(typed, filters), list(dict.fromkeys(problems)))


def _shown(typed: Mapping[str, str], filters: Filters) -> dict[str, str]:
    """What stands in the fields of the form, also where a link used the names of the API."""
    shown = dict(typed)
    for name, form_name in (("min_confidence", "least"), ("max_confidence", "most")):
        share = getattr(filters, name)
        if share is not None:
            shown.setdefault(form_name, f"{100 * share:g}")
    given = filters.model_dump(include={"validated", "queued", "correct"}, exclude_none=True)
    state = next((state for state, (_, wanted) in STATES.items() if wanted == given), "")
    return {**shown, "state": typed.get("state", state)}


def _share(percent: str) -> float | str:
    """A percentage as a share; what is none stays, for the filters to refuse."""
    match = _PERCENT.fullmatch(percent)
    return float(match[1].replace(",", ".")) / 100 if match else "no percentage"


def _day_after(day: str) -> str:
    """The moment at which a day has ended; what is no day stays, for the filters to refuse."""
    try:
        return f"{date.fromisoformat(day) + timedelta(days=1)}T00:00:00Z"
    except (ValueError, OverflowError):
        return "no day"
