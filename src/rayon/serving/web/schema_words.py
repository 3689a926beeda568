"""Schemas of the OpenAPI document in words, and an example of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}
_EXAMPLES: dict[str, Any] = {"string": "…", "integer": 1, "number": 0.5, "boolean": True, "object": {}}


def name_of(schema: Schema) -> str:
    """The name of a schema that is described elsewhere; empty where it is described here."""
    return str(schema.get("$ref", "")).rpartition("/")[2]


def alternatives_of(schema: Schema) -> list[Schema]:
    """What a value may be, one or the other; with what a list holds in the place of the list."""
    found: list[Schema] = []
    for one in schema.get("anyOf", [schema]):
        found += alternatives_of(one["items"]) if one.get("type") == "array" and "items" in one else [one]
    return found


def kind_of(schema: Schema) -> str:
    """What a value is, in a few words."""
    if "anyOf" in schema:
        return " or ".join(kind_of(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(repr(one) for one in schema["enum"])
    if "const" in schema:
        return repr(schema["const"])
    if schema.get("format") == "binary" or "contentMediaType" in schema:
        return "file"
    kind = name_of(schema) or str(schema.get("format", schema.get("type", "anything")))
    return f"list of {kind_of(schema.get('items', {}))}" if kind == "array" else kind


def limits_of(schema: Schema) -> str:
    """What a value has to keep to, and what it is where it is not given."""
    said = [
        text.format(f"{one[key]:,}")
        for one in schema.get("anyOf", [schema])
        for key, text in _LIMITS.items()
        if key in one
    ]
    if schema.get("default") is not None:
        said.append(f"{schema['default']!r} where not given")
    return "; ".join(said)


def fields_of(schema: Schema, schemas: Mapping[str, Schema]) -> list[tuple[str, Schema, bool]]:
    """The fields of an object, described here or elsewhere: name, schema, and whether it has to be given."""
    described = schemas.get(name_of(schema), schema)
    required = described.get("required", [])
    return [(name, one, name in required) for name, one in described.get("properties", {}).items()]


def example_of(schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    """A value that a schema takes, with no more in it than has to be, or than the schema has examples of."""
    described = schemas.get(name_of(schema), schema)
    if "anyOf" in described:
        return example_of(described["anyOf"][0], schemas)
    for key in ("examples", "enum"):
        if described.get(key):
            return described[key][0]
    if described.get("type") == "array":
        return [example_of(described["items"], schemas)]
    fields = fields_of(described, schemas)
    if fields:
        given = [(name, one) for name, one, required in fields if required or "examples" in one]
        return {name: example_of(one, schemas) for name, one in given or [fields[0][:2]]}
    return described.get("const", described.get("default")) or _EXAMPLES.get(described.get("type", ""))
