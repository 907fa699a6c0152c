"""`c3fs manifest`: the record of one published tree, as it is kept."""

from __future__ import annotations

import json

import click

from c3fs.cli import output
from c3fs.cli.complete import complete_ref
from c3fs.cli.exits import run_async
from c3fs.cli.program import Command
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import open_registry, reading
from c3fs.core.digest import Digest
from c3fs.core.manifest import Manifest, decode_inventory
from c3fs.core.ref import parse_ref
from c3fs.fetch.fetcher import Fetcher


@click.command("manifest", cls=Command)
@click.argument("ref", shell_complete=complete_ref)
@click.option("--inventory", is_flag=True, help="List the blobs instead: digest and size, a blob a line.")
def manifest(ref: str, inventory: bool) -> None:
    """Print the manifest of REF as JSON; a sub-path makes no difference.

    \b
    Example: c3fs manifest /jobs/job_1700000000000_abc123 --inventory
    """
    parsed = parse_ref(ref)
    settings = load_settings()

    async def main() -> None:
        async with open_registry(settings) as registry:
            found = await registry.manifest(parsed)
        if not inventory:
            output.write(json.dumps(json.loads(found.encode()), indent=2) + "\n")
            return
        async with reading(settings.storage) as reader:
            await _print_inventory(reader.fetcher, found)

    run_async(main)


async def _print_inventory(fetcher: Fetcher, found: Manifest) -> None:
    """What the inventory lists, then the parts of the inventory itself."""
    for part in found.inventory.parts:
        for digest, size in decode_inventory(await fetcher.blob(Digest.parse(part.blob))):
            output.write(f"{digest} {size}\n")
    for part in found.inventory.parts:
        output.write(f"{part.blob} {part.size}\n")
