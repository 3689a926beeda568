"""The documentation of the API, as a page that loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from rayon.serving.web.rendering import render_page

router = APIRouter()
_METHODS = ("get", "post", "put", "patch", "delete")


@router.get("/docs")
def documentation(request: Request) -> Response:
    """Show every endpoint with what it takes and answers, for anyone."""
    document: dict[str, Any] = request.app.openapi()
    return render_page(
        request,
        "documentation.html.j2",
        tags=_by_tag(document["paths"]),
        schemas=document["components"]["schemas"],
        kind_of=kind_of,
        schema_of=schema_of,
    )


def kind_of(schema: Mapping[str, Any]) -> str:
    """What a value is, in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(kind_of(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(repr(one) for one in schema["enum"])
    if "const" in schema:
        return repr(schema["const"])
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    return str(schema.get("format", kind))


def schema_of(content: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The media types of a body, and the schemas that they follow."""
    return [(media, kind_of(one.get("schema", {}))) for media, one in (content or {}).items()]


def _by_tag(paths: Mapping[str, Mapping[str, Any]]) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
    """Endpoints by what they are about: method, path, and description."""
    found: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, methods in paths.items():
        for method in _METHODS:
            if method in methods:
                tag = (methods[method].get("tags") or ["other"])[0]
                found.setdefault(tag, []).append((method.upper(), path, methods[method]))
    return found
