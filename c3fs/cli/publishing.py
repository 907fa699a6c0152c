"""Plugs the publish layer into the agent, which knows it only as a function."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from c3fs.agent.joblog import JobLog
from c3fs.agent.publication import Publication, Publish, PublishRequest
from c3fs.cli.settings import Settings
from c3fs.cli.wiring import tidy_store, uploading
from c3fs.core.sizes import format_size
from c3fs.publish import publish
from c3fs.registry.base import Registry

LINE_EVERY: Final = 10.0
"""Seconds between lines of the job log while artifacts are uploaded."""


def publisher(settings: Settings, registry: Registry, log: JobLog) -> Publish:
    """Publishes into the store of this machine, and tells the job log how far it is when that takes long.

    A store that has something, as the ledger says, and is gone, is not made anew: what was found there is not.
    """

    async def run(request: PublishRequest) -> Publication:
        await tidy_store(settings.storage)
        is_first = settings.remote is None and (await registry.balance(lines=0)).stored == 0
        async with uploading(settings.storage, create=is_first) as store:
            done = await publish.publish_outputs(
                publish.PublishRequest(
                    ref=str(request.ref),
                    base=request.base,
                    outputs=request.outputs,
                    complete=request.complete,
                    best_effort=request.best_effort,
                ),
                store,
                registry,
                now=lambda: datetime.now(UTC),
                progress=_lines(log, time.monotonic),
            )
        root = done.manifest.root
        return Publication(root.files, root.bytes, done.charged, done.warnings)

    return run


def _lines(log: JobLog, clock: Callable[[], float]) -> Callable[[publish.Progress], None]:
    last = clock()

    def report(progress: publish.Progress) -> None:
        nonlocal last
        if clock() - last >= LINE_EVERY:
            last = clock()
            log.line(f"uploading: {format_size(progress.read)} read, {format_size(progress.uploaded)} uploaded")

    return report
