"""`c3 pull`: the artifacts of a job, or of all finished jobs of a project, into folders named after the jobs."""

from __future__ import annotations

import os

import click

from c3fs.cli import output, transfer
from c3fs.cli.exits import UsageError, run_async
from c3fs.cli.program import Command, json_option
from c3fs.cli.projectfile import find_project
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import Reading, open_registry, reading
from c3fs.core.ids import is_job_id
from c3fs.core.job import FINAL
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref
from c3fs.errors import DownloadError, NotFoundError
from c3fs.registry.base import Registry


@click.command("pull", cls=Command)
@click.argument("job_id", metavar="[JOB]", required=False)
@click.option("-o", "folder", default=".", show_default=True, help="Where it goes; made if missing.")
@click.option("--force", is_flag=True, help="Also copy what is there already with the same size and time.")
@json_option
def pull(job_id: str | None, folder: str, force: bool, as_json: bool) -> None:
    """Copy the artifacts of JOB into ./<job id>/.

    Without JOB: of all finished jobs of the project of the .c3 file found from here upwards, or of all projects
    where there is none. What is there already and intact is not copied again.

    \b
    Example: c3 pull job_1700000000000_abc123 -o results
    """
    if job_id is not None and not is_job_id(job_id):
        raise UsageError(f"{job_id!r} is not a job id (job_<milliseconds>_<6 characters>); `c3 squeue` lists them")

    async def main() -> list[dict[str, str]]:
        settings = load_settings()
        async with open_registry(settings) as registry:
            manifests = await _manifests(registry, job_id)
        _make(folder)
        async with reading(settings.storage) as reader:
            return [await _pull(reader, manifest, folder, force=force) for manifest in manifests]

    pulled = run_async(main)
    if as_json:
        output.write_json({"jobs": pulled})
        return
    for one in pulled:
        output.write(one["directory"] + "\n")


async def _manifests(registry: Registry, job_id: str | None) -> list[Manifest]:
    """What to pull, the oldest first; raises what looking for a named job may."""
    if job_id is not None:
        await registry.job(job_id)
        return [await registry.manifest(Ref("job", job_id))]
    project = find_project(os.getcwd())
    found: list[Manifest] = []
    for job in reversed(await registry.jobs(project=project)):
        if job.state not in FINAL:
            continue
        try:
            found.append(await registry.manifest(Ref("job", job.id)))
        except NotFoundError:
            continue  # it failed before there was anything to collect
    if not found:
        output.note(f"nothing to pull: no finished job{'' if project is None else f' of project {project}'}")
    return found


async def _pull(reader: Reading, manifest: Manifest, folder: str, *, force: bool) -> dict[str, str]:
    job_id = manifest.ref.rsplit("/", 1)[-1]
    directory = f"{folder}/{job_id}".removeprefix("./")
    view = reader.view(manifest)
    done = await transfer.copy_directory(view, view.tree.root, os.fsencode(directory), force=force)
    if done.intact and not done.files:
        output.note(f"{directory}: pulled before and intact ({output.counted(done.intact, 'file')}); skipped")
    else:
        transfer.report(done, os.fsencode(directory))
    if not manifest.complete:
        output.note(f"{directory}: incomplete, its job did not succeed; some files were not collected")
    return {"job_id": job_id, "directory": directory}


def _make(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise DownloadError(os.fsencode(folder), error.strerror or "cannot be made") from error
