"""`c3 data log`: the versions of a data set, of a project's source, or the one tree of a job."""

from __future__ import annotations

import click

from c3fs.cli import output
from c3fs.cli.complete import complete_ref
from c3fs.cli.exits import run_async
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import load_settings
from c3fs.cli.trees import versions_of
from c3fs.cli.wiring import open_registry
from c3fs.core.manifest import Manifest
from c3fs.core.ref import parse_ref
from c3fs.core.sizes import format_size


@click.command("log", cls=Command)
@click.argument("path", shell_complete=complete_ref)
@json_option
def log(path: str, as_json: bool) -> None:
    """List the versions of the data set, source or job at PATH, the newest first.

    Numbers that are missing belong to versions that were deleted.

    \b
    Example: c3 data log /datasets/glove
             c3 data log /projects/mnist/source
    """
    ref = parse_ref(path).without_sub()

    async def main() -> list[Manifest]:
        async with open_registry(load_settings()) as registry:
            return await versions_of(registry, ref)

    versions = run_async(main)
    if as_json:
        output.write_json([_to_json(manifest) for manifest in versions])
        return
    headers = ("VERSION", "CREATED", "FILES", "SIZE", "REF")
    output.table(headers, [_cells(manifest) for manifest in versions], right=("FILES", "SIZE"))


def _to_json(manifest: Manifest) -> dict[str, object]:
    root = manifest.root
    return {
        "ref": manifest.ref,
        "version": parse_ref(manifest.ref).version,
        "created": manifest.created,
        "files": root.files,
        "bytes": root.bytes,
        "complete": manifest.complete,
    }


def _cells(manifest: Manifest) -> tuple[str, ...]:
    root = manifest.root
    version = parse_ref(manifest.ref).version or "-"
    remark = "" if manifest.complete else "  (incomplete)"
    created = output.local(output.parse_iso(manifest.created))
    return version, created, str(root.files), format_size(root.bytes), manifest.ref + remark
