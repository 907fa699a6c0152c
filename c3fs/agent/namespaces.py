"""Leaving the machine's mount namespace, as root or as an ordinary user, and saying why where it is forbidden."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from c3fs.agent.syscalls import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_REC,
    MS_SLAVE,
    mount,
    unshare,
)
from c3fs.errors import SandboxError


class _Setting(NamedTuple):
    path: str
    forbids: str
    advice: str


_SETTINGS: Final = (
    _Setting("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    _Setting("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
    _Setting("/proc/sys/user/max_mnt_namespaces", "0", "sysctl -w user.max_mnt_namespaces=15000"),
    _Setting("/proc/sys/user/max_pid_namespaces", "0", "sysctl -w user.max_pid_namespaces=15000"),
    _Setting(
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)
"""The settings of Linux distributions that forbid namespaces, and what lifts them."""


def enter() -> None:
    """Put this process, which must have one thread, into a mount namespace of its own, with the right to mount
    in it and to make PID namespaces.

    Whoever may not do that directly gets a user namespace too, in which they are the same user: uid and gid are
    mapped to themselves, so files keep their owners. Mounts of the machine go on appearing here (a home that is
    mounted on demand, say); none of ours appears there. Raises SandboxError.
    """
    try:
        _unshare()
        mount(None, b"/", None, MS_REC | MS_SLAVE)
    except OSError as error:
        raise SandboxError(explain(error, read_settings())) from error


def may_enter() -> bool:
    """Whether `enter` and a PID namespace are permitted here; tried in a child, since there is no way back."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            enter()
            give_children_pid_namespace()
            code = 0
        except SandboxError:
            pass
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def give_children_pid_namespace() -> None:
    """The next child is PID 1 of a namespace that it and all later children live in. Raises SandboxError."""
    try:
        unshare(CLONE_NEWPID)
    except OSError as error:
        raise SandboxError(explain(error, read_settings())) from error


def mount_own_proc() -> bool:
    """Show the processes of this PID namespace in /proc. False where the kernel refuses because parts of the
    present /proc are hidden, as in a container; that /proc shows more than it should, but works."""
    try:
        unshare(CLONE_NEWNS)
        mount(b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except PermissionError:
        return False
    return True


def read_settings(read: Callable[[str], str | None] | None = None) -> Mapping[str, str]:
    """The values of those settings that this kernel has."""
    read = read or _read
    values = {setting.path: read(setting.path) for setting in _SETTINGS}
    return {path: value for path, value in values.items() if value is not None}


def explain(error: OSError, settings: Mapping[str, str]) -> str:
    """What went wrong, and what to enable."""
    forbidding = [setting.advice for setting in _SETTINGS if settings.get(setting.path) == setting.forbids]
    if forbidding:
        advice = f"as root, run `{' && '.join(forbidding)}`"
    elif error.errno == errno.ENOSPC:
        advice = "all namespaces that user.max_user_namespaces and its like allow are in use; raise them"
    elif error.errno == errno.EINVAL and error.filename is not None:
        advice = "the root directory is no mount point, as in a chroot; run c3 outside of it"
    elif error.errno == errno.EINVAL:
        advice = "this kernel has no user namespaces (CONFIG_USER_NS)"
    else:
        advice = "in a container, start it with --cap-add SYS_ADMIN or --security-opt seccomp=unconfined"
    return f"private namespaces are not permitted ({error.strerror}): {advice}"


def _unshare() -> None:
    uid, gid = os.geteuid(), os.getegid()
    try:
        unshare(CLONE_NEWNS)
    except PermissionError:
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None
