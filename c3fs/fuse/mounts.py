"""The kernel's mount table, and unmounting from outside the serving process."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
from dataclasses import dataclass
from typing import Final

from c3fs.errors import MountBusyError, MountError

FSTYPE: Final = "fuse.c3fs"
UNMOUNT_TIMEOUT: Final = 30.0
"""Seconds fusermount3 may take; it only makes one system call."""

_MNT_DETACH: Final = 2
_UMOUNT_NOFOLLOW: Final = 8
_OCTAL = re.compile(r"\\([0-7]{3})")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class MountRecord:
    """One line of mountinfo. `device` is `major:minor`; `source` is what a c3fs mount shows: the ref."""

    mountpoint: str
    fstype: str
    source: str
    device: str


def list_mounts() -> list[MountRecord]:
    """All mounts this process sees, in the order they were made."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return [parse_record(line) for line in file]


def find_mount(mountpoint: str) -> MountRecord | None:
    """The topmost mount at exactly that path (already resolved), without touching it: it may be dead."""
    found = [record for record in list_mounts() if record.mountpoint == mountpoint]
    return found[-1] if found else None


def is_dead(mountpoint: str) -> bool:
    """Whether the process that served the mount is gone: the kernel answers ENOTCONN at once.

    Asked by statfs, which goes to that process each time: stat is answered from what the kernel keeps, for ever.
    """
    try:
        os.statvfs(mountpoint)
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False


def clear_dead_mount(mountpoint: str) -> bool:
    """Unmount what a killed c3fs left at `mountpoint`; False when there is nothing of that kind."""
    record = find_mount(mountpoint)
    if record is None or record.fstype != FSTYPE or not is_dead(mountpoint):
        return False
    unmount(mountpoint, lazy=True)
    return True


def unmount(mountpoint: str, *, lazy: bool = False) -> None:
    """Unmount; `lazy` also with files open. Raises MountBusyError, MountError."""
    if os.geteuid() == 0:
        _unmount_as_root(mountpoint, lazy=lazy)
    else:
        _unmount_as_user(mountpoint, lazy=lazy)


def _unmount_as_root(mountpoint: str, *, lazy: bool) -> None:
    flags = _UMOUNT_NOFOLLOW | (_MNT_DETACH if lazy else 0)
    if _libc.umount2(os.fsencode(mountpoint), flags) == 0:
        return
    code = ctypes.get_errno()
    if code == errno.EBUSY:
        raise MountBusyError(mountpoint)
    raise MountError(f"cannot unmount {mountpoint}: {os.strerror(code)}")


def _unmount_as_user(mountpoint: str, *, lazy: bool) -> None:
    command = ["fusermount3", "-u", *(["-z"] if lazy else []), "--", mountpoint]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=UNMOUNT_TIMEOUT, check=False, errors="replace"
        )
    except FileNotFoundError as error:
        raise MountError("fusermount3 is not installed: an ordinary user needs it (package fuse3)") from error
    except subprocess.TimeoutExpired as error:
        raise MountError(f"fusermount3 did not unmount {mountpoint} in {UNMOUNT_TIMEOUT:g} s") from error
    if done.returncode == 0:
        return
    if "busy" in done.stderr:
        raise MountBusyError(mountpoint)
    raise MountError(f"cannot unmount {mountpoint}: {done.stderr.strip()}")


def parse_record(line: str) -> MountRecord:
    """36 35 98:0 /root /mountpoint options … - fstype source super-options (proc(5))."""
    fields = line.split(" ")
    separator = fields.index("-", 6)
    return MountRecord(_unescape(fields[4]), fields[separator + 1], _unescape(fields[separator + 2]), fields[2])


def _unescape(text: str) -> str:
    """The kernel writes blanks and backslashes as octal, other bytes as they are."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
