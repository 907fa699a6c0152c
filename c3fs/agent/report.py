"""What the agent says in the job log."""

from __future__ import annotations

import os

from c3fs.agent.joblog import JobLog
from c3fs.agent.outcome import Outcome
from c3fs.agent.protocol import MountReport, SandboxResult
from c3fs.agent.publication import Publication
from c3fs.core.jobspec import JobSpec
from c3fs.core.ref import Ref
from c3fs.core.sizes import format_size
from c3fs.registry.base import Balance, Job


def start(log: JobLog, job: Job, spec: JobSpec) -> None:
    log.line(f"{job.id} of project {spec.project}: {spec.name}")
    if job.source is not None:
        log.line(f"the project folder is {job.source}")
    if spec.ignored:
        log.line(f"ignored by the local runner: {', '.join(spec.ignored)}")
    for line in frozen(spec):
        log.line(line)


def frozen(spec: JobSpec) -> list[str]:
    """What the refs that were not frozen when they were written have come to."""
    return [f"{dataset.asked} is {dataset.ref}" for dataset in spec.datasets if dataset.asked]


def script(log: JobLog, result: SandboxResult) -> None:
    """What the mounts served while the script ran."""
    for mount in result.mounts:
        log.line(_served(mount))


def _served(report: MountReport) -> str:
    where = os.fsdecode(report.mount.target)
    statistics = report.statistics
    if statistics is None:
        return f"{where}: its mount ended without saying what it served"
    asked = statistics.hits + statistics.fetched_blobs
    if asked == 0:
        return f"{where}: nothing was read"
    percent = 100 * statistics.hits // asked
    blobs = "1 blob" if statistics.fetched_blobs == 1 else f"{statistics.fetched_blobs} blobs"
    return f"{where}: fetched {format_size(statistics.fetched_bytes)} in {blobs}; {percent} % of reads were hits"


def publication(log: JobLog, done: Publication, ref: Ref) -> None:
    for warning in done.warnings:
        log.line(f"warning: {warning}")
    files = "1 file" if done.files == 1 else f"{done.files} files"
    log.line(f"published {files}, {format_size(done.bytes)}, at {ref}; charged {format_size(done.charged)}")


def quota(log: JobLog, balance: Balance) -> None:
    stored, allowed = format_size(balance.stored), format_size(balance.quota)
    log.line(f"warning: {stored} are stored, more than the quota of {allowed}; see `c3 balance`")


def end(log: JobLog, outcome: Outcome, seconds: float, kept: str | None) -> None:
    """The final state; `kept` is the working directory, if it is not removed."""
    if kept is not None:
        log.line(f"the working directory is kept: {kept}")
    reason = "" if outcome.reason is None else f" ({outcome.reason})"
    why = f": {outcome.why}" if outcome.why else ""
    log.line(f"{outcome.state}{reason} after {seconds:.1f} s{why}")
