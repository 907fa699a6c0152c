"""The way of every request: who asks, may such a key, parameters, body, the call, the answer; and a line in the log.

In that order: nobody without a key makes us read a body, and nobody whose key is of the wrong kind learns whether what
it asked for is there. The log line has the route as the table writes it, never the URL: no job's id, no ref, and
nothing that somebody has put into a path by mistake.
"""

from __future__ import annotations

import logging
import time
from typing import Any, cast

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from c3fs.core.access import Agent, JobToken, Principal, User
from c3fs.errors import C3Error, ForbiddenError
from c3fs.server.authenticate import address_of, admit_stranger, authenticate
from c3fs.server.bodies import decode_body, decode_parameters, read_body
from c3fs.server.faults import JSON, defect, refusal
from c3fs.server.plane import ControlPlane
from c3fs.server.routes import Call, NoBody, Route, words_of

access_log = logging.getLogger("c3fs.access")

NOBODY = User("", "", {})
"""Who calls what needs no key."""


async def dispatch(plane: ControlPlane, route: Route[Any, Any], request: Request) -> Response:
    """The answer to `request`, whatever happens to it but being cancelled."""
    begun = time.monotonic()
    who = address_of(request)
    try:
        principal = await _admitted(plane, route, request)
        who = f"{who} {named(principal)}"
        response = await _called(plane, route, principal, request)
    except C3Error as error:
        response = refusal(error)
    except ClientDisconnect:
        response = Response(status_code=400)  # nobody hears it
    except Exception as error:  # noqa: BLE001 - the outermost guard of a request: a defect ends here, logged
        response = defect(error)
    took = (time.monotonic() - begun) * 1000
    access_log.info("%s %s %d %.1f ms", who, route.name, response.status_code, took)
    return response


def named(principal: Principal) -> str:
    """For the log."""
    match principal:
        case User(account=""):
            return "-"
        case User(account=account, name=name):
            return f"{account}/user/{name}"
        case Agent(account=account, key=key):
            return f"{account}/agent/{key}"
        case JobToken(account=account, job=job):
            return f"{account}/job/{job}"


async def _admitted(plane: ControlPlane, route: Route[Any, Any], request: Request) -> Principal:
    if not route.who:
        admit_stranger(plane, request)
        return NOBODY
    principal = await authenticate(plane, request)
    if not route.who & words_of(principal):
        raise ForbiddenError("do this")
    return principal


async def _called(plane: ControlPlane, route: Route[Any, Any], principal: Principal, request: Request) -> Response:
    path = cast(dict[str, str], request.path_params)
    parameters = decode_parameters(path, request.query_params.multi_items(), route.parameters)
    body: object = NoBody()
    if route.body is not NoBody:
        data = await read_body(request, route.body_max)
        body = data if route.body is bytearray else decode_body(data, route.body)
    answer = await route.call(Call(plane, principal, parameters, body, request.headers))
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return Response(status_code=204)
    return Response(msgspec.json.encode(answer), route.status, media_type=JSON)
