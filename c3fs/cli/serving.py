"""The process that serves one mount: `python -m c3fs.cli.serving STATUS_FD REF MOUNTPOINT`, the plan on stdin.

Whoever starts it has looked up everything in the registry and hands over a `MountPlan`; this process knows the
store and the cache and nothing else. It imports neither SQLAlchemy nor click, rich, or anything that publishes: a
machine may have hundreds of mounts. REF and MOUNTPOINT are there for people who look at the list of processes.

On STATUS_FD it writes one JSON object a line: {"ready": true} once the mount is live, or
{"error": "…", "code": n} when there is none; then it closes it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec
import trio

from c3fs.cli.boundedlog import BoundedLog
from c3fs.cli.exits import Invocation, code_of, guard, message_of, run_async
from c3fs.cli.plan import NOBODY, MountPlan, directory_at
from c3fs.cli.wiring import Statistics, reading
from c3fs.core.manifest import decode_manifest
from c3fs.errors import C3Error
from c3fs.fuse.session import MountOptions, serve
from c3fs.vfs.filesystem import FileSystem

log = logging.getLogger(__name__)

STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Each of them unmounts, and ends the process with exit code 0."""


async def serve_mount(plan: MountPlan, on_live: Callable[[], None]) -> Statistics:
    """Mount and serve until unmounted, or told to stop by a signal; then nothing is mounted any more.

    A signal before the kernel has the mount ends the process as it ends any other. Raises MountError, and what
    reading the root may raise.
    """
    manifest = decode_manifest(plan.manifest)
    options = MountOptions(os.fsdecode(plan.mountpoint), os.fsdecode(plan.source), plan.allow_other)
    async with reading(plan.storage) as reader:
        view = reader.view(manifest)
        top = await directory_at(view.tree, plan.sub)
        await view.tree.leaf_at(top, 0)  # a mount whose very root cannot be listed is none
        filesystem = FileSystem(view.tree, reader.fetcher, reader.prefetcher, top)
        async with trio.open_nursery() as nursery:
            await nursery.start(_cancel_on_signal, nursery.cancel_scope)
            await serve(filesystem, options, on_live)
            nursery.cancel_scope.cancel()
        return reader.statistics()


async def _cancel_on_signal(scope: trio.CancelScope, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(*STOPPING) as signals:
        task_status.started()
        async for number in signals:
            log.info("unmounting: %s", signal.Signals(number).name)
            scope.cancel()


class Status:
    """The pipe to whoever started us, who may be gone; NOBODY when this process took the place of whoever did."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = None if descriptor == NOBODY else descriptor

    def ready(self) -> None:
        self._tell({"ready": True})

    def failed(self, error: C3Error | OSError) -> None:
        self._tell({"error": message_of(error), "code": code_of(error)})

    def _tell(self, line: dict[str, object]) -> None:
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, json.dumps(line).encode() + b"\n")
        except BrokenPipeError:
            log.info("nobody waits for the mount any more")
        os.close(self._descriptor)
        self._descriptor = None


def _serve(plan: MountPlan, status: Status) -> int:
    try:
        served = run_async(partial(serve_mount, plan, status.ready))
    except (C3Error, OSError) as error:
        status.failed(error)
        raise
    log.info("unmounted %s: %s", os.fsdecode(plan.mountpoint), served)
    return 0


def main() -> None:
    plan = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=MountPlan)
    status = Status(int(sys.argv[1]))
    handler = logging.StreamHandler() if plan.log is None else BoundedLog(os.fsdecode(plan.log))
    logging.basicConfig(handlers=[handler], level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    log.info("mounting %s on %s, process %d", os.fsdecode(plan.source), os.fsdecode(plan.mountpoint), os.getpid())
    sys.exit(guard(Invocation("c3fs", plan.verbose), partial(_serve, plan, status)))


if __name__ == "__main__":
    main()
