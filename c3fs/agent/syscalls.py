"""The Linux calls a sandbox is made of and Python has no names for; each raises OSError as Python's own do."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Collection
from typing import Final, NamedTuple

CLONE_NEWNS: Final = 0x0002_0000
CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWPID: Final = 0x2000_0000

MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_REMOUNT: Final = 32
MS_BIND: Final = 4096
MS_MOVE: Final = 8192
MS_REC: Final = 16384
MS_UNBINDABLE: Final = 1 << 17
MS_PRIVATE: Final = 1 << 18
MS_SLAVE: Final = 1 << 19
MNT_DETACH: Final = 2

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_SFD_CLOEXEC: Final = 0o2000000
_SFD_NONBLOCK: Final = 0o4000
_SIGINFO: Final = struct.Struct("=I8xI112x")
"""struct signalfd_siginfo: the signal's number and its sender's PID, of 128 bytes."""
_SIGSET_SIZE: Final = 128
"""Bytes of glibc's and musl's sigset_t."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_libc.pivot_root.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
_libc.unshare.argtypes = (ctypes.c_int,)
_libc.prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
_libc.signalfd.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


def unshare(flags: int) -> None:
    """Leave the namespaces of `flags` for fresh ones; CLONE_NEWPID holds for the children only."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: bytes | None, target: bytes, kind: bytes | None, flags: int, data: bytes | None = None) -> None:
    _check(_libc.mount(source, target, kind, flags, data), "mount", target)


def unmount(target: bytes, flags: int = 0) -> None:
    _check(_libc.umount2(target, flags), "umount", target)


def pivot_root(new: bytes, old: bytes) -> None:
    _check(_libc.pivot_root(new, old), "pivot_root", new)


def set_parent_death_signal(number: int) -> None:
    """Be sent signal `number` when the thread that made this process ends; inherited by nobody, kept over exec."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0), "prctl")


def become_subreaper() -> None:
    """Be the parent of all descendants whose own parents end."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


class Sent(NamedTuple):
    """A signal and its sender: 0 for one outside this PID namespace, and for the kernel."""

    number: int
    pid: int


class Signals:
    """Signals read from a descriptor, in order with other events, instead of handlers that run anywhere.

    They are blocked in this process and in what it starts; see `unblock_signals`.
    """

    def __init__(self, numbers: Collection[signal.Signals]) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        mask = bytearray(_SIGSET_SIZE)
        for number in numbers:
            mask[(number - 1) // 8] |= 1 << (number - 1) % 8
        buffer = (ctypes.c_char * len(mask)).from_buffer(mask)
        self._fd = _check(_libc.signalfd(-1, buffer, _SFD_CLOEXEC | _SFD_NONBLOCK), "signalfd")

    def fileno(self) -> int:
        return self._fd

    def read(self) -> list[Sent]:
        """All that have come since the last call; several of one kind may be one."""
        sent: list[Sent] = []
        while True:
            try:
                data = os.read(self._fd, _SIGINFO.size)
            except BlockingIOError:
                return sent
            sent.append(Sent(*_SIGINFO.unpack(data)))

    def close(self) -> None:
        os.close(self._fd)


def unblock_signals() -> None:
    """For a child that `Signals` in its parent is not meant for; blocked signals stay so over fork and exec."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def reset_signals() -> None:
    """Give a program what it expects at its start; `nohup` and shells leave signals ignored, over every exec."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    unblock_signals()


def _check(result: int, what: str, path: bytes | None = None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}", path)
    return result
