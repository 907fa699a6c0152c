"""Who may do what: principals, roles, and what they allow. Pure; the server asks, the registry keeps.

    user    has a role in projects, or in all of them (`EVERY`); with `admin` there it may do everything in its account
    agent   may take jobs, and nothing else: all it does for a job it does with that job's token
    job     reads exactly the trees it consumes, writes exactly its own artifacts, record and log

A data set without a project belongs to the account: every user reads it, and a role in `EVERY` is needed to write.
What a principal may not read does not exist for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

EVERY: Final = "*"
"""Stands for all projects of an account, in a grant."""


class Role(IntEnum):
    """Each includes the ones below it."""

    READ = 1
    WRITE = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        return self.name.lower()


ROLES: Final = {role.word: role for role in Role}


@dataclass(frozen=True, slots=True)
class User:
    """A person, or a program that acts for one. `roles` by project; `expires` is when the key does by which they came:
    what it makes must not outlive it."""

    account: str
    name: str
    roles: Mapping[str, Role]
    expires: datetime | None = None

    def role(self, project: str | None) -> int:
        """In a project, or (None) in what belongs to the account; 0 is none."""
        everywhere = self.roles.get(EVERY, 0)
        return max(everywhere, Role.READ if project is None else self.roles.get(project, 0))

    @property
    def is_admin(self) -> bool:
        """Of the account."""
        return self.roles.get(EVERY, 0) >= Role.ADMIN


@dataclass(frozen=True, slots=True)
class Agent:
    """What runs jobs of the account; `key` is its key's id."""

    account: str
    key: str


@dataclass(frozen=True, slots=True)
class JobToken:
    """One job, as long as it has not ended."""

    account: str
    job: str


Principal = User | Agent | JobToken
