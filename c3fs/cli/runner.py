"""The process that runs one job: `python -m c3fs.cli.runner JOB LOCK_FD [ASSIGNMENT_FD]`.

`c3 deploy` starts it in a session of its own, with the lock of the job's directory already taken: from the moment
the job is recorded until this process ends, however it ends, somebody holds that lock (`agent.workspace`). `c3fs
agent` starts it likewise for a job that it has taken from a queue, and hands over what lets it act for that job
(`assignment`). SIGTERM cancels the job, as a request in its record does.
"""

from __future__ import annotations

import os
import sys
from contextlib import AsyncExitStack
from functools import partial

import trio

from c3fs.agent.lease import keep_lease
from c3fs.agent.plane import HttpJob
from c3fs.agent.run import Machine, run_job
from c3fs.agent.shipping import LogShipper
from c3fs.agent.workspace import Workspace, job_directory
from c3fs.api.client import open_client
from c3fs.cli.assignment import Assignment
from c3fs.cli.canceling import cancel_on_request, cancel_on_signal
from c3fs.cli.checkout import checkout_from
from c3fs.cli.exits import Invocation, guard, run_async
from c3fs.cli.plan import SANDBOX, MountPlan, Plans, encode_plans
from c3fs.cli.publishing import publisher
from c3fs.cli.settings import Settings, load_settings, script_environment
from c3fs.cli.wiring import PATIENCE, open_registry
from c3fs.core.jobspec import decode_job_spec
from c3fs.core.ref import parse_ref
from c3fs.errors import AccessError, JobNotFinishedError, NotFoundError
from c3fs.registry.base import Job, Registry


async def run(settings: Settings, job_id: str, lock: int, assignment: Assignment | None) -> None:
    """Run the job to its final state, which is recorded when this returns."""
    async with open_registry(settings, sweep=False, patience=PATIENCE) as registry:
        job = await registry.job(job_id)
        directory = job.directory or job_directory(settings.jobs_directory, job_id)
        workspace = Workspace(directory, lock)
        cancel = trio.Event()
        async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
            await nursery.start(cancel_on_signal, cancel, workspace.log)
            on_told = trio.lowlevel.checkpoint
            if assignment is None:
                nursery.start_soon(cancel_on_request, registry, job_id, cancel, workspace.log)
            else:
                client = await stack.enter_async_context(open_client(assignment.remote))
                ours = HttpJob(client, job_id, assignment.attempt)
                shipper = LogShipper(workspace.log_path, ours.append)
                nursery.start_soon(keep_lease, ours.renew, cancel, workspace.log)
                nursery.start_soon(shipper.run)
                on_told = shipper.finish
            await run_job(
                job_id,
                registry=registry,
                checkout=checkout_from(settings, registry, workspace.log),
                publish=publisher(settings, registry, workspace.log),
                workspace=workspace,
                machine=Machine(
                    sandbox_argv=[*SANDBOX, await _write_plans(settings, registry, job, directory)],
                    environment=script_environment(None if assignment is None else assignment.remote),
                    reserved=(settings.home, settings.cache_directory),
                ),
                cancel=cancel,
                on_told=on_told,
            )
            nursery.cancel_scope.cancel()


async def _write_plans(settings: Settings, registry: Registry, job: Job, directory: str) -> str:
    """The file that tells the sandbox, which knows no registry, how to serve each ref."""
    plans: Plans = {}
    for dataset in decode_job_spec(job.spec).datasets:
        ref = parse_ref(dataset.ref)
        try:
            manifest = await registry.manifest(ref)
        except (NotFoundError, JobNotFinishedError):
            continue  # it was there at deploy; run_job asks again, and says so in the log
        plans[dataset.ref] = MountPlan(
            manifest=manifest.encode(),
            sub=ref.sub,
            mountpoint=b"",
            source=os.fsencode(dataset.ref),
            storage=settings.storage,
        )
    return _keep(plans, directory)


def _keep(plans: Plans, directory: str) -> str:
    """Nobody else may read it: there may be a token in it."""
    path = os.path.join(directory, "mounts")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(encode_plans(plans))
    return path


def _main(job_id: str, lock: int, told: int | None) -> None:
    assignment = None if told is None else Assignment.from_file(told)
    settings = load_settings(None if assignment is None else assignment.remote)
    try:
        run_async(partial(run, settings, job_id, lock, assignment))
    except AccessError:
        if assignment is None:
            raise
        # Its token has ended with the job, which somebody else has ended; the log says so.


def main() -> None:
    job_id, lock, *told = sys.argv[1:]
    sys.exit(guard(Invocation("c3", verbose=True), lambda: _main(job_id, int(lock), int(told[0]) if told else None)))


if __name__ == "__main__":
    main()
