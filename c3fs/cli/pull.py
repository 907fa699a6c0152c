"""`c3 pull`: the artifacts of a job, or of all jobs of a project that succeeded, into folders named after the jobs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import click

from c3fs.cli import output, transfer
from c3fs.cli.complete import complete_job
from c3fs.cli.exits import run_async
from c3fs.cli.jobref import check_job, find_job
from c3fs.cli.program import Command, json_option
from c3fs.cli.projectfile import find_project
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import Reading, open_registry, reading
from c3fs.core.job import FINAL, JobState
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref
from c3fs.errors import DownloadError
from c3fs.registry.base import Job, Registry

_NAMED: Final = 3
"""Jobs named in a line about those that are skipped."""


@click.command("pull", cls=Command)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=complete_job)
@click.option("-o", "folder", metavar="DIR", default=".", show_default=True, help="Where it goes; made if missing.")
@click.option("--force", is_flag=True, help="Also copy what is there already with the same size and time.")
@json_option
def pull(job: str | None, folder: str, force: bool, as_json: bool) -> None:
    """Copy the artifacts of JOB into ./<job id>/.

    Without JOB: of all jobs that SUCCEEDED of the project of the .c3 file found from here upwards, or of all projects
    where there is none; name a job to get what is there of one that did not. What is there already and intact is
    not copied again.

    \b
    Examples: c3 pull
              c3 pull job_1700000000000_abc123 -o results
    """
    if job is not None:
        check_job(job)

    async def main() -> list[dict[str, str]]:
        settings = load_settings()
        async with open_registry(settings) as registry:
            manifests = await (_of_project(registry) if job is None else _of_job(registry, job))
        _make(folder)
        async with reading(settings.storage) as reader:
            return [await _pull(reader, manifest, folder, force=force) for manifest in manifests]

    pulled = run_async(main)
    if as_json:
        output.write_json({"jobs": pulled})
        return
    for one in pulled:
        output.write(one["directory"] + "\n")


async def _of_job(registry: Registry, text: str) -> list[Manifest]:
    """Raises what looking for it may, RefNotFoundError when its artifacts were deleted."""
    job = await find_job(registry, text)
    return [await registry.manifest(Ref("job", job.id))]


async def _of_project(registry: Registry) -> list[Manifest]:
    """The oldest first; says what is left out."""
    project = find_project(os.getcwd())
    manifests = await registry.artifacts(project=project)
    jobs = list(reversed(await registry.jobs(project=project)))
    succeeded = [job for job in jobs if job.state is JobState.SUCCEEDED]
    found = [manifests[job.id] for job in succeeded if job.id in manifests]
    _say([job for job in succeeded if job.id not in manifests], "no artifacts any more")
    unlucky = [
        job for job in jobs if job.state in FINAL and job.state is not JobState.SUCCEEDED and job.id in manifests
    ]
    _say(unlucky, "did not succeed; `c3 pull JOB` brings what is there")
    _say([job for job in jobs if job.state not in FINAL], "not finished")
    if not found:
        whose = "" if project is None else f" of project {project}"
        output.note(f"nothing to pull: no job{whose} has succeeded and left artifacts")
    return found


def _say(skipped: Sequence[Job], why: str) -> None:
    if skipped:
        some = ", ".join(f"{job.id} ({job.state})" for job in skipped[-_NAMED:])
        more = f" and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
        output.note(f"skipped {some}{more}: {why}")


async def _pull(reader: Reading, manifest: Manifest, folder: str, *, force: bool) -> dict[str, str]:
    job_id = manifest.ref.rsplit("/", 1)[-1]
    directory = os.path.join(folder, job_id).removeprefix("./")
    view = reader.view(manifest)
    done = await transfer.copy_directory(view, view.tree.root, os.fsencode(directory), transfer.How(force))
    if done.intact and not done.files:
        output.note(f"{directory}: pulled before and intact ({output.counted(done.intact, 'file')}); skipped")
    else:
        transfer.report(done, os.fsencode(directory))
    transfer.tell_incomplete(manifest, directory)
    return {"job_id": job_id, "directory": directory}


def _make(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise DownloadError(os.fsencode(folder), error.strerror or "cannot be made") from error
