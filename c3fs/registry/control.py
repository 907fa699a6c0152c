"""The control plane's database: all that its server keeps, of all accounts, behind one pool of connections."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Self

from c3fs.core.access import Principal
from c3fs.registry.access import Access
from c3fs.registry.database import Database
from c3fs.registry.deposits import Claim, Deposits
from c3fs.registry.joblogs import LOG_MAX, JobLogs
from c3fs.registry.opening import open_database
from c3fs.registry.queue import LEASE_SECONDS, WATCH_SECONDS, Queue, Taken
from c3fs.registry.sql import SqlRegistry, utc_now
from c3fs.registry.users import KeyFacts, UserFacts
from c3fs.registry.views import View, view_of

__all__ = [
    "LEASE_SECONDS",
    "LOG_MAX",
    "WATCH_SECONDS",
    "Claim",
    "ControlDatabase",
    "KeyFacts",
    "Taken",
    "UserFacts",
]


class ControlDatabase:
    """Made by `open`; not to be used across a fork. Any number of tasks may use it and what it gives.

    `now` is the clock of all that is kept: of this process, and compared with no other but those of control planes that
    share the database.
    """

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self.now = now
        self.access = Access(database, now)
        self.queue = Queue(database, now)

    @classmethod
    def open(cls, url: str, *, now: Callable[[], datetime] = utc_now, migrate: bool = True) -> Self:
        """The database at `url`. With `migrate` its tables are made if there are none, and brought up to date. Blocks
        for some ms, or as long as that takes. Raises SettingsError (the URL), StoreRefusedError,
        StoreUnavailableError."""
        return cls(open_database(url, migrate=migrate), now)

    def __repr__(self) -> str:
        return f"<ControlDatabase {self._database!r}>"

    def close(self) -> None:
        """Close its connections. No call may be under way, but for reading ones that were cancelled."""
        self._database.close()

    def registry(self, account: str) -> SqlRegistry:
        """All of an account. Closing it is not needed: it shares this database."""
        return SqlRegistry(self._database, View(account), self.now)

    def registry_of(self, principal: Principal) -> SqlRegistry:
        """The registry as the principal sees it. What that is not is not there: the lists pass it over, and asking for
        it raises what asking for nothing raises, with the same text. Whether what is seen may also be written is the
        server's to decide."""
        return SqlRegistry(self._database, view_of(principal), self.now)

    def deposits(self, account: str) -> Deposits:
        return Deposits(self._database, account, self.now)

    def logs(self, account: str) -> JobLogs:
        return JobLogs(self._database, account)
