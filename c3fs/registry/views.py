"""What of an account is seen: conditions that the queries of a registry ask with.

What a view does not show is not there for whoever has it: no query finds it, so what is said of it is what is said of
a name that nobody ever used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, false, literal, or_, select

from c3fs.core.access import EVERY, Agent, JobToken, Principal, User
from c3fs.registry.schema import consumed, jobs, manifests

_Conditions = list[ColumnElement[bool]]
NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class View:
    """All of an account; or, with `projects`, those, and (`own`) the data sets that belong to the account itself; or,
    with `job`, that job: its record, its artifacts and the very trees that it consumes."""

    account: str
    projects: frozenset[str] | None = None
    own: bool = True
    job: str | None = None

    def jobs(self) -> _Conditions:
        """Of the rows of the table `jobs`."""
        mine = [jobs.c.account == self.account]
        if self.job is not None:
            return [*mine, jobs.c.id == self.job]
        return mine if self.projects is None else [*mine, jobs.c.project.in_(sorted(self.projects))]

    def trees(self) -> _Conditions:
        """Of the rows of the table `manifests`."""
        mine = [manifests.c.account == self.account]
        if self.job is not None:
            return [*mine, or_(_written_by(self.job), _consumed_by(self.job))]
        return mine if self.projects is None else [*mine, self._of_projects(self.projects)]

    def _of_projects(self, projects: frozenset[str]) -> ColumnElement[bool]:
        """A job's manifest is of the project that its record says. Without a record nobody knows, so nobody sees it
        but who sees everything."""
        # The query around it may have jobs of its own.
        mine = select(literal(1)).where(jobs.c.id == manifests.c.name, *self.jobs())
        record = mine.correlate(manifests).exists()
        return or_(
            manifests.c.project.in_(sorted(projects)),
            and_(manifests.c.kind == "job", record),
            and_(manifests.c.kind == "dataset", manifests.c.project.is_(None)) if self.own else false(),
        )


def view_of(principal: Principal) -> View:
    """What a principal may read."""
    match principal:
        case User(account=account, roles=roles):
            return View(account, None if roles.get(EVERY) else frozenset(roles))
        case Agent(account=account):
            return View(account, NOTHING, own=False)
        case JobToken(account=account, job=job):
            return View(account, job=job)


def _written_by(job: str) -> ColumnElement[bool]:
    return and_(manifests.c.kind == "job", manifests.c.name == job)


def _consumed_by(job: str) -> ColumnElement[bool]:
    return (
        select(literal(1))
        .where(consumed.c.job == job, consumed.c.base == manifests.c.base, consumed.c.version == manifests.c.version)
        .exists()
    )
