"""SQLite under SQLAlchemy: connections, locks, and its errors as ours.

A writer takes SQLite's write lock at once (BEGIN IMMEDIATE): it waits there for the others, and never finds in the
middle that what it has read is out of date. A reader sees the state at its first SELECT and waits for nobody (WAL).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from functools import partial
from typing import Final, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from c3fs.errors import SettingsError, StoreRefusedError, StoreUnavailableError
from c3fs.registry.engines import Engines, Fault
from c3fs.store.oserrors import mapped

SCHEME: Final = "sqlite:///"
CONNECTIONS: Final = 4
"""Of one process; SQLite has one writer at a time anyway."""
TRIES: Final = 3
"""SQLite gives some locks up without waiting (while another process recovers or resets the log), and its wait
is not fair: a second and third turn."""
_PAUSE_S: Final = 0.1

_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    # The log is cut to this after a large transaction instead of staying as large as it ever was.
    "journal_size_limit=16777216",
)
_WRITES: Final = {"c3fs_begin": "BEGIN IMMEDIATE"}

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


def sqlite_path(url: str) -> str:
    """The absolute path in `sqlite:///<path>`, taken as it is written; raises SettingsError."""
    path = url.removeprefix(SCHEME)
    if path == url or not os.path.isabs(path) or path.endswith("/"):
        raise SettingsError(f"not the address of a registry: {url!r}; it looks like {SCHEME}/path/registry.db")
    return path


def sqlite_engines(url: str, lock_wait_s: float) -> Engines:
    """Of the file that `url` names. Raises SettingsError."""
    path = sqlite_path(url)
    address = URL.create("sqlite", database=path)
    engine = create_engine(
        address,
        pool_size=CONNECTIONS,
        max_overflow=0,
        # Waiting for one of its connections is bounded like waiting for a lock.
        pool_timeout=TRIES * lock_wait_s,
    )
    _configure(engine, lock_wait_s, _PRAGMAS)
    migrating = create_engine(address, poolclass=NullPool, execution_options=_WRITES)
    _configure(migrating, lock_wait_s, [*_PRAGMAS, "foreign_keys=OFF"])
    return Engines(
        name=path,
        reading=engine,
        writing=engine.execution_options(**_WRITES),
        migrating=migrating,
        connections=CONNECTIONS,
        tries=TRIES,
        within=TRIES * lock_wait_s,
        pause=_PAUSE_S,
        advice="choose another C3_HOME",
        fault=partial(sqlite_fault, path),
    )


def copy_beside(path: str, ending: str) -> None:
    """Leave what is committed in the file at `path` as `<path>.<ending>` too, whole or not at all. Other processes may
    read meanwhile. Raises StoreRefusedError, StoreUnavailableError."""
    unfinished = f"{path}.{ending}-{os.getpid()}"
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
            source.backup(target)
        with mapped(path):
            shutil.copymode(path, unfinished)
            os.replace(unfinished, f"{path}.{ending}")
    except sqlite3.Error as error:
        raise StoreRefusedError(f"{path}: it cannot be copied before it is changed: {error}; {_FULL}") from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(unfinished)


def sqlite_fault(path: str, error: DBAPIError) -> Fault:
    """The one table from SQLite's errors to ours."""
    code = _code(error)
    what = f"{path}: {error.orig}"
    if code & _PRIMARY in _RETRIED:
        return Fault(StoreUnavailableError(f"{what}: another process has been writing to it for too long"), again=True)
    advice = REFUSED.get(code) or REFUSED.get(code & _PRIMARY)
    refused = StoreUnavailableError(what) if advice is None else StoreRefusedError(f"{what}; {advice}")
    return Fault(refused, again=False)


def _code(error: DBAPIError) -> int:
    """SQLite's extended result code."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code if isinstance(code, int) else sqlite3.SQLITE_ERROR


def _configure(engine: Engine, lock_wait_s: float, pragmas: Iterable[str]) -> None:
    def connected(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        raw = cast(sqlite3.Connection, connection)
        # Python's sqlite3 is not to begin transactions on its own: `begin` below does.
        raw.isolation_level = None
        try:
            for pragma in (f"busy_timeout={lock_wait_s * 1000:.0f}", *pragmas):
                raw.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            raw.close()
            raise

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("c3fs_begin", "BEGIN"))

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begin)
