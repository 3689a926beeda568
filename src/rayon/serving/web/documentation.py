"""The documentation of the API, as a page that loads nothing from elsewhere."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import iter_route_contexts
from markupsafe import Markup

from rayon.serving.auth import RoleCheck
from rayon.serving.problems import MEDIA_TYPE
from rayon.serving.web import schema_words
from rayon.serving.web.rendering import environment, render_page
from rayon.serving.web.schema_words import Schema, example_of, kind_of

router = APIRouter()
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one address, as the page shows it.

    Parameters
    ----------
    method, path
        The method in capitals.
    text
        What it does.
    who
        The least role that may ask; empty where anybody may.
    parameters
        As the OpenAPI document describes them.
    bodies, answers
        Media types, or statuses with media types, and their schemas.
    errors
        Statuses that come with a problem.
    example
        A command that asks it.
    """

    method: str
    path: str
    text: str
    who: str
    parameters: list[Mapping[str, Any]]
    bodies: list[tuple[str, Schema]]
    answers: list[tuple[str, str, list[tuple[str, Schema]]]]
    errors: list[str]
    example: str


@router.get("/docs")
def documentation(request: Request) -> Response:
    """Show every endpoint with what it takes and answers, for anyone."""
    return render_page(request, "documentation.html.j2", endpoints=_made(request.app))


def _made(app: FastAPI) -> Markup:
    """What is the same for everybody, which is made once in a process."""
    made: Markup | None = getattr(app.state, "documentation", None)
    if made is None:
        document = app.openapi()
        schemas = document["components"]["schemas"]
        template = environment("en").get_template("documentation_endpoints.html.j2")
        endpoints = list(_endpoints(document["paths"], schemas, _roles(app)))
        tags = {
            tag: [one for at, one in endpoints if at == tag]
            for tag in dict.fromkeys(tag for tag, _ in endpoints)
        }
        text = template.render(tags=tags, schemas=_named(schemas), words=schema_words, all=schemas)
        made = Markup(text)  # noqa: S704  # the template has escaped what is in it
        app.state.documentation = made
    return made


def _roles(app: FastAPI) -> dict[tuple[str, str], str]:
    """The least role by method and path, where one is asked for."""
    return {
        (method, str(context.path)): str(needed.call.role)
        for context in iter_route_contexts(app.routes)
        if context.include_in_schema and hasattr(context.original_route, "dependant")
        for method in context.methods or ()
        for needed in context.dependant.dependencies
        if isinstance(needed.call, RoleCheck)
    }


def _endpoints(
    paths: Mapping[str, Mapping[str, Any]],
    schemas: Mapping[str, Schema],
    roles: Mapping[tuple[str, str], str],
) -> Iterator[tuple[str, Endpoint]]:
    """All endpoints, each with what it is about."""
    for path, methods in paths.items():
        for method in filter(methods.__contains__, _METHODS):
            one = methods[method]
            who = roles.get((method.upper(), path), "")
            bodies = _contents(one.get("requestBody", {}))
            answers = {status: (said, _contents(said)) for status, said in one["responses"].items()}
            errors = [
                status for status, (_, found) in answers.items() if any(m == MEDIA_TYPE for m, _ in found)
            ]
            yield (
                (one.get("tags") or ["other"])[0],
                Endpoint(
                    method.upper(),
                    path,
                    one["description"],
                    who,
                    one.get("parameters", []),
                    bodies,
                    [
                        (status, said["description"], found)
                        for status, (said, found) in answers.items()
                        if status not in errors
                    ],
                    sorted(errors),
                    _curl(method.upper(), path, one, bodies, schemas, signed_in=bool(who)),
                ),
            )


def _named(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """The schemas that others refer to; those of forms are shown where they are sent."""
    return {name: one for name, one in sorted(schemas.items()) if not name.startswith("Body_")}


def _contents(described: Mapping[str, Any]) -> list[tuple[str, Schema]]:
    return [(media, one.get("schema", {})) for media, one in described.get("content", {}).items()]


def _curl(
    method: str,
    path: str,
    described: Mapping[str, Any],
    bodies: list[tuple[str, Schema]],
    schemas: Mapping[str, Schema],
    *,
    signed_in: bool,
) -> str:
    """A command that asks an endpoint, with no more than it needs."""
    parts = ["curl"]
    if method != ("POST" if bodies else "GET"):
        parts.append(f"-X {method}")
    if signed_in:
        parts.append('-H "Authorization: Bearer $KEY"')
    parts += _sent(*bodies[0], schemas) if bodies else []
    filled = re.sub(r"{(\w+)}", lambda name: name[1].upper(), path)
    asked = [
        f"{one['name']}={example_of(one['schema'], schemas)}"
        for one in described.get("parameters", [])
        if one["in"] == "query" and one.get("required")
    ]
    query = f"?{'&'.join(asked)}" if asked else ""
    return " ".join([*parts, f'"$RAYON{filled}{query}"'])


def _sent(media: str, schema: Schema, schemas: Mapping[str, Schema]) -> list[str]:
    """The options of such a command that send a body."""
    if media == "application/json":
        body = json.dumps(example_of(schema, schemas), ensure_ascii=False)
        return ['-H "Content-Type: application/json"', f"-d {shlex.quote(body)}"]
    if kind_of(schema) == "file":
        return [f'-H "Content-Type: {media}"', "--data-binary @FILE"]
    fields = schema_words.fields_of(schema, schemas)
    return [
        f"-F {name}={'@FILE' if kind_of(one) == 'file' else shlex.quote(str(example_of(one, schemas)))}"
        for name, one, required in fields
        if required
    ]
