"""`c3 data cp`: from published trees onto the local disk, and from both into data sets, by cp's own rules."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

import click

from c3fs.cli import output, transfer
from c3fs.cli.complete import complete_path
from c3fs.cli.exits import UsageError, run_async
from c3fs.cli.into import copy_into, plan_into
from c3fs.cli.operands import LocalSource, RefSource, is_ref, parse_dataset_path, parse_source
from c3fs.cli.planned import Planned
from c3fs.cli.program import Command, json_option
from c3fs.cli.published import find
from c3fs.cli.settings import Settings, load_settings
from c3fs.cli.wiring import open_registry, reading
from c3fs.errors import DownloadError

Row = dict[str, object]


@click.command("cp", cls=Command)
@click.argument("sources", metavar="SRC...", nargs=-1, shell_complete=complete_path)
@click.argument("destination", metavar="DST", shell_complete=complete_path)
@click.option("--dry-run", is_flag=True, help="Only list what would be copied, as `SRC -> DST`, a file a line.")
@click.option("--force", is_flag=True, help="Onto the local disk: also what is there already, same size and time.")
@json_option
def cp(sources: tuple[str, ...], destination: str, dry_run: bool, force: bool, as_json: bool) -> None:
    """Copy files and directories from a ref, to a data set, or from one to the other.

    What begins with /jobs/, /projects/ or /datasets/ is a ref; a local path that does is written with two slashes
    (//jobs/x). Directories are copied with all that is in them, symlinks as they are. When DST is a directory the
    copy lands in it, as with cp; SRC/. copies what is in SRC; several SRC need a directory.

    Onto the local disk: what is there already, same size and time, is left alone; a file appears only when it is
    whole, so an interrupted copy goes on when it is run again.

    To a data set, /datasets/<name> or /projects/<p>/data/<name>: it gets a new version, whose ref is printed. A
    directory becomes the whole of it; a file, or what is copied to a sub-path, is added to the newest version (several
    SRC one after another, each a version). From a ref nothing is downloaded or uploaded.

    \b
    Examples: c3 data cp /jobs/job_1700000000000_abc123/artifacts/metrics.json .
              c3 data cp ./mnist /datasets/mnist
              c3 data cp labels.csv /datasets/mnist/train/
              c3 data cp /projects/demo/jobs/@last/checkpoints /datasets/base-model
    """
    if not sources:
        raise UsageError(f"missing DST: where {destination!r} is to go; see `c3 data cp --help`")
    planned = Planned(as_json=as_json) if dry_run else None
    if is_ref(destination):
        rows = _into(sources, destination, planned)
    else:
        rows = _onto_disk(sources, destination, force, planned)
    if planned is not None:
        planned.end()
    elif as_json:
        output.write_json(rows)
    elif is_ref(destination):
        for row in rows:
            output.write(output.shown(os.fsencode(str(row["path"]))) + "\n")


def _into(sources: Sequence[str], destination: str, planned: Planned | None) -> list[Row]:
    target = parse_dataset_path(destination)
    parsed = _parsed(sources)
    if planned is None:
        return run_async(lambda: copy_into(load_settings(), parsed, target))
    run_async(lambda: plan_into(load_settings(), parsed, target, planned))
    return []


def _onto_disk(sources: Sequence[str], destination: str, force: bool, planned: Planned | None) -> list[Row]:
    local = next((source for source in sources if not is_ref(source)), None)
    if local is not None:
        raise UsageError(
            f"{local!r} and {destination!r} are both local paths: c3 copies from a ref or to one "
            "(/jobs/…, /datasets/…, /projects/…); use cp"
        )
    if len(sources) > 1 and not os.path.isdir(destination):
        raise DownloadError(os.fsencode(destination), "not a directory, which several sources need")
    refs = [source for source in _parsed(sources) if isinstance(source, RefSource)]
    return run_async(lambda: _bring(load_settings(), refs, destination, force, planned))


def _parsed(sources: Sequence[str]) -> list[RefSource | LocalSource]:
    """Raises UsageError when one copy would overwrite another."""
    parsed = [parse_source(source) for source in sources]
    names = Counter(source.name for source in parsed if not source.contents)
    for name, count in names.items():
        if count > 1:
            raise UsageError(f"{output.quote(name)} is the name of {count} of the sources; copy them one by one")
    return parsed


async def _bring(
    settings: Settings, sources: Sequence[RefSource], destination: str, force: bool, planned: Planned | None
) -> list[Row]:
    """Onto the local disk; nothing is written before all sources are found."""
    async with open_registry(settings) as registry, reading(settings.storage) as reader:
        found = [await find(registry, reader, source) for source in sources]
        targets = [
            transfer.target_of(one.top, source.ref.last, destination, contents=source.contents)
            for one, source in zip(found, sources, strict=True)
        ]
        rows: list[Row] = []
        for source, one, (parent, name) in zip(sources, found, targets, strict=True):
            path = os.path.join(parent, name)
            transfer.tell_incomplete(one.manifest, source.shown)
            how = transfer.How(force)
            if planned is not None:
                how = transfer.How(force, dry_run=True, each=planned.below(os.fsencode(source.shown), path))
            done = await transfer.copy(one.view, one.top, parent, name, how)
            transfer.report(done, path, dry_run=planned is not None)
            rows.append(
                {
                    "source": source.shown,
                    "path": os.fsdecode(path),
                    "files": done.files,
                    "bytes": done.bytes,
                    "intact": done.intact,
                }
            )
        return rows
