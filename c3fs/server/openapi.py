"""The description of the routes in OpenAPI 3.1, made from the table that the dispatcher works by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec

from c3fs.api.messages import VERSION, ErrorAnswer
from c3fs.server.routes import ANYBODY, NoBody, Route

Json = dict[str, Any]

_TEMPLATE: Final = "#/components/schemas/{name}"
_ALWAYS: Final = (429, 500, 503, 504, 507)
"""What the limits, a defect, and a database or store in trouble answer, whatever was asked."""
_BYTES: Final[Json] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_EMPTY: Final = frozenset({204, 304})


def describe(routes: Iterable[Route[Any, Any]], version: str) -> Json:
    """The whole description; `version` is that of c3fs."""
    routes = list(routes)
    types = [ErrorAnswer, *(kind for route in routes for kind in (route.body, route.answer) if _is_json(kind))]
    schemas, components = msgspec.json.schema_components(types, ref_template=_TEMPLATE)
    by_type = {repr(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: Json = {}
    for route in routes:
        paths.setdefault(f"{VERSION}/{route.path}", {})[route.method.lower()] = _operation(route, by_type)
    security: Json = {"key": {"type": "http", "scheme": "bearer"}}
    description: Json = {
        "openapi": "3.1.0",
        "info": {"title": "c3fs control plane", "version": version},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": security},
    }
    return cast(Json, _portable(description))


def statuses(route: Route[Any, Any]) -> list[int]:
    """Those of refusals that the route may answer with."""
    found = {*_ALWAYS, *(status for status in route.may if status >= 400)}
    if route.who:
        found.add(401)
    if route.who and route.who != ANYBODY:
        found.add(403)
    if route.body is not NoBody:
        found |= {413, 422}
    # An unknown parameter is refused everywhere.
    return sorted(found | {422})


def _is_json(kind: object) -> bool:
    return kind not in (NoBody, bytearray, bytes, None)


def _operation(route: Route[Any, Any], by_type: Mapping[str, Any]) -> Json:
    words = re.sub(r"[^a-z]+", " ", route.name.lower()).split()
    operation: Json = {
        "operationId": "_".join(words),
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": _responses(route, by_type),
        "security": [{"key": []}] if route.who else [],
    }
    if route.body is bytearray:
        operation["requestBody"] = {"required": True, "content": _BYTES}
    elif route.body is not NoBody:
        content = {"application/json": {"schema": by_type[repr(route.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Route[Any, Any]) -> list[Json]:
    _, components = msgspec.json.schema_components([route.parameters], ref_template=_TEMPLATE)
    schema = components.pop(route.parameters.__name__)
    required = set(schema.get("required", ()))
    found: list[Json] = []
    for name, kind in schema.get("properties", {}).items():
        place = "path" if f"{{{name}}}" in route.path else "query"
        one: Json = {"name": name, "in": place, "required": name in required, "schema": _inlined(kind, components)}
        found.append(one)
    return found


def _inlined(schema: Json, components: Mapping[str, Any]) -> Json:
    """A parameter's schema, without null (which text cannot say) and without references."""
    if "$ref" in schema:
        return dict(components[schema["$ref"].rsplit("/", 1)[1]])
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind != {"type": "null"}]
        return _inlined(kinds[0], components) if len(kinds) == 1 else {"anyOf": kinds}
    return schema


def _responses(route: Route[Any, Any], by_type: Mapping[str, Any]) -> Json:
    responses: Json = {}
    for status in sorted({route.status, *(status for status in route.may if status < 400)}):
        responses[str(status)] = {"description": HTTPStatus(status).phrase}
        if route.answer is bytes and status not in _EMPTY:
            responses[str(status)]["content"] = _BYTES
        elif status not in _EMPTY:
            responses[str(status)]["content"] = {"application/json": {"schema": by_type[repr(route.answer)]}}
    for status in statuses(route):
        content = {"application/json": {"schema": by_type[repr(ErrorAnswer)]}}
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    return responses


def _portable(value: Any) -> Any:
    """Patterns end in Python's \\Z, which other languages' regular expressions call $."""
    if isinstance(value, dict):
        mapping = cast(Json, value)
        return {
            key: inner.replace(r"\Z", "$") if key == "pattern" and isinstance(inner, str) else _portable(inner)
            for key, inner in mapping.items()
        }
    if isinstance(value, list):
        return [_portable(inner) for inner in cast(list[Any], value)]
    return value
