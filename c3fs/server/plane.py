"""The control plane of one process: what the routes work on, and what it does unasked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import anyio.lowlevel

from c3fs.errors import C3Error
from c3fs.registry.base import Job
from c3fs.registry.control import ControlDatabase
from c3fs.server.gateway import Gateway
from c3fs.server.limits import BURST, RATE, STRANGERS_BURST, STRANGERS_RATE, Lately, Limit
from c3fs.server.news import News

EXPIRE_EVERY: Final = 5.0
"""Seconds between two looks for jobs whose lease is over: a sixth of a lease."""

log = logging.getLogger("c3fs.server")


def _key_limit() -> Limit:
    return Limit(RATE, BURST)


def _stranger_limit() -> Limit:
    return Limit(STRANGERS_RATE, STRANGERS_BURST)


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """`gateway` gives the blobs of an account; `tend` looks after the place where they are, while the control plane
    runs. `known` are the digests of keys that were good lately. All calls from one event loop."""

    database: ControlDatabase
    gateway: Callable[[str], Gateway]
    keys: Limit = field(default_factory=_key_limit)
    strangers: Limit = field(default_factory=_stranger_limit)
    known: Lately = field(default_factory=Lately)
    news: News = field(default_factory=News)
    tend: Callable[[], Coroutine[Any, Any, None]] = anyio.lowlevel.checkpoint

    def tell_job(self, job: Job | str) -> None:
        """There is news of the job: wake who follows its log."""
        self.news.tell(("log", job if isinstance(job, str) else job.id))

    def tell_queue(self, account: str) -> None:
        self.news.tell(("queue", account))

    async def run(self) -> None:
        """Until it is cancelled: jobs whose lease is over are FAILED, for their agent is lost."""
        while True:
            try:
                for job_id in await self.database.queue.expire():
                    log.warning("%s: its agent is lost", job_id)
                    self.tell_job(job_id)
            except C3Error as error:
                log.warning("cannot look for lost agents: %s", error)
            await anyio.sleep(EXPIRE_EVERY)
