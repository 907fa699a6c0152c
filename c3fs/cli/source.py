"""Publishes a project folder as /projects/<project>/source, which its jobs are then made of."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Final

from c3fs.cli import output
from c3fs.cli.ignore import Ignore, load_ignore
from c3fs.cli.progress import progress
from c3fs.cli.settings import Settings
from c3fs.cli.wiring import open_store
from c3fs.core.jobspec import JobSpec
from c3fs.core.ref import Ref, parse_ref
from c3fs.core.sizes import format_size
from c3fs.errors import CollectError, FileChangedError
from c3fs.publish.publish import Published, PublishRequest, publish_outputs
from c3fs.registry.base import Registry

WORTH_TELLING: Final = 1 << 20
"""Bytes uploaded before it is said; less is there before anybody has read it."""
WARNINGS_SHOWN: Final = 10
"""Of those about a project; a folder full of sockets need not scroll the job's id away."""


def ignored_by(spec: JobSpec, folder: str, settings: Settings) -> Ignore:
    """What a job of the project does not get. Raises InvalidIgnoreError, and InvalidJobSpecError when the folder
    is one of c3's own."""
    own = (settings.home, settings.cache_directory)
    if os.path.realpath(folder) in map(os.path.realpath, own):
        raise spec.error(spec.script, "the project's folder is one of c3's own directories; move it to another")
    return load_ignore(folder, (output.path for output in spec.outputs), own)


def check_script(spec: JobSpec, script: str | None, ignore: Ignore) -> None:
    """Raises InvalidJobSpecError for a script, relative to the project, that the job would not get."""
    why = None if script is None else ignore.why(os.fsencode(script))
    if why is not None:
        raise spec.error(spec.script, f"script {script!r} {why}")


async def publish_source(settings: Settings, registry: Registry, project: str, folder: str, ignore: Ignore) -> Ref:
    """Upload what the store lacks of the folder, and register it: its frozen ref, that of an older version if that
    is the same tree. Says on stderr what was odd, and what was uploaded if that is much.

    Raises CollectError, and what store and registry raise. Cancelled, likewise: there is no new version then.
    """
    request = PublishRequest(
        ref=f"/projects/{project}/source",
        base=os.fsencode(folder) + b"/",  # whose last name may be a symlink
        outputs=(b".",),
        skip=ignore.skip,
    )
    try:
        async with open_store(settings.storage) as store:
            with progress("source", None) as advance:
                done = await publish_outputs(
                    request, store, registry, now=lambda: datetime.now(UTC), progress=lambda now: advance(now.read)
                )
    except CollectError as error:
        path = os.path.join(os.fsencode(folder), error.path)
        why = "keeps changing" if isinstance(error, FileChangedError) else error.why
        raise CollectError(path, f"{why}; what a job does not need can be named in .c3ignore") from error
    _tell(done)
    return parse_ref(done.manifest.ref)


def _tell(done: Published) -> None:
    for warning in done.warnings[:WARNINGS_SHOWN]:
        output.note(f"warning: {warning}")
    if len(done.warnings) > WARNINGS_SHOWN:
        output.note(f"and {len(done.warnings) - WARNINGS_SHOWN} more warnings")
    if done.uploaded_bytes >= WORTH_TELLING:
        root = done.manifest.root
        output.note(
            f"source: {output.counted(root.files, 'file')}, {format_size(root.bytes)}; "
            f"{format_size(done.uploaded_bytes)} uploaded as {done.manifest.ref}"
        )
