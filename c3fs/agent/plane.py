"""The control plane as an agent sees it: the queue, a job's lease, and where its log goes."""

from __future__ import annotations

from typing import Final

from c3fs.agent.shipping import Shipped
from c3fs.agent.taking import Taken
from c3fs.api.client import CALL_WITHIN, ApiClient, Request
from c3fs.api.messages import Lease, LogEnd, Renew, Renewed, Take
from c3fs.registry.base import Job
from c3fs.registry.http import job_of

RENEW_WITHIN: Final = 8.0
"""Seconds for a renewal: of a connection that leads nowhere any more three are given up before the lease is over."""


class HttpQueue:
    """Behind taking.Queue, for an agent of that name."""

    def __init__(self, client: ApiClient, agent: str) -> None:
        self._client = client
        self._agent = agent

    def __repr__(self) -> str:
        return f"<HttpQueue of {self._client!r}, for {self._agent}>"

    async def take(self, attempt: str, wait: float) -> Taken | None:
        body = Take(self._agent, attempt, wait)
        request = Request("POST", "/queue/take", body=body, repeatable=True, within=wait + CALL_WITHIN)
        lease = await self._client.ask(request, Lease)
        return None if lease is None else Taken(job_of(lease.job), lease.token, attempt, lease.seconds)


class HttpJob:
    """One job, by its token."""

    def __init__(self, client: ApiClient, job_id: str, attempt: str) -> None:
        self._client = client
        self._id = job_id
        self._attempt = attempt

    def __repr__(self) -> str:
        return f"<HttpJob {self._id} of {self._client!r}>"

    async def renew(self) -> Job:
        """See lease.Renew."""
        body = Renew(self._attempt)
        request = Request("POST", f"/jobs/{self._id}/lease", body=body, repeatable=True, within=RENEW_WITHIN)
        return job_of((await self._client.call(request, Renewed)).job)

    async def append(self, offset: int, piece: bytes) -> Shipped:
        """See shipping.Append."""
        request = Request("POST", f"/jobs/{self._id}/log", {"offset": offset}, body=piece, repeatable=True)
        end = await self._client.call(request, LogEnd)
        return Shipped(end.end, end.full)
