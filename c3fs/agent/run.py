"""Runs one job from its record to its final state."""

from __future__ import annotations

import os
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar, cast

import trio

from c3fs.agent import report
from c3fs.agent.checkout import Checkout
from c3fs.agent.checks import check_refs, find_script, resolve_mount_points
from c3fs.agent.launch import GRACE, MOUNT_TIMEOUT, Launch, run_sandbox
from c3fs.agent.outcome import Outcome, Upload, decide, ran, succeeded
from c3fs.agent.protocol import End, SandboxMount, SandboxResult
from c3fs.agent.publication import Publish, PublishRequest
from c3fs.agent.workspace import Workspace
from c3fs.core.job import JobState, Reason
from c3fs.core.jobspec import JobSpec, decode_job_spec
from c3fs.core.ref import Ref
from c3fs.errors import C3Error, IllegalTransitionError, StoreRefusedError, StoreUnavailableError
from c3fs.registry.base import Job, Registry

T = TypeVar("T")

RECORD_TIMEOUT: Final = 60.0
"""Seconds in which the registry must take the final state; if it does not, the job is AGENT_LOST to others."""
RETRY_PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Machine:
    """What the agent gives to every job. `sandbox_argv` starts the program that calls `sandbox.main`;
    `environment` is what scripts get, besides C3_…; no mount may hide one of the `reserved` directories."""

    sandbox_argv: Sequence[str]
    environment: Mapping[bytes, bytes]
    reserved: tuple[str, ...] = ()
    grace: float = GRACE
    mount_timeout: float = MOUNT_TIMEOUT


async def run_job(
    job_id: str,
    *,
    registry: Registry,
    checkout: Checkout,
    publish: Publish,
    workspace: Workspace,
    machine: Machine,
    cancel: trio.Event,
    on_told: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
) -> Job:
    """Run the job `job_id`, PENDING or taken from a queue, in `workspace`, which is locked; return its final record.

    The job ends in a final state whatever happens; the job log says how it came to it. Setting `cancel` ends it: the
    checkout of its project, the script while it runs, the upload after that. Cancelling this call kills what runs and
    makes the job CANCELED. Raises what the registry raises when it does not take the final state (the job is then
    `abandoned`). `on_told` is awaited when the log has said everything, and only the record's state is to change.
    """
    run = _Run(job_id, registry, checkout, publish, workspace, machine, cancel)
    job = await registry.job(job_id)
    if job.state is JobState.PENDING:
        try:
            job = await registry.move_job(job_id, JobState.SCHEDULING)
        except IllegalTransitionError:
            return await registry.job(job_id)  # canceled before it began
    elif job.state is not JobState.SCHEDULING:
        return job
    started = trio.current_time()
    try:
        outcome = await run.outcome(job)
    except BaseException:
        with trio.CancelScope(shield=True):
            await run.finish(run.interrupted(), trio.current_time() - started, on_told)
        raise
    return await run.finish(outcome, trio.current_time() - started, on_told)


