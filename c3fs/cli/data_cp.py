"""`c3 data cp`: a file or a directory of a published tree onto the local disk, by cp's own rules."""

from __future__ import annotations

import os

import click

from c3fs.cli import transfer
from c3fs.cli.exits import UsageError, run_async
from c3fs.cli.program import Command
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import View, open_registry, reading
from c3fs.core.directory import Directory
from c3fs.core.ref import parse_ref
from c3fs.data.download import Downloaded
from c3fs.errors import NotDirectoryError
from c3fs.vfs.tree import DirectoryFacts, Found


@click.command("cp", cls=Command)
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option("--force", is_flag=True, help="Also copy what is there already with the same size and time.")
def cp(source: str, destination: str, force: bool) -> None:
    """Copy SRC, a ref with or without a sub-path, to the local path DST.

    Directories are copied with all that is in them. When DST is a directory the copy lands in it, as with cp;
    SRC/. copies what is in SRC. What is there already, same size and time, is left alone; a file appears only
    when it is whole, so an interrupted copy goes on when it is run again.

    \b
    Examples: c3 data cp /jobs/job_1700000000000_abc123/artifacts/metrics.json .
              c3 data cp /jobs/job_1700000000000_abc123/checkpoints ./checkpoints
    """
    if not source.startswith("/"):
        raise UsageError(f"{source!r} is not a ref: cp copies from a ref (/jobs/<id>/…) to a local path")
    contents = source.endswith("/.")
    must_be_directory = contents or source.endswith("/")
    ref = parse_ref(source.removesuffix("."))

    async def main() -> None:
        settings = load_settings()
        async with open_registry(settings) as registry:
            manifest = await registry.manifest(ref)
        async with reading(settings.storage) as reader:
            view = reader.view(manifest)
            found = await view.tree.resolve(ref.sub)
            if must_be_directory and isinstance(found, Found) and not isinstance(found.entry, Directory):
                raise NotDirectoryError(os.fsencode(source))
            parent, name = transfer.target_of(found, ref.last, destination, contents=contents)
            done = await _copy(view, found, parent, name, force=force)
            transfer.report(done, os.path.join(parent, name))

    run_async(main)


async def _copy(view: View, found: Found | DirectoryFacts, parent: bytes, name: bytes, *, force: bool) -> Downloaded:
    path = os.path.join(parent, name)
    if isinstance(found, DirectoryFacts):
        return await transfer.copy_directory(view, found, path, force=force)
    if isinstance(found.entry, Directory):
        return await transfer.copy_directory(view, found.facts(), path, force=force)
    return await transfer.copy_entry(view, found, parent, name, force=force)
