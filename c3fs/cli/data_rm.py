"""`c3 data rm`: deletes published trees. Their blobs go with the next `c3fs gc`, if nothing else names them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from c3fs.cli import output
from c3fs.cli.complete import complete_ref
from c3fs.cli.exits import DIFFERENT, OK, UsageError, run_async
from c3fs.cli.launch import log_name
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import load_settings
from c3fs.cli.trees import versions_of
from c3fs.cli.wiring import open_registry
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref, parse_ref
from c3fs.core.sizes import format_size
from c3fs.errors import ConflictError
from c3fs.fuse.mounts import FSTYPE, list_mounts
from c3fs.registry.base import Registry


@click.command("rm", cls=Command)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, shell_complete=complete_ref)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also what is mounted by hand on this machine.")
@json_option
def rm(paths: tuple[str, ...], yes: bool, force: bool, as_json: bool) -> int:
    """Delete the artifacts of a job, a version of a data set, or a whole data set; all PATHs or none.

    The job's record and log stay, and a version's number is never used again. Refused while a job that has not ended
    mounts it. The account gets back at once what no other tree names; `c3fs gc` frees it on the disk.

    \b
    Example: c3 data rm /jobs/job_1700000000000_abc123
             c3 data rm -y /datasets/glove/@v2
    """
    asked = [_parsed(path) for path in paths]
    settings = load_settings()
    if not yes and not sys.stdin.isatty():
        raise UsageError("rm asks before it deletes, and there is no terminal to ask on; -y says yes")

    async def look() -> tuple[dict[str, Manifest], int]:
        async with open_registry(settings) as registry:
            found = await _found(registry, asked)
            usage = await registry.usage([parse_ref(ref) for ref in found])
            return found, usage.unique

    found, unique = run_async(look)
    if not force:
        _refuse_mounted(found, settings.logs_directory)
    if not yes and not _confirmed(found, unique):
        output.note("nothing deleted")
        return DIFFERENT

    async def remove() -> int:
        async with open_registry(settings) as registry:
            return await registry.remove([parse_ref(ref) for ref in found])

    freed = run_async(remove)
    if as_json:
        output.write_json({"removed": list(found), "freed": freed})
    else:
        for ref in found:
            output.write(f"{ref}\n")
    output.flush()
    output.note(f"deleted; {format_size(freed)} given back, and freed on the disk by the next `c3fs gc`")
    return OK


def _parsed(path: str) -> Ref:
    ref = parse_ref(path)
    if ref.sub:
        raise UsageError(f"{path}: a published tree never changes; rm deletes all of {ref.head}, or nothing")
    return ref


async def _found(registry: Registry, asked: Sequence[Ref]) -> dict[str, Manifest]:
    """By frozen ref, each once."""
    found: dict[str, Manifest] = {}
    for ref in asked:
        for manifest in await versions_of(registry, ref):
            frozen = await registry.resolve(parse_ref(manifest.ref))
            found[str(frozen)] = manifest
    return found


def _refuse_mounted(found: dict[str, Manifest], logs: str) -> None:
    """Who reads a mount while its blobs are deleted gets errors. Raises MountedError.

    Refs of another home, whose mounts have their logs elsewhere, are other trees.
    """
    for record in list_mounts():
        if record.fstype != FSTYPE or not os.path.exists(os.path.join(logs, log_name(record.mountpoint))):
            continue
        for ref in found:
            if record.source == ref or record.source.startswith(f"{ref}/"):
                raise MountedError(ref, record.mountpoint)


class MountedError(ConflictError):
    """A mount by hand shows what is to be deleted."""

    def __init__(self, ref: str, mountpoint: str) -> None:
        super().__init__(f"{ref} is mounted at {mountpoint}; `c3fs umount {mountpoint}`, or --force")
        self.ref = ref
        self.mountpoint = mountpoint


def _confirmed(found: dict[str, Manifest], unique: int) -> bool:
    for ref, manifest in found.items():
        root = manifest.root
        output.note(f"{ref}: {output.counted(root.files, 'file')}, {format_size(root.bytes)}")
    what = "this tree" if len(found) == 1 else f"these {len(found)} trees"
    return click.confirm(f"Delete {what}, giving back {format_size(unique)}?", err=True)
