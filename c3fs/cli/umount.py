"""`c3fs umount` and `c3fs mounts`: the mounts of this machine, from outside the processes that serve them."""

from __future__ import annotations

import os
from typing import Final

import click

from c3fs.cli import output
from c3fs.cli.exits import run_async
from c3fs.cli.mountstate import state_of, states_of
from c3fs.cli.program import Command, json_option
from c3fs.errors import MountBusyError, MountError
from c3fs.fuse.mounts import FSTYPE, find_mount, list_mounts, unmount

HOLDERS_MAX: Final = 8
"""Processes named in an error."""


@click.command("umount", cls=Command)
@click.argument("mountpoint")
@click.option("--lazy", is_flag=True, help="Also with files open in it: they can be read until they are closed.")
def umount(mountpoint: str, lazy: bool) -> None:
    """Unmount what `c3fs mount` mounted at MOUNTPOINT; also what a killed c3fs left there.

    \b
    Example: c3fs umount /mnt/model
    """
    target = os.path.realpath(mountpoint)
    record = find_mount(target)
    if record is None or record.fstype != FSTYPE:
        raise MountError(f"{target}: not a c3fs mount; `c3fs mounts` lists them")
    try:
        unmount(target, lazy=lazy)
    except MountBusyError as error:
        if run_async(lambda: state_of(record)) == "dead":
            unmount(target, lazy=True)
            return
        holders = _holders(target)
        if not holders:
            raise
        raise MountError(f"{error}: {', '.join(holders)}; end them, or use --lazy") from None


@click.command("mounts", cls=Command)
@json_option
def mounts(as_json: bool) -> None:
    """List the c3fs mounts of this machine.

    \b
    Example: c3fs mounts --json
    """
    records = [record for record in list_mounts() if record.fstype == FSTYPE]
    states = run_async(lambda: states_of(records))
    if as_json:
        rows = [
            {"ref": record.source, "mountpoint": record.mountpoint, "state": state}
            for record, state in zip(records, states, strict=True)
        ]
        output.write_json(rows)
        return
    lines = [
        (record.source, output.shown(os.fsencode(record.mountpoint)), state)
        for record, state in zip(records, states, strict=True)
    ]
    output.table(("REF", "MOUNTPOINT", "STATE"), lines)


def _holders(target: str) -> list[str]:
    """ "name (pid)" of processes that hold something in the mount, as far as /proc tells this user. Links are
    read, never followed: looking does not touch the mount."""
    holders: list[str] = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if any(path == target or path.startswith(f"{target}/") for path in _held_by(pid)):
            holders.append(f"{_name_of(pid)} ({pid})")
    more = len(holders) - HOLDERS_MAX
    return holders if more <= 0 else [*holders[:HOLDERS_MAX], f"{more} more"]


def _held_by(pid: str) -> list[str]:
    """What the process has open, mapped, or for its directory; nothing of a process that ends or is not ours."""
    links = [f"/proc/{pid}/{name}" for name in ("cwd", "root", "exe")]
    for folder in ("fd", "map_files"):
        try:
            links += [f"/proc/{pid}/{folder}/{name}" for name in os.listdir(f"/proc/{pid}/{folder}")]
        except OSError:
            continue
    held: list[str] = []
    for link in links:
        try:
            held.append(os.readlink(link))
        except OSError:
            continue
    return held


def _name_of(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "?"
