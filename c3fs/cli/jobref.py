"""The job that a JOB argument means: an id, a prefix of one that fits one job alone, a ref, or the newest of a project.

job_1700000000000_abc123          the job
job_17000000                      the one job whose id begins like that
/jobs/<id>  /projects/<p>/jobs/<id>  /projects/<p>/jobs/@last  …/@name:<name>      see c3fs.core.ref
@last                             the newest job, whatever its state, of the project of the nearest .c3 file
"""

from __future__ import annotations

import os
import re
from typing import Final

from c3fs.cli.exits import UsageError
from c3fs.cli.projectfile import find_project
from c3fs.core.ids import is_job_id
from c3fs.core.ref import LAST, parse_ref
from c3fs.errors import NotFoundError
from c3fs.registry.base import Job, Registry

_PREFIX = re.compile(r"job_[0-9]{1,15}(?:_[0-9a-z]{0,6})?\Z")
SHOWN: Final = 3
"""Jobs named when a prefix fits several."""


def check_job(text: str) -> None:
    """Refuse what can mean no job, before anything is opened. Raises UsageError, InvalidRefError."""
    if text.startswith("/"):
        ref = parse_ref(text)
        if ref.kind != "job" or ref.sub:
            raise UsageError(f"{text} names no job; JOB is a job's id or /jobs/<id>")
    elif text != LAST and not _PREFIX.match(text):
        raise UsageError(
            f"{text!r} is not a job id (job_<milliseconds>_<6 characters>), and no beginning of one; "
            "`c3 squeue` lists them"
        )


async def find_job(registry: Registry, text: str) -> Job:
    """Raises NotFoundError; UsageError when several jobs are meant."""
    if text.startswith("/"):
        ref = parse_ref(text)
        return await registry.job(ref.name if ref.frozen else (await registry.resolve(ref)).name)
    if is_job_id(text):
        return await registry.job(text)
    if text == LAST:
        return await _newest(registry)
    found = [job for job in await registry.jobs() if job.id.startswith(text)]
    if not found:
        raise NotFoundError(f"{text}: no job's id begins like that; `c3 squeue` lists the jobs")
    if len(found) > 1:
        some = ", ".join(job.id for job in found[:SHOWN])
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise UsageError(f"{text} is the beginning of {some}{more}")
    return found[0]


async def _newest(registry: Registry) -> Job:
    project = find_project(os.getcwd())
    jobs = await registry.jobs(project=project, limit=1)
    if not jobs:
        raise NotFoundError("there is no job yet" if project is None else f"project {project} has no job yet")
    return jobs[0]
