"""What this machine must have for a test to run: decided in one place, so that nothing skips by accident.

A test that needs more than Python carries a marker; `tests/conftest.py` asks here before it runs. What is
missing skips the test with the reason, or fails it when C3FS_REQUIRE_MOUNTS=1 says that nothing may be missing
(as on the build server, where a skipped mount test is a mount that nobody tested).
"""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
import sys
from functools import cache
from typing import Final

import pytest

REQUIRE: Final = "C3FS_REQUIRE_MOUNTS"
ORDINARY_UID: Final = pwd.getpwnam("daemon").pw_uid
"""Of an account that every Linux has and that may do nothing special; fusermount3 serves no uid without one."""


@cache
def missing_for_mounts() -> str | None:
    """Why this process cannot mount a FUSE file system, or None."""
    if not os.path.exists("/dev/fuse"):
        return "/dev/fuse is missing (modprobe fuse)"
    if os.geteuid() != 0 and shutil.which("fusermount3") is None:
        return "not root, and no fusermount3 (package fuse3)"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "no permission to open /dev/fuse (chmod 666 /dev/fuse)"
    return None


@cache
def missing_for_namespaces() -> str | None:
    """Why this process cannot make a private mount namespace, or None."""
    command = ["unshare", "--mount", "true"]
    if os.geteuid() != 0:
        command[1:1] = ["--user", "--map-root-user"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError:
        return "unshare is not installed (package util-linux)"
    return None if done.returncode == 0 else f"no private mount namespace: {done.stderr.strip()}"


@cache
def ordinary_python() -> str | None:
    """An interpreter of this version that an ordinary user may run: ours may lie in root's home."""
    for path in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        if not os.path.exists(path):
            continue
        try:
            done = subprocess.run([path, "-c", ""], user=ORDINARY_UID, timeout=30, check=False, cwd="/")
        except PermissionError:
            continue
        if done.returncode == 0:
            return path
    return None


@cache
def missing_for_ordinary_user() -> str | None:
    """Why a test that runs as root cannot mount as an ordinary user, or None."""
    if os.geteuid() != 0:
        return "needs root, to become another user"
    missing = missing_for_mounts() or missing_for_namespaces()
    if missing:
        return missing
    if shutil.which("fusermount3") is None:
        return "no fusermount3 (package fuse3)"
    return None if ordinary_python() else "no interpreter that an ordinary user may run"


@cache
def postgres_programs() -> str | None:
    """The directory of initdb and postgres, the newest version's."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    return os.path.dirname(max(found, key=lambda path: int(path.split("/")[4]))) if found else None


@cache
def missing_for_postgres() -> str | None:
    """Why this process cannot start a PostgreSQL server, or None."""
    if postgres_programs() is None:
        return "no initdb below /usr/lib/postgresql (package postgresql)"
    return None if shutil.which("setpriv") else "no setpriv (package util-linux)"


@cache
def missing_for_networks() -> str | None:
    """Why this process cannot make network namespaces, or None."""
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    if shutil.which("ip") is None:
        return "no ip (package iproute2)"
    return missing_for_postgres()


@cache
def missing_for_ceph() -> str | None:
    """Why this process cannot start a Ceph cluster with a gateway, or None."""
    programs = ("ceph", "ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "setpriv")
    missing = [program for program in programs if shutil.which(program) is None]
    return f"no {', '.join(missing)} (packages radosgw, ceph-mon, ceph-osd, ceph-common)" if missing else None


CHECKS: Final = {
    "ceph": missing_for_ceph,
    "mounts": missing_for_mounts,
    "namespaces": missing_for_namespaces,
    "ordinary_user": missing_for_ordinary_user,
    "postgres": missing_for_postgres,
    "networks": missing_for_networks,
}
"""Marker -> what decides."""


def demand(marker: str) -> None:
    """Skip the running test if what `marker` stands for is missing, or fail it where nothing may be."""
    why = CHECKS[marker]()
    if why is None:
        return
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{why}, and {REQUIRE}=1", pytrace=False)
    pytest.skip(why)
