"""A control plane's database for tests: with a clock that the test sets, accounts, users, jobs in the queue."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from c3fs.core.access import Role
from c3fs.core.digest import Digest
from c3fs.registry.base import Job
from c3fs.registry.control import Claim, ControlDatabase
from tests.support.records import EPOCH, make_blob, make_blobs, make_job, make_manifest

ACCOUNT = "acme"
OTHER = "umbrella"


class SetClock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.moment = EPOCH

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@contextmanager
def open_control(address: str, clock: SetClock | None = None) -> Generator[ControlDatabase]:
    database = ControlDatabase.open(address, now=clock or SetClock())
    try:
        yield database
    finally:
        database.close()


async def add_accounts(control: ControlDatabase) -> None:
    for account in (ACCOUNT, OTHER):
        await control.access.add_account(account)


async def add_key(control: ControlDatabase, user: str, roles: Mapping[str, Role], account: str = ACCOUNT) -> str:
    """A new user with these roles, and a key for him."""
    await control.access.add_user(account, user)
    for project, role in roles.items():
        await control.access.grant(account, user, project, role)
    return (await control.access.add_key(account, user))[1]


def queued(number: int, project: str = "demo") -> Job:
    """A job that waits for an agent; the higher its number, the later it was made."""
    return replace(make_job(number, project), directory="")


async def enqueue(control: ControlDatabase, numbers: Iterable[int], account: str = ACCOUNT) -> None:
    for number in numbers:
        await control.registry(account).add_job(queued(number))


async def publish(control: ControlDatabase, ref: str, numbers: Iterable[int], account: str = ACCOUNT) -> None:
    """A tree of the blobs of these numbers."""
    registry = control.registry(account)
    await registry.register(make_manifest(ref, content=ref), make_blobs(numbers), mark=await registry.mark())


def digests(numbers: Iterable[int]) -> set[Digest]:
    return {digest for digest, _ in make_blobs(numbers)}


def make_claim(number: int, content: str = "") -> Claim:
    """Of the blob of that number; `content` makes it a lie about the same digest."""
    digest, size = make_blob(number)
    return digest, size, hashlib.sha256(f"{number}{content}".encode()).digest()


def make_claims(numbers: Iterable[int], content: str = "") -> list[Claim]:
    return [make_claim(number, content) for number in numbers]
