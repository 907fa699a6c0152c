"""`c3fs mount`: a published tree, or a directory of one, as a read-only directory of this machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager

import click

from c3fs.cli import launch
from c3fs.cli.complete import complete_ref
from c3fs.cli.exits import Invocation, run_async
from c3fs.cli.mountstate import state_of
from c3fs.cli.output import note
from c3fs.cli.plan import MountPlan, directory_at
from c3fs.cli.program import Command
from c3fs.cli.settings import Settings, load_settings
from c3fs.cli.wiring import open_registry, reading
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import MountError
from c3fs.fuse.mounts import FSTYPE, clear_dead_mount, find_mount


@click.command("mount", cls=Command)
@click.argument("ref", shell_complete=complete_ref)
@click.argument("mountpoint")
@click.option("--foreground", is_flag=True, help="Serve in this process, until Ctrl-C or SIGTERM unmounts.")
@click.option("--allow-other", is_flag=True, help="Let other users read the mount too.")
@click.pass_obj
def mount(invocation: Invocation, ref: str, mountpoint: str, foreground: bool, allow_other: bool) -> None:
    """Mount REF at MOUNTPOINT, an existing directory, read-only.

    Returns when the mount is live; exit code 0 says that it is. A REF with a sub-path mounts that directory
    alone; one that reads @last or @latest mounts what that is now, for ever. `c3fs umount MOUNTPOINT` ends it.

    \b
    Example: c3fs mount /jobs/job_1700000000000_abc123 /mnt/model
    """
    asked = parse_ref(ref)
    settings = load_settings()
    frozen, manifest = run_async(lambda: _resolve(settings, asked))
    if not asked.frozen:
        note(f"{asked.head} is {frozen.head}", "c3fs")
    target = os.path.realpath(mountpoint)
    log = os.path.join(settings.logs_directory, launch.log_name(target))
    with _alone(log, target):
        _check_mountpoint(target)
        plan = MountPlan(
            manifest=manifest.encode(),
            sub=frozen.sub,
            mountpoint=os.fsencode(target),
            source=os.fsencode(str(frozen)),
            storage=settings.storage,
            allow_other=allow_other,
            log=None if foreground else os.fsencode(log),
            verbose=invocation.verbose or not foreground,
        )
        if foreground:
            launch.become(plan)
        launch.start(plan, log)


async def _resolve(settings: Settings, ref: Ref) -> tuple[Ref, Manifest]:
    """The frozen ref and its manifest, once it is sure that it can be mounted."""
    async with open_registry(settings) as registry:
        frozen = await registry.resolve(ref)
        manifest = await registry.manifest(frozen)
    if ref.sub:
        async with reading(settings.storage) as reader:
            await directory_at(reader.view(manifest).tree, ref.sub)
    if not manifest.complete:
        note(f"{ref.head} is incomplete: its job did not succeed, and some files were not collected", "c3fs")
    return frozen, manifest


@contextmanager
def _alone(log: str, target: str) -> Generator[None]:
    """One `c3fs mount` at a time for a mountpoint: two would mount over each other."""
    descriptor = os.open(log, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise MountError(f"{target}: another `c3fs mount` is under way there") from None
    finally:
        os.close(descriptor)


def _check_mountpoint(target: str) -> None:
    """Raises MountError. What a killed mount left there is cleared."""
    record = find_mount(target)
    if record is not None and record.fstype == FSTYPE:
        if run_async(lambda: state_of(record)) == "dead":
            clear_dead_mount(target)
            note(f"{target}: unmounted what a killed c3fs had left there", "c3fs")
            return _check_mountpoint(target)
        raise MountError(f"{target}: {record.source} is mounted there; `c3fs umount {target}` ends that")
    try:
        names = os.listdir(target)
    except FileNotFoundError:
        raise MountError(f"{target}: no such directory; make it first (mkdir -p {target})") from None
    except OSError as error:
        raise MountError(f"{target}: {error.strerror}") from error
    if names:
        note(f"{target} is not empty: the mount hides what is in it", "c3fs")
    return None
