"""The application: the table of all routes under Starlette. Runs on anyio, in whatever ASGI server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from c3fs.api.messages import VERSION
from c3fs.server import accounts, blobs, health, jobs, logs, queue, trees
from c3fs.server.dispatch import dispatch
from c3fs.server.faults import plain
from c3fs.server.plane import ControlPlane
from c3fs.server.routes import Route

_KEPT: Final = (
    *health.ROUTES,
    *jobs.ROUTES,
    *logs.ROUTES,
    *queue.ROUTES,
    *trees.ROUTES,
    *blobs.ROUTES,
    *accounts.ROUTES,
)
ROUTES: Final[tuple[Route[Any, Any], ...]] = (*_KEPT, health.description_route(_KEPT))


def make_app(plane: ControlPlane) -> Starlette:
    """The application over `plane`, which it runs for as long as the server's lifespan; it closes nothing."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        async with anyio.create_task_group() as group:
            group.start_soon(plane.run)
            group.start_soon(plane.tend)
            try:
                yield
            finally:
                plane.news.end()
                group.cancel_scope.cancel()

    by_path: dict[str, dict[str, Route[Any, Any]]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, {})[route.method] = route
    served = [_serve(plane, path, routes) for path, routes in by_path.items()]
    app = Starlette(routes=served, lifespan=lifespan, exception_handlers={HTTPException: _astray})
    app.router.redirect_slashes = False
    return app


def _serve(plane: ControlPlane, path: str, routes: dict[str, Route[Any, Any]]) -> StarletteRoute:
    served = StarletteRoute(f"{VERSION}/{path}", _endpoint(plane, routes), methods=list(routes))
    # What Starlette adds to every GET: a HEAD would read a whole blob to say how long it is.
    assert served.methods is not None
    served.methods.discard("HEAD")
    return served


def _endpoint(plane: ControlPlane, routes: dict[str, Route[Any, Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await dispatch(plane, routes[request.method], request)

    return endpoint


def _astray(request: Request, error: Exception) -> Response:
    """No such path, or no such method there. Needs no key and tells nothing: the paths are public."""
    assert isinstance(error, HTTPException)
    message = "there is no such path" if error.status_code == 404 else "there is no such method here"
    return plain(error.status_code, message, dict(error.headers or {}))
