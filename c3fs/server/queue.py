"""The queue as agents see it."""

from __future__ import annotations

from c3fs.api.messages import Lease, Take
from c3fs.core.access import Agent
from c3fs.errors import ForbiddenError
from c3fs.registry.control import Taken
from c3fs.server.jobs import record_of
from c3fs.server.routes import AGENTS, Call, Parameters, Route


async def take(call: Call[Parameters, Take]) -> Lease | None:
    """Take the oldest job of the queue, and its token. The same request again gets the same job; 204 when there is
    none."""
    if not isinstance(call.principal, Agent):
        raise ForbiddenError("take jobs")
    wanted = call.body
    queue = call.plane.database.queue

    async def look() -> Taken | None:
        return await queue.take(call.account, wanted.agent, wanted.attempt)

    taken = await call.plane.news.until(("queue", call.account), look, wanted.wait)
    if taken is None:
        return None
    call.plane.tell_job(taken.job)
    return Lease(record_of(taken.job), taken.token, taken.seconds)


ROUTES = (Route("POST", "queue/take", take, Parameters, Take, Lease, AGENTS, may=(204,)),)
