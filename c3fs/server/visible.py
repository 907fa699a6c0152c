"""What a principal may do with what it sees. What it sees is the registry's to say (ControlDatabase.registry_of): what
it does not see raises what is not there raises, before anything here is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from c3fs.core.access import EVERY, JobToken, Role, User
from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import ForbiddenError
from c3fs.registry.base import Job
from c3fs.server.routes import Call


async def own_job(call: Call[Any, Any], job_id: str, what: str) -> Job:
    """The job, if it is the principal's own to write: that of a token, or any of the account for its admin. Raises
    JobNotFoundError, ForbiddenError."""
    job = await call.seen.job(job_id)
    if isinstance(call.principal, User) and not call.principal.is_admin:
        raise ForbiddenError(what)
    return job


def read_ref(text: str) -> Ref:
    """The ref that `text` spells, without its sub-path. Raises InvalidRefError."""
    return parse_ref(text).without_sub()


def demand_role(call: Call[Any, Any], project: str | None, role: Role, what: str) -> None:
    """Raises ForbiddenError, of a project that the user does not see too: whether there is one is not said."""
    if call.user.role(project) < role:
        raise ForbiddenError(what)


def demand_publish(call: Call[Any, Any], ref: Ref) -> None:
    """A job's token publishes that job's artifacts, a user data sets and sources; who may do everything, everything.
    Raises ForbiddenError."""
    principal = call.principal
    if isinstance(principal, JobToken):
        if ref != Ref("job", principal.job):
            raise ForbiddenError("publish anything but its own job's artifacts")
        return
    if ref.kind != "job":
        demand_role(call, ref.project, Role.WRITE, f"publish {ref.base}")
    elif not call.user.is_admin:
        raise ForbiddenError("publish the artifacts of a job")


async def demand_removal(call: Call[Any, Any], refs: Sequence[Ref]) -> None:
    """Raises RefNotFoundError if one of the frozen `refs` is not seen, ForbiddenError if one may not be written."""
    await call.seen.usage(refs)
    if call.user.roles.get(EVERY, 0) >= Role.WRITE:
        return
    for ref in refs:
        # What is seen has a project, or is the account's own.
        project = await call.plane.database.access.project_of(call.account, ref)
        demand_role(call, project, Role.WRITE, f"remove {ref.head}")