class _Run:
    def __init__(
        self,
        job_id: str,
        registry: Registry,
        checkout: Checkout,
        publish: Publish,
        workspace: Workspace,
        machine: Machine,
        cancel: trio.Event,
    ) -> None:
        self._id = job_id
        self._registry = registry
        self._checkout = checkout
        self._publish = publish
        self._workspace = workspace
        self._machine = machine
        self._cancel = cancel
        self._log = workspace.log
        self._blame = Reason.AGENT_ERROR
        self._filled = False
        self._result: SandboxResult | None = None
        self._uploaded = Upload.FAILED

    async def outcome(self, job: Job) -> Outcome:
        """Prepare, run, upload; errors end up in what it returns."""
        try:
            spec = decode_job_spec(job.spec)
            report.start(self._log, job, spec)
            self._result = await self._run_script(job, spec)
            await self._upload(spec, self._result)
            return decide(self._result, self._uploaded)
        except Exception as raised:  # noqa: BLE001 - the outermost guard: no defect may leave the job RUNNING
            return self._failed(_innermost(raised))

    def interrupted(self) -> Outcome:
        """The outcome when the agent itself is told to end."""
        if self._result is None:
            return Outcome(JobState.CANCELED, None, None, "the agent was interrupted")
        return decide(self._result, self._uploaded)

    async def finish(self, outcome: Outcome, seconds: float, on_told: Callable[[], Awaitable[None]]) -> Job:
        """Clear up, say it, and record it: killed at any point of this, the job is lost, and what it left is found.
        What succeeded is stored by now."""
        if not self._filled or outcome.state is JobState.SUCCEEDED:
            await self._workspace.remove_workdir()
        self._workspace.give_room()
        report.end(self._log, outcome, seconds, self._workspace.kept)
        await on_told()
        return await self._record(outcome)

    async def _fill(self, job: Job) -> bool:
        await self._workspace.fill(self._checkout, job.source)
        return True

    async def _prepare(self, spec: JobSpec) -> Launch:
        workspace = self._workspace
        self._blame = Reason.SCRIPT_ERROR
        script = find_script(spec, workspace.workdir) or workspace.write_script(spec.script.text)
        self._blame = Reason.MOUNT_ERROR
        reserved = (*self._machine.reserved, workspace.directory)
        points = resolve_mount_points(spec, workspace.workdir, reserved)
        for warning in await check_refs(spec, self._registry):
            self._log.line(f"warning: {warning}")
        self._blame = Reason.AGENT_ERROR
        return Launch(
            argv=self._machine.sandbox_argv,
            mounts=[SandboxMount(dataset.ref, os.fsencode(path)) for dataset, path in points],
            script=os.fsencode(script),
            workdir=os.fsencode(workspace.workdir),
            environment=self._environment(),
            time_limit=spec.time,
            grace=self._machine.grace,
            mount_timeout=self._machine.mount_timeout,
        )

    def _environment(self) -> dict[bytes, bytes]:
        own = {
            "C3_ARTIFACTS_DIR": self._workspace.artifacts,
            "C3_JOB_ID": self._id,
            "C3_JOB_WORKDIR": self._workspace.workdir,
        }
        return {**self._machine.environment, **{name.encode(): os.fsencode(own[name]) for name in own}}

    async def _run_script(self, job: Job, spec: JobSpec) -> SandboxResult:
        self._filled = await self._unless_canceled(lambda: self._fill(job)) or False
        if self._cancel.is_set():
            return SandboxResult(End.CANCELED)
        launch = await self._prepare(spec)
        await self._registry.move_job(self._id, JobState.RUNNING)
        result = await run_sandbox(launch, self._log.fileno(), self._cancel)
        report.script(self._log, result)
        return result

    async def _upload(self, spec: JobSpec, result: SandboxResult) -> None:
        if not ran(result):
            self._uploaded = Upload.SKIPPED
            return
        outputs, warnings = spec.collected()
        for warning in warnings:
            self._log.line(f"warning: {warning}")
        request = PublishRequest(
            ref=Ref("job", self._id),
            base=os.fsencode(self._workspace.workdir),
            outputs=tuple(os.fsencode(output.path) for output in outputs),
            complete=succeeded(result),
            best_effort=not succeeded(result),
        )
        # A job that was canceled is uploaded as far as possible; canceling during the upload ends that.
        publication = await (
            self._publish(request)
            if result.end is End.CANCELED
            else self._unless_canceled(lambda: self._publish(request))
        )
        if publication is None:
            self._uploaded = Upload.CANCELED
            self._log.line("the upload was canceled: nothing is published")
            return
        self._uploaded = Upload.STORED
        report.publication(self._log, publication, request.ref)
        balance = await self._registry.balance(lines=0)
        if balance.stored > balance.quota:
            report.quota(self._log, balance)

    async def _unless_canceled(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """What `work` comes to; None when the job is canceled before."""
        made = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_on, self._cancel, nursery.cancel_scope)
            made = await work()
            nursery.cancel_scope.cancel()
        return made

    def _failed(self, error: Exception) -> Outcome:
        """After the script has ended, whatever fails is the upload's failure."""
        expected = isinstance(error, C3Error | OSError)
        if not expected:
            self._log.text("".join(traceback.format_exception(error)))
        if self._result is not None:
            what = "warning" if self._uploaded is Upload.STORED else "the artifacts are not stored"
            self._log.line(f"{what}: {error}")
            return decide(self._result, self._uploaded)
        reason = self._blame if expected else Reason.AGENT_ERROR
        return Outcome(JobState.FAILED, reason, None, str(error) if expected else f"a defect of c3fs: {error!r}")

    async def _record(self, outcome: Outcome) -> Job:
        deadline = trio.current_time() + RECORD_TIMEOUT
        while True:
            try:
                return await self._registry.move_job(
                    self._id, outcome.state, reason=outcome.reason, exit_code=outcome.exit_code
                )
            except IllegalTransitionError:
                job = await self._registry.job(self._id)
                self._log.line(f"the record says {job.state} already: somebody else has ended the job")
                return job
            except (StoreUnavailableError, StoreRefusedError):  # a full disk may have room again
                if trio.current_time() > deadline:
                    raise
                await trio.sleep(RETRY_PAUSE)


async def _cancel_on(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


def _innermost(error: Exception) -> Exception:
    """What a nursery has wrapped, when it is one error."""
    while isinstance(error, ExceptionGroup):
        group = cast("ExceptionGroup[Exception]", error)
        match list(group.exceptions):
            case [only]:
                error = only
            case _:
                return group
    return error
