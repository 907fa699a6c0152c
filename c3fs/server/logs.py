"""Logs of jobs: their agents append, everybody who sees the job reads, and waits for more if he likes."""

from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.responses import Response

from c3fs.api.messages import LOG_PIECE_MAX, WAIT_MAX, JobId, LogEnd
from c3fs.core.job import FINAL
from c3fs.registry.control import LOG_MAX
from c3fs.server.routes import READERS, Call, NoBody, Parameters, Route
from c3fs.server.visible import own_job

Offset = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]


class Piece(Parameters, frozen=True, kw_only=True):
    id: JobId
    offset: Offset


class From(Parameters, frozen=True, kw_only=True):
    id: JobId
    offset: Offset = 0
    wait: Annotated[float, msgspec.Meta(ge=0, le=WAIT_MAX)] = 0.0


class Tail(Parameters, frozen=True, kw_only=True):
    id: JobId
    lines: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 10


async def append(call: Call[Piece, bytearray]) -> LogEnd:
    """Append to a job's log, if offset is where it ends. For the token of the job."""
    job_id = call.parameters.id
    await own_job(call, job_id, "write this job's log")
    end = await call.plane.database.logs(call.account).append(job_id, call.parameters.offset, bytes(call.body))
    call.plane.tell_job(job_id)
    return LogEnd(end, end >= LOG_MAX)


async def read(call: Call[From, NoBody]) -> Response:
    """A job's log from an offset on: as much as there is, and not more than a piece. Waits for some while the job has
    not ended."""
    wanted = call.parameters
    await call.seen.job(wanted.id)
    logs = call.plane.database.logs(call.account)

    async def look() -> bytes | None:
        # In this order: what was appended before the job ended is read after it has.
        ended = (await call.seen.job(wanted.id)).state in FINAL
        piece = await logs.read(wanted.id, wanted.offset, LOG_PIECE_MAX)
        return piece if piece or ended else None

    piece = await call.plane.news.until(("log", wanted.id), look, wanted.wait)
    return Response(piece or b"", media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


async def tail(call: Call[Tail, NoBody]) -> LogEnd:
    """The offset where the last lines of a job's log begin."""
    await call.seen.job(call.parameters.id)
    logs = call.plane.database.logs(call.account)
    return LogEnd(await logs.tail(call.parameters.id, call.parameters.lines))


ROUTES = (
    Route("GET", "jobs/{id}/log", read, From, NoBody, bytes, READERS, may=(404,)),
    Route("GET", "jobs/{id}/log/tail", tail, Tail, NoBody, LogEnd, READERS, may=(404,)),
    Route("POST", "jobs/{id}/log", append, Piece, bytearray, LogEnd, READERS, 200, (404, 409), LOG_PIECE_MAX),
)
