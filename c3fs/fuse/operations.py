"""The FUSE requests of a read-only mount: decode, call the vfs, encode."""

from __future__ import annotations

import errno
import functools
import logging
from collections.abc import Callable
from types import CoroutineType
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import pyfuse3

from c3fs.core.digest import Buffer
from c3fs.core.names import NAME_MAX
from c3fs.errors import C3Error
from c3fs.fuse.errno import errno_of
from c3fs.vfs.attributes import Attributes
from c3fs.vfs.filesystem import BLOCK_SIZE, FileSystem

log = logging.getLogger(__name__)

FOREVER: Final = 365 * 86_400
"""Seconds the kernel may keep what it was told: the tree never changes. The kernel takes any number; a year is
longer than a mount lives, and far from overflow in its jiffies."""

P = ParamSpec("P")
R = TypeVar("R")


def guarded(
    handler: Callable[Concatenate[Operations, P], CoroutineType[Any, Any, R]],
) -> Callable[Concatenate[Operations, P], CoroutineType[Any, Any, R]]:
    """Lets nothing but FUSEError (and cancellation) out: pyfuse3 would end the mount."""

    @functools.wraps(handler)
    async def guard(self: Operations, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await handler(self, *args, **kwargs)
        except pyfuse3.FUSEError:
            raise
        except C3Error as error:
            code = errno_of(error)
            if code == errno.EIO:
                log.error("%s: %s", handler.__name__, error)  # noqa: TRY400 - a fault, not a defect: one line
            raise pyfuse3.FUSEError(code) from error
        except Exception as error:
            log.exception("%s: a defect of c3fs", handler.__name__)
            raise pyfuse3.FUSEError(errno.EIO) from error

    return guard


class Operations(pyfuse3.Operations):
    """`uid` and `gid` own everything: they are the mounting user's."""

    supports_dot_lookup = True
    enable_writeback_cache = False
    enable_acl = False

    def __init__(self, filesystem: FileSystem, uid: int, gid: int) -> None:
        super().__init__()
        self._filesystem = filesystem
        self._uid = uid
        self._gid = gid

    @guarded
    async def lookup(
        self, parent_inode: pyfuse3.InodeT, name: pyfuse3.FileNameT, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        if len(name) > NAME_MAX:
            raise pyfuse3.FUSEError(errno.ENAMETOOLONG)
        found = await self._filesystem.lookup(parent_inode, name)
        return self._missing() if found is None else self._encode(found)

    @guarded
    async def getattr(self, inode: pyfuse3.InodeT, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        return self._encode(await self._filesystem.getattr(inode))

    @guarded
    async def readlink(self, inode: pyfuse3.InodeT, ctx: pyfuse3.RequestContext) -> pyfuse3.FileNameT:
        return pyfuse3.FileNameT(await self._filesystem.readlink(inode))

    @guarded
    async def opendir(self, inode: pyfuse3.InodeT, ctx: pyfuse3.RequestContext) -> pyfuse3.FileHandleT:
        """Listing has no state: the directory itself is the handle."""
        return pyfuse3.FileHandleT(inode)

    @guarded
    async def readdir(self, fh: pyfuse3.FileHandleT, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        position = start_id
        while True:
            before = position
            for name, attributes, after in await self._filesystem.listing(fh, position):
                if not pyfuse3.readdir_reply(token, pyfuse3.FileNameT(name), self._encode(attributes), after):
                    return
                position = after
            if position == before:
                return

    @guarded
    async def releasedir(self, fh: pyfuse3.FileHandleT) -> None:
        return None

    @guarded
    async def open(self, inode: pyfuse3.InodeT, flags: pyfuse3.FlagT, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        handle = await self._filesystem.open(inode)
        return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(handle), keep_cache=True)

    @guarded
    async def read(  # pyright: ignore[reportIncompatibleMethodOverride] - any buffer will do
        self, fh: pyfuse3.FileHandleT, off: int, size: int
    ) -> Buffer:
        return await self._filesystem.read(fh, off, size)

    @guarded
    async def release(self, fh: pyfuse3.FileHandleT) -> None:
        self._filesystem.release(fh)

    @guarded
    async def forget(self, inode_list: object) -> None:
        """Inodes are arithmetic: there is nothing to forget."""
        return

    @guarded
    async def statfs(self, ctx: pyfuse3.RequestContext) -> pyfuse3.StatvfsData:
        totals = self._filesystem.totals
        data = pyfuse3.StatvfsData()
        data.f_bsize = data.f_frsize = BLOCK_SIZE
        data.f_blocks = -(-totals.bytes // BLOCK_SIZE)
        data.f_files = totals.files + totals.directories + 1
        data.f_bfree = data.f_bavail = data.f_ffree = data.f_favail = 0
        data.f_namemax = NAME_MAX
        return data

    def _encode(self, attributes: Attributes) -> pyfuse3.EntryAttributes:
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = pyfuse3.InodeT(attributes.inode)
        entry.st_mode = pyfuse3.ModeT(attributes.mode)
        entry.st_size = attributes.size
        entry.st_blocks = attributes.blocks
        entry.st_mtime_ns = entry.st_ctime_ns = entry.st_atime_ns = attributes.mtime_ns
        entry.st_uid = self._uid
        entry.st_gid = self._gid
        entry.st_nlink = 1
        entry.st_blksize = BLOCK_SIZE
        entry.entry_timeout = entry.attr_timeout = FOREVER
        return entry

    def _missing(self) -> pyfuse3.EntryAttributes:
        """An entry with inode 0: the kernel keeps that the name does not exist."""
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = pyfuse3.InodeT(0)
        entry.entry_timeout = FOREVER
        return entry
