"""Makes mount points exist in a private mount namespace, whatever the machine has there.

A directory that exists is mounted over, and one inside the working directory is made. For any other, the deepest
directory above it that exists (say /data, for /data/weights) is replaced, for this namespace alone, by a tmpfs that
has everything that is in it, and the missing directory too:

    sub-directories     bound, with all that is mounted below them: the machine's own, and as writable as ever
    files               bound on empty files, likewise
    symlinks            made again

What the job adds to that one directory itself lives in the tmpfs and vanishes with the job. There is no other way
without making a directory on the machine, which others would see and which a killed job would leave behind.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Final

from c3fs.agent.syscalls import (
    MNT_DETACH,
    MS_BIND,
    MS_MOVE,
    MS_NODEV,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    MS_UNBINDABLE,
    mount,
    pivot_root,
    unmount,
)
from c3fs.errors import SandboxError

CHILDREN_MAX: Final = 4096
"""Names in a directory that is replaced: each costs a mount, of which Linux allows 100,000 (fs.mount-max)."""


def make_mount_points(paths: Sequence[bytes], workdir: bytes) -> list[bytes]:
    """Make each of `paths` (absolute, symlinks resolved) an existing directory, and say which directories had to
    be replaced for it.

    The directory above `workdir` must be none of those that have to be replaced. The current directory of this
    process becomes /. Raises SandboxError.
    """
    os.chdir("/")
    missing: dict[bytes, list[bytes]] = {}
    for path in paths:
        if path.startswith(workdir + b"/"):
            _make(path)
        elif (above := _deepest_existing(path)) != path:
            missing.setdefault(above, []).append(path)
    for above in sorted(missing):
        try:
            _replace(above, missing[above], workdir)
        except OSError as error:
            raise _failed(missing[above][0], error) from error
    return sorted(missing)


def _make(path: bytes) -> None:
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise _failed(path, error) from error


def _deepest_existing(path: bytes) -> bytes:
    above = path
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.path.isdir(above):
        raise SandboxError(f"cannot mount at {os.fsdecode(path)}: {os.fsdecode(above)} is not a directory")
    return above


def _replace(above: bytes, paths: Sequence[bytes], stage: bytes) -> None:
    """`stage` is a directory that is covered by what is being made, until that goes to its place."""
    mode = stat.S_IMODE(os.stat(above).st_mode)
    mount(b"tmpfs", stage, b"tmpfs", MS_NOSUID | MS_NODEV, b"mode=%o" % mode)
    # Else what is bound from above `stage` would bring the tmpfs along, in itself.
    mount(None, stage, None, MS_UNBINDABLE)
    _populate(above, stage)
    for path in paths:
        os.makedirs(os.path.join(stage, os.path.relpath(path, above)), exist_ok=True)
    if above == b"/":
        _become_root(stage)
    else:
        mount(stage, above, None, MS_MOVE)
    mount(None, above, None, MS_PRIVATE)


def _become_root(stage: bytes) -> None:
    os.chdir(stage)
    pivot_root(b".", b".")  # the old root ends up on top of the new one, where "." still is
    unmount(b".", MNT_DETACH)
    os.chdir("/")


def _populate(above: bytes, stage: bytes) -> None:
    with os.scandir(above) as entries:
        children = list(entries)
    if len(children) > CHILDREN_MAX:
        shown = os.fsdecode(above)
        raise SandboxError(f"{shown} has more than {CHILDREN_MAX} names; make the mount points below it by hand")
    for child in children:
        target = os.path.join(stage, child.name)
        try:
            _copy_child(child, target)
        except FileNotFoundError:
            continue  # it went away since it was listed


def _copy_child(child: os.DirEntry[bytes], target: bytes) -> None:
    if child.is_symlink():
        os.symlink(os.readlink(child.path), target)
        return
    if child.is_dir(follow_symlinks=False):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC))
    mount(child.path, target, None, MS_BIND | MS_REC)


def _failed(path: bytes, error: OSError) -> SandboxError:
    name: object = error.filename
    where = "" if name is None else f"{os.fsdecode(name) if isinstance(name, bytes) else name}: "
    return SandboxError(f"cannot make the mount point {os.fsdecode(path)}: {where}{error.strerror}")
