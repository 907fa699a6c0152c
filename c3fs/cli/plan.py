"""What a process that serves a mount is told by whoever starts it."""

from __future__ import annotations

import sys
from typing import Final

import msgspec

from c3fs.cli.settings import Storage
from c3fs.core.directory import Directory
from c3fs.errors import NotDirectoryError
from c3fs.vfs.tree import DirectoryFacts, Found, Tree

SERVING: Final = (sys.executable, "-P", "-m", "c3fs.cli.serving")
RUNNER: Final = (sys.executable, "-P", "-m", "c3fs.cli.runner")
SANDBOX: Final = (sys.executable, "-P", "-m", "c3fs.cli.sandbox")
"""Our programs that nobody types. -P: the user's working directory is no place to import from."""

NOBODY: Final = -1


class MountPlan(msgspec.Struct, frozen=True):
    """Everything a mount needs. Paths and refs are bytes: they need not be UTF-8."""

    manifest: bytes
    sub: tuple[bytes, ...]
    mountpoint: bytes
    source: bytes
    storage: Storage
    allow_other: bool = False
    log: bytes | None = None
    verbose: bool = False

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self)


Plans = dict[str, MountPlan]
"""By ref; the mountpoints in them are not used."""


def encode_plans(plans: Plans) -> bytes:
    return msgspec.msgpack.encode(plans)


def decode_plans(data: bytes) -> Plans:
    """Raises msgspec.MsgspecError: both ends are of one version, so anything else is a defect."""
    return msgspec.msgpack.decode(data, type=Plans)


async def directory_at(tree: Tree, sub: tuple[bytes, ...]) -> DirectoryFacts:
    """The directory that a mount of sub-path `sub` shows; raises PathNotFoundError, NotDirectoryError."""
    found = await tree.resolve(sub)
    if isinstance(found, Found):
        if not isinstance(found.entry, Directory):
            raise NotDirectoryError(b"/".join(sub))
        found = found.facts()
    return found
