"""Asking the gate: two versions beside each other, the question, and a page that waits for the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel, Field

from rayon.errors import OverloadedError, RayonError
from rayon.learning.crossfit import Progress
from rayon.learning.spending import level_of
from rayon.operations.golden_set import GoldenSet
from rayon.operations.promotion import Gatekeeper
from rayon.serving.auth import Admin, Reviewer
from rayon.serving.judging import begin_judging, gatekeeper
from rayon.serving.services import Services, services
from rayon.serving.web.languages import N_
from rayon.serving.web.rendering import redirect, render_page
from rayon.serving.web.versions import codes_beyond, version_of
from rayon.store.identifiers import new_id
from rayon.store.verdicts import StoredVerdict, list_verdicts

router = APIRouter()
Name = Annotated[str, Form(max_length=64)]
Work = Callable[[Gatekeeper, Progress], object]

_STAGES = {
    "Timing both": N_("Timing both"),
    "Scoring the champion": N_("Scoring the champion"),
    "Scoring the challenger": N_("Scoring the challenger"),
}
_SLACK = 15.0
"""Seconds that the gate may take longer than it should before nobody waits for it any more."""


class Awaited(BaseModel):
    """A question whose answer a page waits for; its address has all of it, so that any process can say."""

    key: str = Field(max_length=36)
    champion: str = Field(max_length=12)
    challenger: str = Field(max_length=12)
    after: int = Field(ge=0, description="The last verdict before")
    begun: int = Field(ge=0)
    promotes: bool = False

    @property
    def query(self) -> str:
        """As the query of an address."""
        return urlencode(self.model_dump())

    @property
    def origin(self) -> str:
        """Where the question was asked."""
        if self.promotes:
            return f"/models/{self.challenger}/promote?{urlencode({'asked': self.key})}"
        return f"/models/compare?{urlencode({'a': self.champion, 'b': self.challenger})}"


@router.get("/models/compare")
def compare(request: Request, _user: Reviewer, a: str = "", b: str = "") -> Response:
    """Show the figures of two versions beside each other; nothing is asked."""
    return _compare_page(request, a, b)


@router.post("/models/compare")
def ask(request: Request, user: Admin, a: Name = "", b: Name = "") -> Response:
    """Have the gate judge whether one may take the other's place."""
    served = services(request)
    try:
        champion, challenger = (served.registry.find(name).name for name in (a, b))

        def work(gate: Gatekeeper, progress: Progress) -> object:
            return gate.judge(challenger, user.name, progress, champion=champion)

        return wait_for(served, work, champion, challenger)
    except RayonError as error:
        return _compare_page(request, a, b, error)


@router.get("/models/judging")
def wait(request: Request, _user: Admin, awaited: Annotated[Awaited, Query()]) -> Response:
    """Wait for an answer; then lead to it."""
    served = services(request)
    answer = _answer(served, awaited)
    if answer is not None:
        return redirect(answer)
    return render_page(request, "model_judging.html.j2", awaited=awaited, **_state(served, awaited))


@router.get("/models/judging/state")
def state(request: Request, _user: Admin, awaited: Annotated[Awaited, Query()]) -> Response:
    """Say how far it is; a part of the page above, asked for again and again."""
    served = services(request)
    return render_page(request, "model_judging_state.html.j2", awaited=awaited, **_state(served, awaited))


def wait_for(
    served: Services, work: Work, champion: str, challenger: str, *, promotes: bool = False, reason: str = ""
) -> Response:
    """Begin what asks the gate, and lead to the page that waits for it.

    Parameters
    ----------
    served
        The services.
    work
        What is done.
    champion, challenger
        The names of who is compared.
    promotes, reason
        Whether it promotes the challenger, and why.

    Raises
    ------
    ConflictError
        When another question is being judged.
    """
    with served.database.read() as connection:
        before = list_verdicts(connection, 1)
    awaited = Awaited(
        key=new_id(),
        champion=champion,
        challenger=challenger,
        after=before[0].id if before else 0,
        begun=int(time.time()),
        promotes=promotes,
    )
    begin_judging(served, awaited.key, work, reason)
    return redirect(f"/models/judging?{awaited.query}")


def asking(served: Services) -> dict[str, Any]:
    """What pages say before the gate is asked: how many golden listings, and what a new question costs."""
    turn = gatekeeper(served).next_turn()
    return {
        "golden": len(GoldenSet(served.database, served.images)),
        "turn": turn,
        "level": level_of(turn),
    }


def _compare_page(request: Request, a: str, b: str, error: RayonError | None = None) -> Response:
    served = services(request)
    versions = served.registry.versions()
    champion = served.registry.champion()
    names = [one.name for one in versions]
    first = version_of(served, a or champion or next(iter(names), None))
    others = [name for name in names if first is None or name != first.name]
    second = version_of(served, b or next(iter(others), None))
    pair = [one.name for one in (first, second) if one is not None]
    with served.database.read() as connection:
        verdicts = list_verdicts(connection, about=pair) if len(pair) == 2 else []
    return render_page(
        request,
        "model_compare.html.j2",
        error.status if error else 200,
        versions=versions,
        champion=champion,
        first=first,
        second=second,
        gone=codes_beyond(first, second),
        new=codes_beyond(second, first),
        verdicts=verdicts,
        error=error,
        **asking(served),
    )


def _answer(served: Services, awaited: Awaited) -> str | None:
    """The address of what came of it; ``None`` as long as nothing has."""
    found = _verdict(served, awaited)
    if not awaited.promotes:
        return f"/models/verdicts/{found.id}" if found else None
    if found is None:
        return None
    if not (found.passed or found.forced):
        return f"{awaited.origin}&verdict={found.id}"
    if _is_promoted(served, awaited):
        return "/models?done=promoted"
    # It follows the verdict at once, unless something else went wrong.
    return f"/models/verdicts/{found.id}" if time.time() > found.at.timestamp() + _SLACK else None


def _is_promoted(served: Services, awaited: Awaited) -> bool:
    """Whether it has become the champion since, even if another has come after it."""
    moves = served.registry.promotions()
    return any(one.model == awaited.challenger and one.at.timestamp() >= awaited.begun for one in moves)


def _verdict(served: Services, awaited: Awaited) -> StoredVerdict | None:
    pair = (awaited.champion, awaited.challenger)
    with served.database.read() as connection:
        found = list_verdicts(connection, about=pair)
    answers = (one for one in found if one.id > awaited.after and (one.champion, one.challenger) == pair)
    return next(answers, None)


def _state(served: Services, awaited: Awaited) -> dict[str, Any]:
    """Whether there is an answer, or what went wrong, or how far it is.

    Another process of the service may be the one that judges. Whether it has failed shows by the clock alone.
    """
    question = served.questions.find(awaited.key)
    error = question.error if question else None
    if error is None and time.time() > awaited.begun + served.gate_seconds + _SLACK:
        error = OverloadedError("The gate has not come to an end", "The log of the service says why")
    answered = _answer(served, awaited) is not None
    return {
        "answered": answered,
        "failure": None if answered else error,
        "has_failed": question is not None and question.error is not None,
        "stage": _STAGES.get(question.stage, "") if question else "",
        "share": question.done / question.total if question and question.total else None,
    }
