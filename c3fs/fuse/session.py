"""The life of one mount: mount, serve, unmount."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyfuse3
import trio

from c3fs.errors import MountError
from c3fs.fuse.mounts import find_mount
from c3fs.fuse.operations import Operations
from c3fs.vfs.filesystem import FileSystem

log = logging.getLogger(__name__)

READ_AHEAD_KB: Final = 2048
"""What the kernel reads ahead in a file of ours. With its own 128 KiB a sequential read comes in requests of
128 KiB, at 0.4 GB/s; from 1024 on in requests of 1 MiB, the largest FUSE has, at 2.7 GB/s (2 cores, kernel 6.18).
Twice that keeps a second request under way."""
WORKERS_MAX: Final = 64
"""Requests under way at once: a reader that waits for the store occupies one, and the kernel queues the rest."""
ANSWER_TIMEOUT: Final = 20.0
"""Seconds for a first stat, which needs no blob."""


@dataclass(frozen=True, slots=True)
class MountOptions:
    """`mountpoint` is absolute and resolved; `source` is what the mount table shows: the ref."""

    mountpoint: str
    source: str
    allow_other: bool = False

    def to_fuse(self) -> set[str]:
        source = self.source.replace("\\", "\\\\").replace(",", "\\,")
        options = {"ro", "nosuid", "nodev", "default_permissions", f"fsname={source}", "subtype=c3fs"}
        return options | {"allow_other"} if self.allow_other else options


async def serve(filesystem: FileSystem, options: MountOptions, on_live: Callable[[], None]) -> None:
    """Mount `filesystem` and serve it until cancelled, or unmounted from outside; nothing stays mounted.

    `on_live` is called once the kernel has the mount and requests are being served. One at a time in a process.
    Raises MountError when it cannot be mounted.
    """
    operations = Operations(filesystem, os.getuid(), os.getgid())
    try:
        pyfuse3.init(operations, options.mountpoint, options.to_fuse())
    except RuntimeError as error:
        raise MountError(_why_not(options)) from error
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_main, nursery.cancel_scope)
            await _answered(options.mountpoint)
            _widen_readahead(options.mountpoint)
            on_live()
    finally:
        pyfuse3.close(unmount=True)


async def _answered(mountpoint: str) -> None:
    """Until the mount has answered a first request, asked from a thread. The kernel's handshake comes before it, and
    sets the readahead: what is written earlier is lost."""
    try:
        with trio.fail_after(ANSWER_TIMEOUT):
            await trio.to_thread.run_sync(os.stat, mountpoint, abandon_on_cancel=True)
    except (OSError, trio.TooSlowError) as error:
        raise MountError(f"{mountpoint} was mounted but does not answer: {error}") from error


async def _main(scope: trio.CancelScope) -> None:
    await pyfuse3.main(max_tasks=WORKERS_MAX)
    scope.cancel()


def _widen_readahead(mountpoint: str) -> None:
    """Only root may; without it the mount works, with smaller requests."""
    record = find_mount(mountpoint)
    if record is None:
        return
    try:
        with open(f"/sys/class/bdi/{record.device}/read_ahead_kb", "w", encoding="ascii") as file:
            file.write(str(READ_AHEAD_KB))
    except OSError as error:
        log.debug("%s keeps the kernel's readahead: %s", mountpoint, error)


def _why_not(options: MountOptions) -> str:
    """libfuse prints its reason on stderr and returns only -1; the likely ones, in order."""
    where = f"cannot mount on {options.mountpoint}"
    if not os.path.exists("/dev/fuse"):
        return f"{where}: /dev/fuse is missing; load the fuse module (modprobe fuse)"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return f"{where}: no permission to open /dev/fuse; it is normally mode 0666 (chmod 666 /dev/fuse)"
    if options.allow_other and os.geteuid() != 0:
        return f"{where}: --allow-other needs the line user_allow_other in /etc/fuse.conf"
    if not os.access(options.mountpoint, os.W_OK):
        return f"{where}: an ordinary user must be able to write to the mountpoint"
    return f"{where}: the kernel or fusermount3 refused it"
