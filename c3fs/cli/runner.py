"""The process that runs one job: `python -m c3fs.cli.runner JOB LOCK_FD`.

`c3 deploy` starts it in a session of its own, with the lock of the job's directory already taken: from the moment
the job is recorded until this process ends, however it ends, somebody holds that lock (`agent.workspace`).
SIGTERM cancels the job, as a request in its record does.
"""

from __future__ import annotations

import os
import sys
from functools import partial

import trio

from c3fs.agent.run import Machine, run_job
from c3fs.agent.workspace import Workspace
from c3fs.cli.canceling import cancel_on_request, cancel_on_signal
from c3fs.cli.checkout import checkout_from
from c3fs.cli.exits import Invocation, guard, run_async
from c3fs.cli.plan import SANDBOX, MountPlan, Plans, encode_plans
from c3fs.cli.publishing import publisher
from c3fs.cli.settings import Settings, load_settings, script_environment
from c3fs.cli.wiring import open_registry
from c3fs.core.jobspec import decode_job_spec
from c3fs.core.ref import parse_ref
from c3fs.errors import JobNotFinishedError, NotFoundError
from c3fs.registry.base import Job, Registry


async def run(settings: Settings, job_id: str, lock: int) -> None:
    """Run the job to its final state, which is recorded when this returns."""
    async with open_registry(settings, sweep=False) as registry:
        job = await registry.job(job_id)
        workspace = Workspace(job.directory, lock)
        cancel = trio.Event()
        async with trio.open_nursery() as nursery:
            await nursery.start(cancel_on_signal, cancel, workspace.log)
            nursery.start_soon(cancel_on_request, registry, job_id, cancel, workspace.log)
            await run_job(
                job_id,
                registry=registry,
                checkout=checkout_from(settings, registry, workspace.log),
                publish=publisher(settings, registry, workspace.log),
                workspace=workspace,
                machine=Machine(
                    sandbox_argv=[*SANDBOX, await _write_plans(settings, registry, job)],
                    environment=script_environment(),
                    reserved=(settings.home, settings.cache_directory),
                ),
                cancel=cancel,
            )
            nursery.cancel_scope.cancel()


async def _write_plans(settings: Settings, registry: Registry, job: Job) -> str:
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
    return _keep(plans, job.directory)


def _keep(plans: Plans, directory: str) -> str:
    path = os.path.join(directory, "mounts")
    with open(path, "wb") as file:
        file.write(encode_plans(plans))
    return path


def main() -> None:
    job_id, lock = sys.argv[1], int(sys.argv[2])
    sys.exit(guard(Invocation("c3", verbose=True), lambda: run_async(partial(run, load_settings(), job_id, lock))))


if __name__ == "__main__":
    main()
