"""Having the live service looked at: a button, and a page that waits for what is found."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from rayon.errors import ConflictError
from rayon.serving.auth import Reviewer
from rayon.serving.looking import SECONDS, begin_look
from rayon.serving.services import services
from rayon.serving.web.monitoring import LARGEST, latest_page
from rayon.serving.web.rendering import redirect, render_page
from rayon.store.monitoring import list_runs

router = APIRouter()
After = Annotated[int, Query(ge=0, le=LARGEST)]
Begun = Annotated[int, Query(ge=0)]

_SLACK = 10.0
"""Seconds that a look may take longer than it should before nobody waits for it any more."""


@router.post("/monitoring")
def look(request: Request, user: Reviewer) -> Response:
    """Begin to look, and lead to where the result will be."""
    after = _newest(request)
    try:
        begin_look(services(request), user.name)
    except ConflictError as error:
        return latest_page(request, error)
    return redirect(f"/monitoring/looking?after={after}&begun={int(time.time())}")


@router.get("/monitoring/looking")
def wait(request: Request, _user: Reviewer, after: After = 0, begun: Begun = 0) -> Response:
    """Wait for a look that comes after another; then lead to it."""
    found = _state(request, after, begun)
    if found == "found":
        return redirect(f"/monitoring/{_newest(request)}", "looked")
    return render_page(request, "monitoring_looking.html.j2", after=after, begun=begun, state=found)


@router.get("/monitoring/looking/state")
def state(request: Request, _user: Reviewer, after: After = 0, begun: Begun = 0) -> Response:
    """Say how it stands; a part of the page above, asked for again and again."""
    return render_page(request, "monitoring_looking_state.html.j2", state=_state(request, after, begun))


def _state(request: Request, after: int, begun: int) -> str:
    """``"found"``, ``"failed"`` or ``"under way"``.

    Another process of the service may be the one that looks. Whether it has failed shows by the clock alone.
    """
    served = services(request)
    if served.looking.locked():
        return "under way"
    if _newest(request) > after:
        return "found"
    failed = served.look_failed.is_set() or time.time() > begun + SECONDS + _SLACK
    return "failed" if failed else "under way"


def _newest(request: Request) -> int:
    with services(request).database.read() as connection:
        runs = list_runs(connection, limit=1)
    return runs[0].id if runs else 0
