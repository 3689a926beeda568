"""Errors as `application/problem+json` (RFC 9457), or as a page for who looks with a browser; only here."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from rayon.errors import AuthenticationError, PromotionRefusedError, RayonError
from rayon.serving.security import guards
from rayon.serving.web.errors import error_page, is_followed, sign_in_instead, wants_page

MEDIA_TYPE = "application/problem+json"
HINTS = {
    404: "The page /docs lists the addresses",
    405: "The page /docs lists the methods",
    408: "Send the request again, over a better connection",
    413: "Send fewer listings or smaller pictures",
}
"""By status, where the error itself has none."""

_LOG = logging.getLogger(__name__)


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    type: str = Field(default="about:blank", description="Always about:blank; the status says the kind")
    title: str = Field(description="The status in words", examples=["Not Found"])
    status: int = Field(description="The HTTP status", examples=[404])
    detail: str = Field(description="One sentence about this very case")
    hint: str = Field(description="What to do about it; may be empty")
    request_id: str = Field(description="The same as in the header X-Request-ID and in the server's log")
    verdict: dict[str, Any] | None = Field(
        default=None, description="What the gate found; only where it refuses a promotion"
    )


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of an endpoint for the OpenAPI document."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def render(
    request: Request,
    status: int,
    detail: str,
    hint: str = "",
    *,
    headers: dict[str, str] | None = None,
    verdict: dict[str, Any] | None = None,
) -> Response:
    """Make the answer, for a program or for a browser."""
    if wants_page(request):
        return error_page(request, status, detail, hint, headers)
    return render_problem(status, detail, hint, request_id=_id(request), headers=headers, verdict=verdict)


def render_problem(
    status: int,
    detail: str,
    hint: str,
    *,
    request_id: str,
    headers: dict[str, str] | None = None,
    verdict: dict[str, Any] | None = None,
) -> JSONResponse:
    """Make the answer for a program."""
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        hint=hint,
        request_id=request_id,
        verdict=verdict,
    )
    return JSONResponse(problem.model_dump(exclude_none=True), status, headers, MEDIA_TYPE)


async def render_error(request: Request, error: RayonError) -> Response:
    """Make the answer to an error of our own."""
    if isinstance(error, AuthenticationError) and is_followed(request):
        return sign_in_instead(request)
    headers = {}
    retry_after = getattr(error, "retry_after", 1 if error.status == HTTPStatus.SERVICE_UNAVAILABLE else 0)
    if retry_after:
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, AuthenticationError) and not _is_browser(request):
        headers["WWW-Authenticate"] = 'Basic realm="Rayon", charset="UTF-8"'
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.warning("%s %s: %s", request.method, request.url.path, error)
    return render(
        request,
        error.status,
        f"{error.public}.",
        error.hint,
        headers=headers,
        verdict=error.verdict if isinstance(error, PromotionRefusedError) else None,
    )


def install(app: FastAPI) -> None:
    """Have the application render every error so."""
    app.exception_handler(RayonError)(render_error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return render(request, 422, f"{place}: {first['msg']}.", "The page /docs shows what is expected")

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_allowed(request))
        detail = f"{error.detail.rstrip('.')}."
        hint = HINTS.get(error.status_code, "")
        return render(request, error.status_code, detail, hint, headers=headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
        hint = "Report it with the request id"
        answer = render(request, 500, "Something went wrong on the server.", hint)
        # This answer leaves outside of everything that puts id and guards into the others' headers.
        answer.headers["X-Request-ID"] = _id(request)
        for name, value in guards(answer.headers["content-type"]).items():
            answer.headers.setdefault(name, value)
        return answer


def document(app: FastAPI) -> None:
    """Put the shape of problems into the OpenAPI document, where the endpoints refer to it."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        schemas = plain()["components"]["schemas"]
        schemas.setdefault("Problem", Problem.model_json_schema())
        return plain()

    app.openapi = openapi  # type: ignore[method-assign]


def _allowed(request: Request) -> list[str]:
    """All methods that there are for the address, which several endpoints may share."""
    routes = list(iter_route_contexts(request.app.router.routes))  # also those of routers within routers
    path = next(route.path for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for route in routes if route.path == path for method in route.methods or ()})


def _is_browser(request: Request) -> bool:
    """Whether a browser asks: it would put its own window for passwords before the page.

    It would then send them along for good, also with what other sites have it send.
    """
    return "sec-fetch-mode" in request.headers or wants_page(request)


def _id(request: Request) -> str:
    return str(request.scope.get("rayon_request_id", ""))
