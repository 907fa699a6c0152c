"""Plugs the copying of published trees into the agent, which knows it only as a function."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from c3fs.agent.checkout import Checkout
from c3fs.agent.joblog import JobLog
from c3fs.cli.settings import Settings
from c3fs.cli.wiring import reading
from c3fs.core.ref import Ref
from c3fs.core.sizes import format_size
from c3fs.data.download import Download, Downloaded
from c3fs.registry.base import Registry

LINE_EVERY: Final = 10.0
"""Seconds between lines of the job log while a large project is copied."""


def checkout_from(settings: Settings, registry: Registry, log: JobLog) -> Checkout:
    """Copies what the store of this machine has, and tells the job log how far it is when that takes long."""

    async def run(source: Ref, destination: bytes) -> None:
        manifest = await registry.manifest(source)
        async with reading(settings.storage) as reader:
            view = reader.view(manifest)
            download = Download(view.tree, view.filesystem, _lines(log, manifest.root.bytes, time.monotonic))
            await download.into(view.tree.root, destination)

    return run


def _lines(log: JobLog, total: int, clock: Callable[[], float]) -> Callable[[Downloaded], None]:
    last = clock()

    def report(done: Downloaded) -> None:
        nonlocal last
        if clock() - last >= LINE_EVERY:
            last = clock()
            log.line(f"copying the project folder: {format_size(done.bytes)} of {format_size(total)}")

    return report
