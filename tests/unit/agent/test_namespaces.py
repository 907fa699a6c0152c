"""What the user is told to enable; the real thing is in tests/mount/test_sandbox.py."""

from __future__ import annotations

import errno
import os

import pytest

from c3fs.agent.namespaces import explain, read_settings

CLONE = "/proc/sys/kernel/unprivileged_userns_clone"
USERS = "/proc/sys/user/max_user_namespaces"
APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"


def error(number: int, filename: bytes | None = None) -> OSError:
    return OSError(number, os.strerror(number), filename)


@pytest.mark.parametrize(
    ("raised", "settings", "advice"),
    [
        (error(errno.EPERM), {CLONE: "0"}, "as root, run `sysctl -w kernel.unprivileged_userns_clone=1`"),
        (error(errno.ENOSPC), {USERS: "0"}, "as root, run `sysctl -w user.max_user_namespaces=15000`"),
        (
            error(errno.EACCES),
            {CLONE: "1", USERS: "9000", APPARMOR: "1"},
            "as root, run `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`",
        ),
        (
            error(errno.EPERM),
            {CLONE: "0", USERS: "0"},
            "`sysctl -w kernel.unprivileged_userns_clone=1 && sysctl -w user.max_user_namespaces=15000`",
        ),
        (error(errno.ENOSPC), {USERS: "9000"}, "are in use; raise them"),
        (error(errno.EPERM), {USERS: "9000"}, "in a container, start it with --cap-add SYS_ADMIN"),
        (error(errno.EINVAL), {}, "this kernel has no user namespaces (CONFIG_USER_NS)"),
        (error(errno.EINVAL, b"/"), {}, "the root directory is no mount point, as in a chroot"),
    ],
)
def test_advice(raised: OSError, settings: dict[str, str], advice: str) -> None:
    text = explain(raised, settings)
    assert text.startswith(f"private namespaces are not permitted ({raised.strerror}): ")
    assert advice in text


def test_settings_that_the_kernel_does_not_have_are_left_out() -> None:
    assert read_settings({USERS: "5", CLONE: "1"}.get) == {USERS: "5", CLONE: "1"}


def test_the_settings_of_this_kernel() -> None:
    assert int(read_settings()[USERS]) >= 0
