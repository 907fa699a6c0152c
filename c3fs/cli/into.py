"""Copies into a data set, from the local disk and from what is published: what is told of them, and in which order."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from c3fs.cli import output
from c3fs.cli.copying import Copying, RefCopying, Stage, local_copying
from c3fs.cli.landing import Newest, paths_of
from c3fs.cli.operands import DatasetPath, LocalSource, RefSource
from c3fs.cli.planned import Planned
from c3fs.cli.published import find
from c3fs.cli.settings import Settings
from c3fs.cli.wiring import open_registry, open_store, reading
from c3fs.core.sizes import format_size
from c3fs.data.copy import Copied, Target
from c3fs.errors import RefNotFoundError

WARNINGS_SHOWN = 10
"""Of one source; a folder full of sockets need not scroll the ref away."""

Path = tuple[bytes, ...]


async def copy_into(
    settings: Settings, sources: Sequence[RefSource | LocalSource], target: DatasetPath
) -> list[dict[str, object]]:
    """What was done, a row a source with its path in the last version; each is said on stderr when it is done.

    All sources and where they go are looked at first; raises what that may, and what copying may. Who comes later than
    a failure is not copied.
    """
    async with _open_stage(settings) as stage:
        copyings = [await _copying(stage, source) for source in sources]
        paths = await paths_of([one.thing for one in copyings], target, await _newest(stage, target))
        done: list[Copied] = []
        for copying, path in zip(copyings, paths, strict=True):
            copied = await copying.send(Target(target.ref, path), stage)
            _tell(copying, copied, path, several=len(copyings) > 1)
            done.append(copied)
    last = done[-1].registration.manifest.ref
    return [_row(*one, last) for one in zip(copyings, paths, done, strict=True)]


async def plan_into(
    settings: Settings, sources: Sequence[RefSource | LocalSource], target: DatasetPath, planned: Planned
) -> None:
    """Tell what `copy_into` would copy; raises what looking at it may."""
    async with _open_stage(settings) as stage:
        copyings = [await _copying(stage, source) for source in sources]
        paths = await paths_of([one.thing for one in copyings], target, await _newest(stage, target))
        for copying, path in zip(copyings, paths, strict=True):
            top = _joined(str(target.ref), path)
            await copying.plan(os.fsencode(top), planned)
    files = sum(one.totals.files for one in copyings)
    size = sum(one.totals.bytes for one in copyings)
    output.note(f"{_quoted(target.text)}: {output.counted(files, 'file')}, {format_size(size)} to copy")


@asynccontextmanager
async def _open_stage(settings: Settings) -> AsyncGenerator[Stage]:
    storage = settings.storage
    async with open_registry(settings) as registry, reading(storage) as reader, open_store(storage) as store:
        yield Stage(registry, reader, store)


async def _copying(stage: Stage, source: RefSource | LocalSource) -> Copying:
    if isinstance(source, LocalSource):
        return await local_copying(source)
    return RefCopying(source, await find(stage.registry, stage.reader, source))


async def _newest(stage: Stage, target: DatasetPath) -> Newest | None:
    try:
        manifest = await stage.registry.manifest(target.ref)
    except RefNotFoundError:
        return None
    return Newest(manifest, stage.reader.view(manifest).tree)


def _tell(copying: Copying, copied: Copied, path: Path, *, several: bool) -> None:
    for warning in copied.warnings[:WARNINGS_SHOWN]:
        output.note(f"warning: {warning}")
    if len(copied.warnings) > WARNINGS_SHOWN:
        output.note(f"and {len(copied.warnings) - WARNINGS_SHOWN} more warnings")
    ref = _quoted(_joined(copied.registration.manifest.ref, path))
    if not copied.registration.created:
        done = f"nothing changed: it is {ref}"
    else:
        totals, uploaded = copying.totals, format_size(copied.uploaded_bytes)
        done = f"{output.counted(totals.files, 'file')}, {format_size(totals.bytes)}; {uploaded} uploaded"
    output.note(f"{_quoted(copying.shown)}: {done}" if several else done)


def _row(copying: Copying, path: Path, copied: Copied, last: str) -> dict[str, object]:
    files, size = copying.totals
    return {
        "source": copying.shown,
        "path": _joined(last, path),
        "files": files,
        "bytes": size,
        "uploaded": copied.uploaded_bytes,
        "created": copied.registration.created,
    }


def _joined(ref: str, path: Path) -> str:
    return "/".join([ref, *map(os.fsdecode, path)])


def _quoted(text: str) -> str:
    return output.quote(os.fsencode(text))
