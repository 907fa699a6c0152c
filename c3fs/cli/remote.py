"""What is wired when jobs, data and blobs are those of a control plane.

What moves blobs is imported by who moves some: most commands only ask the registry.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from c3fs.api.client import TRIES as CALL_TRIES, open_client
from c3fs.api.endpoint import Remote
from c3fs.cli.joblogs import Log, RemoteLog
from c3fs.core.retry import Retry
from c3fs.registry.base import Registry
from c3fs.registry.http import AGAIN, HttpRegistry
from c3fs.store.base import Store
from c3fs.store.complaining import Complaining
from c3fs.store.deadline import Deadline
from c3fs.store.limited import Limited
from c3fs.store.retried import Retried
from c3fs.store.verified import Verified

if TYPE_CHECKING:
    from c3fs.agent.taking import Queue

CALLS_MAX: Final = 16
"""Blobs on their way at once: 64 MiB at most, what fills 10 Gbit/s with 50 ms of round trip."""
AWAY_MAX: Final = 30.0
"""Seconds for which a control plane or a store that is away is waited for by whoever reads: until both are started
anew. Then a reader gets EIO."""
CALL_WITHIN: Final = 240.0
"""Seconds one blob may take on its way, with asking where it is (c3fs.store.transport). Eight of them share the line:
with a minute for each no upload ended over 4 Mbit/s."""
ANSWER_WITHIN: Final = 300.0
"""Seconds with waiting for a place and trying again, of which AWAY_MAX is a part."""
TRIES: Final = Retry(tries=4, first=0.2, longest=10.0, patience=AWAY_MAX)
"""Of one that has stopped a reader hears after two minutes."""


@asynccontextmanager
async def open_http_registry(remote: Remote, patience: float = 0.0) -> AsyncGenerator[Registry]:
    """`patience`: seconds for which a control plane that is away is waited for."""
    async with open_client(remote, replace(CALL_TRIES, patience=patience)) as client:
        yield HttpRegistry(client, replace(AGAIN, patience=patience))


@asynccontextmanager
async def open_queue(remote: Remote, agent: str) -> AsyncGenerator[Queue]:
    """The queue, as an agent of that name sees it."""
    from c3fs.agent.plane import HttpQueue

    async with open_client(remote) as client:
        yield HttpQueue(client, agent)


@asynccontextmanager
async def open_remote_log(remote: Remote, job_id: str) -> AsyncGenerator[Log]:
    async with open_client(remote) as client:
        yield RemoteLog(client, job_id)


@asynccontextmanager
async def open_http_store(remote: Remote, patience: float = 0.0) -> AsyncGenerator[Store]:
    """As that of this machine is stacked (c3fs.cli.wiring), with longer bounds, and one thing more: whoever gets
    corrupt bytes complains, above `Verified`, which finds them, and below `Retried`, which asks again.

    `patience` is for what is away, in seconds, when that is to be more than AWAY_MAX."""
    from c3fs.store.http import HttpStore
    from c3fs.store.transport import UrlTransport

    async with open_client(remote) as client:
        transport = UrlTransport(connections=CALLS_MAX)
        http = HttpStore(client, transport)
        found = Verified(Limited(Deadline(http, CALL_WITHIN), CALLS_MAX))
        try:
            tries = replace(TRIES, patience=max(AWAY_MAX, patience))
            yield Deadline(Retried(Complaining(found, http.complain), tries), ANSWER_WITHIN + patience)
        finally:
            await transport.aclose()
