"""A SQLite file under SQLAlchemy: connections, transactions, waiting for locks, and its errors as ours.

Synchronous: for worker threads. Every transaction says beforehand whether it writes. A writer takes SQLite's
write lock at once (BEGIN IMMEDIATE): it waits there for the others, and never finds in the middle that what it
has read is out of date. A reader sees the state at its first SELECT and waits for nobody (WAL).
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable
from typing import Final, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from c3fs.errors import C3Error, SettingsError, StoreRefusedError, StoreUnavailableError

T = TypeVar("T")

CONNECTIONS: Final = 4
"""Of one process; SQLite has one writer at a time anyway."""
LOCK_WAIT_S: Final = 10.0
"""How long SQLite itself waits for a lock. A commit takes a millisecond, a register of 100,000 blobs a second."""
TRIES: Final = 3
"""SQLite gives some locks up without waiting (while another process recovers or resets the log), and its wait
is not fair: a second and third turn."""
_PAUSE_S: Final = 0.1

_SCHEME: Final = "sqlite:///"
_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    # The log is cut to this after a large transaction instead of staying as large as it ever was.
    "journal_size_limit=16777216",
)

_PRIMARY: Final = 0xFF
"""Extended codes say more in the bits above."""
_RETRIED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FULL: Final = "free some space there, or choose another C3_HOME"
REFUSED: Final[dict[int, str]] = {
    sqlite3.SQLITE_NOTADB: "it is no registry; move it elsewhere, or choose another C3_HOME",
    sqlite3.SQLITE_CORRUPT: "it is damaged; put back a copy, or move it elsewhere to begin a new one",
    sqlite3.SQLITE_CANTOPEN: "give this user the right to read and write there, or choose another C3_HOME",
    sqlite3.SQLITE_READONLY: "give this user the right to write there, or choose another C3_HOME",
    sqlite3.SQLITE_PERM: "give this user the right to write there, or choose another C3_HOME",
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,
}
"""What no second try mends, with what does; by SQLite's extended code or, for all of a kind, its primary one.
Everything else may pass."""


class Database:
    """One SQLite file. Any number of threads may use it; no process may across a fork."""

    def __init__(self, path: str, *, lock_wait_s: float = LOCK_WAIT_S) -> None:
        self.path = path
        # Waiting for one of its connections is bounded like waiting for a lock.
        self._engine = create_engine(
            URL.create("sqlite", database=path),
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=TRIES * lock_wait_s,
        )
        self._writing = self._engine.execution_options(c3fs_begin="BEGIN IMMEDIATE")
        _configure(self._engine, lock_wait_s)

    def __repr__(self) -> str:
        return f"<Database {self.path}>"

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, which sees one state of the database. See `write` for errors."""
        return self._run(self._engine, work)

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, in one transaction: committed and on the disk, or not there at all.

        `work` may be run more than once. Raises StoreUnavailableError when the database stays locked,
        StoreRefusedError when it cannot be used, and what `work` raises.
        """
        return self._run(self._writing, work)

    def close(self) -> None:
        """Close its connections; those that are working are closed when they are done."""
        self._engine.dispose()

    def _run(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        tried = 0
        while True:
            try:
                with engine.begin() as connection:
                    return work(connection)
            except IntegrityError:
                # Not the database's fault but the work's, which knows what it means.
                raise
            except DBAPIError as error:
                tried += 1
                if tried >= TRIES or _code(error) & _PRIMARY not in _RETRIED:
                    raise database_error(error, self.path) from error
            except PoolTimeoutError as error:
                raise StoreUnavailableError(f"{self.path}: too many calls are waiting for it") from error
            time.sleep(random.random() * _PAUSE_S * tried)


def sqlite_path(url: str) -> str:
    """The absolute path in `sqlite:///<path>`, taken as it is written; raises SettingsError."""
    path = url.removeprefix(_SCHEME)
    if path == url or not os.path.isabs(path) or path.endswith("/"):
        raise SettingsError(f"not the address of a registry: {url!r}; it looks like {_SCHEME}/path/registry.db")
    return path


def database_error(error: DBAPIError, path: str) -> C3Error:
    """The one table from SQLite's errors to ours."""
    code = _code(error)
    what = f"{path}: {error.orig}"
    if code & _PRIMARY in _RETRIED:
        return StoreUnavailableError(f"{what}: another process has been writing to it for too long")
    advice = REFUSED.get(code) or REFUSED.get(code & _PRIMARY)
    return StoreUnavailableError(what) if advice is None else StoreRefusedError(f"{what}; {advice}")


def _code(error: DBAPIError) -> int:
    """SQLite's extended result code."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code if isinstance(code, int) else sqlite3.SQLITE_ERROR


def _configure(engine: Engine, lock_wait_s: float) -> None:
    def connected(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        raw = cast(sqlite3.Connection, connection)
        # Python's sqlite3 is not to begin transactions on its own: `begin` below does.
        raw.isolation_level = None
        try:
            for pragma in (f"busy_timeout={lock_wait_s * 1000:.0f}", *_PRAGMAS):
                raw.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            raw.close()
            raise

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("c3fs_begin", "BEGIN"))

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begin)
