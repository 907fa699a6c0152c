"""A database under SQLAlchemy: transactions, tried again where that may help, and its errors as ours.

    engines    what is different        sqlite, postgres    of these two

Synchronous: for worker threads. Every transaction says beforehand whether it writes. A reader sees one state of the
database; a writer that has locked what it changes sees what those before it committed (see the package's notes).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, Self, TypeVar

import anyio
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, TimeoutError as PoolTimeoutError

from c3fs.errors import C3Error, SettingsError, StoreUnavailableError
from c3fs.registry.engines import Engines
from c3fs.registry.sqlite import SCHEME, sqlite_engines

T = TypeVar("T")

LOCK_WAIT_S: Final = 10.0
"""How long the database itself waits for a lock. A commit takes a millisecond, a register of 100,000 blobs a second."""
PAUSE_MAX_S: Final = 2.0
"""Between two tries."""
_POSTGRESQL: Final = "postgresql://"


class Database:
    """One database. Any number of threads may use it; no process may across a fork.

    `threads` bounds the calls that are under way at once, for whoever makes them in worker threads.
    """

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self.threads = anyio.CapacityLimiter(engines.connections)

    @classmethod
    def open(cls, url: str, *, lock_wait_s: float = LOCK_WAIT_S) -> Self:
        """The database at `sqlite:////absolute/path` or `postgresql://user:password@host:port/name`. Connects only
        when it is used. Raises SettingsError, which shows no password."""
        if url.startswith(_POSTGRESQL):
            from c3fs.registry.postgres import postgres_engines

            return cls(postgres_engines(url, lock_wait_s))
        if not url.startswith(SCHEME) and "@" in url:
            raise SettingsError(f"not the address of a registry; it looks like {_POSTGRESQL}user:password@host/name")
        return cls(sqlite_engines(url, lock_wait_s))

    def __repr__(self) -> str:
        return f"<Database {self.name}: {self.threads.borrowed_tokens:g} calls>"

    @property
    def name(self) -> str:
        """Its address, for messages: without a password."""
        return self._engines.name

    @property
    def advice(self) -> str:
        """What to do, other than mending it, when it cannot be used."""
        return self._engines.advice

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, which sees one state of the database. See `write` for errors."""
        return self._run(self._engines.reading, work, work)

    def write(self, work: Callable[[Connection], T], repeated: Callable[[Connection], T] | None = None) -> T:
        """What `work` returns, in one transaction: committed and on the disk, or not there at all.

        `work` may be run more than once. When the connection is lost at COMMIT, and so nobody knows whether that
        happened, `repeated` is run instead of it from then on: it finds out what happened, or does no harm when the
        same has happened already. Without it, that is StoreUnavailableError.

        Raises StoreUnavailableError when the database does not answer or stays locked, StoreRefusedError when it
        cannot be used, and what `work` raises.
        """
        return self._run(self._engines.writing, work, repeated)

    def migrate(self, work: Callable[[Connection], T]) -> T:
        """As `write`, for work that changes the tables, finds out by itself what is done already, and may take minutes;
        in SQLite foreign keys are not checked."""
        return self._run(self._engines.migrating, work, work)

    def close(self) -> None:
        """Close its connections; those that are working are closed when they are done."""
        self._engines.reading.dispose()

    def _run(self, engine: Engine, work: Callable[[Connection], T], repeated: Callable[[Connection], T] | None) -> T:
        limits = self._engines
        deadline = time.monotonic() + limits.within
        tried = 0
        unknown = False
        while True:
            committing = False
            try:
                with engine.connect() as connection, connection.begin() as transaction:
                    done = work(connection)
                    committing = True
                    transaction.commit()
                    return done
            except IntegrityError:
                # Not the database's fault but the work's, which knows what it means.
                raise
            except DBAPIError as error:
                fault = limits.fault(error)
                tried += 1
                unknown |= fault.lost and committing and engine is not limits.reading
                if not fault.again or tried >= limits.tries or time.monotonic() > deadline:
                    raise self._given_up(fault.error, unknown) from error
                if unknown:
                    if repeated is None:
                        raise self._given_up(fault.error, unknown) from error
                    work = repeated
            except PoolTimeoutError as error:
                busy = StoreUnavailableError(f"{self.name}: too many calls are waiting for it")
                raise self._given_up(busy, unknown) from error
            time.sleep(random.uniform(0.5, 1) * min(limits.pause * 2 ** (tried - 1), PAUSE_MAX_S))

    def _given_up(self, error: C3Error, unknown: bool) -> C3Error:
        return StoreUnavailableError(f"{error}; whether this was done is not known") if unknown else error
