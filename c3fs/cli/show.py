"""`c3 show`: everything that is known of a job."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import click

from c3fs.cli import output
from c3fs.cli.complete import complete_job
from c3fs.cli.exits import run_async
from c3fs.cli.joblogs import log_path
from c3fs.cli.jobref import check_job, find_job
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import load_settings
from c3fs.cli.squeue import colour_of, to_json, took
from c3fs.cli.wiring import open_registry
from c3fs.core.jobspec import ARTIFACTS, JobSpec, decode_job_spec
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref
from c3fs.core.sizes import format_size
from c3fs.errors import InvalidFormatError, JobNotFinishedError, NotFoundError
from c3fs.registry.base import Job, Registry

STATUS: Final = "Status"
"""The line that has a colour."""


@dataclass(frozen=True, slots=True)
class Facts:
    """`spec` is None when the record's cannot be read; `why` there are no artifacts if there is no manifest."""

    job: Job
    spec: JobSpec | None
    manifest: Manifest | None
    why: str

    @property
    def log(self) -> str | None:
        """None when it is the control plane's."""
        return log_path(self.job) if self.job.directory else None

    @property
    def workdir(self) -> str | None:
        """None when it is gone, or on an agent's machine."""
        path = os.path.join(self.job.directory, "work")
        return path if self.job.directory and os.path.isdir(path) else None


@click.command("show", cls=Command)
@click.argument("job", metavar="JOB", shell_complete=complete_job)
@json_option
def show(job: str, as_json: bool) -> None:
    """Show all about JOB: state, times, what it consumed, what it made, and where its log is.

    JOB is an id, the beginning of one, or @last, the newest job of the project of the nearest .c3 file.

    \b
    Example: c3 show job_1700000000000_abc123
             c3 show @last
    """
    check_job(job)

    async def main() -> Facts:
        async with open_registry(load_settings()) as registry:
            return await _facts(registry, await find_job(registry, job))

    facts = run_async(main)
    if as_json:
        output.write_json(_to_json(facts))
    else:
        _print(facts)


async def _facts(registry: Registry, job: Job) -> Facts:
    try:
        spec = decode_job_spec(job.spec)
    except InvalidFormatError:
        spec = None
    try:
        return Facts(job, spec, await registry.manifest(Ref("job", job.id)), "")
    except JobNotFinishedError:
        return Facts(job, spec, None, "it has not ended")
    except NotFoundError as error:
        return Facts(job, spec, None, str(error).partition(": ")[2])


def _to_json(facts: Facts) -> dict[str, object]:
    spec, manifest = facts.spec, facts.manifest
    artifacts = None
    if manifest is not None:
        root = manifest.root
        artifacts = {"ref": manifest.ref, "files": root.files, "bytes": root.bytes, "complete": manifest.complete}
    return {
        **to_json(facts.job),
        "cancel_requested": output.iso(facts.job.cancel_requested),
        "source": facts.job.source,
        "inputs": _inputs(facts),
        "outputs": [] if spec is None else [output.path for output in spec.collected()[0]],
        "time": None if spec is None else spec.time,
        "ignored": {} if spec is None else spec.ignored,
        "artifacts": artifacts,
        "log": facts.log,
        "directory": facts.workdir,
        "agent": facts.job.agent,
    }


def _inputs(facts: Facts) -> list[dict[str, object]]:
    if facts.spec is None:
        return [{"ref": ref, "mount": None, "asked": None} for ref in facts.job.inputs]
    return [
        {"ref": dataset.ref, "mount": dataset.mount, "asked": dataset.asked or None} for dataset in facts.spec.datasets
    ]


def _print(facts: Facts) -> None:
    lines = _lines(facts)
    width = max(len(label) for label, _ in lines) + 2
    for label, text in lines:
        shown = output.paint(text, colour_of(str(facts.job.state))) if label == STATUS else output.printable(text)
        output.write(f"{label:{width}}{shown}\n")


def _lines(facts: Facts) -> list[tuple[str, str]]:
    job = facts.job
    lines = [
        ("Job", job.id),
        ("Project", job.project),
        ("Name", job.name),
        (STATUS, _status(job)),
        ("Created", output.local_seconds(job.created)),
    ]
    if job.started is not None:
        running = f" (running for {took(job)})" if job.finished is None else ""
        lines.append(("Started", output.local_seconds(job.started) + running))
    if job.cancel_requested is not None:
        lines.append(("Cancel", f"asked for on {output.local_seconds(job.cancel_requested)}"))
    if job.finished is not None:
        after = "" if job.started is None else f" (took {took(job)})"
        lines.append(("Finished", output.local_seconds(job.finished) + after))
    if job.agent is not None:
        lines.append(("Agent", job.agent))
    if facts.spec is not None and facts.spec.time is not None:
        lines.append(("Time limit", _clock(facts.spec.time)))
    lines.append(("Source", job.source or "-"))
    lines += _labelled("Input", [_input(row) for row in _inputs(facts)])
    if facts.spec is not None:
        paths = ("$C3_ARTIFACTS_DIR" if one.path == ARTIFACTS else one.path for one in facts.spec.collected()[0])
        lines.append(("Output", ", ".join(paths)))
        lines += _labelled("Ignored", [f"{key}: {value}" for key, value in facts.spec.ignored.items()])
    lines.append(("Artifacts", _artifacts(facts)))
    if facts.log is None:
        lines.append(("Log", f"`c3 logs {job.id}`"))
    else:
        lines.append(("Log", facts.log if os.path.exists(facts.log) else f"{facts.log} (not on this machine)"))
    if facts.workdir is not None:
        lines.append(("Directory", facts.workdir))
    return lines


def _labelled(label: str, texts: list[str]) -> list[tuple[str, str]]:
    return [(label if at == 0 else "", text) for at, text in enumerate(texts)]


def _status(job: Job) -> str:
    parts = [] if job.reason is None else [str(job.reason)]
    parts += [] if job.exit_code is None else [f"exit code {job.exit_code}"]
    more = f" ({', '.join(parts)})" if parts else ""
    return f"{job.state}{more}"


def _input(row: dict[str, object]) -> str:
    asked = f" (as {row['asked']})" if row["asked"] else ""
    where = f" at {row['mount']}" if row["mount"] else ""
    return f"{row['ref']}{where}{asked}"


def _artifacts(facts: Facts) -> str:
    manifest = facts.manifest
    if manifest is None:
        return f"none: {facts.why}"
    root = manifest.root
    complete = "" if manifest.complete else ", incomplete"
    return f"{manifest.ref}: {output.counted(root.files, 'file')}, {format_size(root.bytes)}{complete}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
