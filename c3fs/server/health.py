"""What needs no key: whether the control plane works, and what it understands."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec
from starlette.responses import Response

from c3fs.api.messages import Health
from c3fs.registry.schema import DEFAULT_ACCOUNT
from c3fs.server.faults import JSON
from c3fs.server.openapi import describe
from c3fs.server.routes import Call, NoBody, Parameters, Route

NOBODY = frozenset[Any]()


async def health(call: Call[Parameters, NoBody]) -> Health:
    """Whether the control plane answers, and its database does."""
    await call.plane.database.registry(DEFAULT_ACCOUNT).mark()
    return Health(version("c3fs"))


def description_route(others: tuple[Route[Any, Any], ...]) -> Route[Any, Any]:
    """The route that describes the others and itself."""

    async def description(call: Call[Parameters, NoBody]) -> Response:
        """This description."""
        return Response(encoded, media_type=JSON)

    route = Route("GET", "openapi.json", description, Parameters, NoBody, dict[str, Any], NOBODY)
    encoded = msgspec.json.encode(describe([*others, route], version("c3fs")))
    return route


ROUTES = (Route("GET", "health", health, Parameters, NoBody, Health, NOBODY),)
