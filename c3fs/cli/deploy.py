"""`c3 deploy`: makes a job of a project and starts it.

Whatever can be refused is refused before anything is recorded: the `.c3` file, `.c3ignore`, the script, the refs, the
mount points. Refs are frozen, and the project folder is published; interrupted so far, there are blobs that nothing
names, and no job. Then, in this order: the job's directory with its lock, the record, the runner, which inherits the
lock. If we are killed in between, the lock is free and the job is found lost. The runner copies the project from what
was published: what is changed in the folder from here on is none of the job's.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import partial
from typing import Final

import click
import trio

from c3fs.agent.checks import check_refs, find_script, freeze_refs, resolve_mount_points
from c3fs.agent.report import frozen
from c3fs.agent.workspace import RUNNER_LOG, Workspace, create_workspace
from c3fs.cli import output
from c3fs.cli.balance import warn_if_over
from c3fs.cli.exits import run_async
from c3fs.cli.follow import follow_new
from c3fs.cli.ignore import Ignore
from c3fs.cli.plan import RUNNER, directory_at
from c3fs.cli.program import Command, json_option
from c3fs.cli.projectfile import load_spec
from c3fs.cli.settings import Settings, load_settings
from c3fs.cli.source import check_script, ignored_by, publish_source
from c3fs.cli.wiring import open_registry, reading
from c3fs.core.ids import new_job_id
from c3fs.core.job import JobState
from c3fs.core.jobspec import JobSpec, encode_job_spec
from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import KindError, NotFoundError
from c3fs.registry.base import Job, Registry

_SOMEWHERE: Final = "/var/lib/c3/jobs/job/work"
"""A working directory on a machine that nobody knows yet."""


@click.command("deploy", cls=Command)
@click.argument("path", default=".")
@click.option("-f", "--follow", "following", is_flag=True, help="Show the job's log until it ends.")
@json_option
def deploy(path: str, following: bool, as_json: bool) -> int:
    """Run the project in PATH as a job, and print the job's id.

    It runs on this machine; with a control plane (C3_API_ENDPOINT, or `c3 login`) it is queued there, for its agents.

    The project is the folder of the nearest .c3 file from PATH upwards. It is published as
    /projects/<project>/source, of which only what is new is uploaded, and the job gets a copy of that. Left out are
    .git, .venv, node_modules, __pycache__, the output directories, what `c3 pull` brought, and what .c3ignore beside
    .c3 says: patterns as in .gitignore, of which `!pattern` takes back one of those too. A .c3ignore in a
    sub-directory means nothing.

    Without -f the job runs on by itself. With -f its log is shown, and the exit code is 0 only if it SUCCEEDED;
    Ctrl-C leaves it running, and a second one within three seconds cancels it.

    \b
    A .c3 file:
        script: train.sh              # required
        job_name: train
        time: 01:30:00
        datasets:
          - ref: /projects/prepare/jobs/@last   # its last job that SUCCEEDED when this one is deployed
            mount: /data/preprocessed
        output: [checkpoints]         # collected besides $C3_ARTIFACTS_DIR

    \b
    Example: c3 deploy -f
    """
    settings = load_settings()
    spec = load_spec(path)
    job = run_async(partial(_deploy, settings, spec, told=following))
    if as_json:
        output.write_json({"id": job.id, "project": job.project, "name": job.name})
    else:
        output.write(f"{job.id}\n")
    output.flush()
    if not following:
        return 0
    return follow_new(settings, job, sys.stderr.fileno() if as_json else sys.stdout.fileno())


async def _deploy(settings: Settings, spec: JobSpec, *, told: bool) -> Job:
    """`told`: the log, which says what refs have come to, is going to be shown."""
    folder = os.path.dirname(spec.path)
    job_id = new_job_id(time.time_ns() // 1_000_000, secrets.randbelow)
    ignore = _check(settings, spec, folder, job_id)
    if spec.ignored:
        output.note(f"the local runner ignores {', '.join(spec.ignored)}")
    async with open_registry(settings) as registry:
        spec = await freeze_refs(spec, registry)
        warnings = await check_refs(spec, registry)
        await _check_sub_paths(settings, spec, registry)
        if not told:
            for line in (*frozen(spec), *(f"warning: {warning}" for warning in warnings)):
                output.note(line)
        source = await publish_source(settings, registry, spec.project, folder, ignore)
        warn_if_over(await registry.balance(lines=0))
        if settings.remote is not None:
            return await _queue(registry, spec, source, job_id)
        return await _begin(settings, registry, spec, source, job_id)


@trio.lowlevel.enable_ki_protection
async def _begin(settings: Settings, registry: Registry, spec: JobSpec, source: Ref, job_id: str) -> Job:
    """Record the job and start its runner; Ctrl-C comes before that or after."""
    workspace = create_workspace(settings.jobs_directory, job_id)
    job = _record(spec, source, job_id, workspace.directory)
    try:
        await registry.add_job(job)
    except BaseException:
        shutil.rmtree(workspace.directory, ignore_errors=True)
        raise
    _start(workspace, job.id)
    return job


async def _queue(registry: Registry, spec: JobSpec, source: Ref, job_id: str) -> Job:
    """Record the job for whichever agent takes it."""
    job = _record(spec, source, job_id, "")
    await registry.add_job(job)
    return job


def _check(settings: Settings, spec: JobSpec, folder: str, job_id: str) -> Ignore:
    """What this machine alone can tell; raises InvalidJobSpecError, InvalidIgnoreError."""
    ignore = ignored_by(spec, folder, settings)
    check_script(spec, find_script(spec, folder), ignore)
    if settings.remote is not None:
        spec.mount_points(_SOMEWHERE)  # where symlinks of its own lead, the agent's machine says
        return ignore
    workdir = f"{os.path.realpath(settings.jobs_directory)}/{job_id}/work"
    resolve_mount_points(spec, workdir, (settings.home, settings.cache_directory))
    return ignore


async def _check_sub_paths(settings: Settings, spec: JobSpec, registry: Registry) -> None:
    """A ref with a sub-path must name a directory; raises InvalidJobSpecError at its line."""
    deeper = [(dataset, parse_ref(dataset.ref)) for dataset in spec.datasets if parse_ref(dataset.ref).sub]
    if not deeper:
        return
    async with reading(settings.storage) as reader:
        for dataset, ref in deeper:
            try:
                await directory_at(reader.view(await registry.manifest(ref)).tree, ref.sub)
            except (NotFoundError, KindError) as error:
                raise spec.error(dataset, f"{ref.head}: {error}") from error


def _record(spec: JobSpec, source: Ref, job_id: str, directory: str) -> Job:
    return Job(
        id=job_id,
        project=spec.project,
        name=spec.name,
        state=JobState.PENDING,
        reason=None,
        exit_code=None,
        spec=encode_job_spec(spec),
        directory=directory,
        created=datetime.now(UTC),
        started=None,
        finished=None,
        inputs=tuple(dataset.ref for dataset in spec.datasets),
        source=str(source),
    )


def _start(workspace: Workspace, job_id: str) -> None:
    """A runner that outlives this process and its terminal; it holds the lock from now on, and we do not."""
    with open(os.path.join(workspace.directory, RUNNER_LOG), "ab") as log:
        runner = subprocess.Popen(
            [*RUNNER, job_id, str(workspace.lock_fd)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            pass_fds=(workspace.lock_fd,),
            start_new_session=True,
        )
    workspace.close()
    runner.returncode = 0  # it is not ours to wait for: subprocess would warn of it
