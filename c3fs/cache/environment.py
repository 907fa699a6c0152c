"""Finds, checks and opens the LMDB environment; sets aside what is broken and begins anew."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

import lmdb

from c3fs.errors import CacheError

log = logging.getLogger(__name__)

FORMAT: Final = b"1"
"""Of what is in the databases. Another one is set aside: the cache can be filled again."""
CAP_DEFAULT: Final = 64 << 30
CAP_MIN: Final = 8 << 20
READERS_MAX: Final = 1024
"""Processes with a read transaction, two slots each at most; 64 bytes each in the lock file."""
PAGE: Final = 4096
LOCK_TIMEOUT: Final = 10.0
"""Seconds; whoever holds the lock opens or renames, which takes milliseconds."""

Database: TypeAlias = "lmdb._Database"  # pyright: ignore[reportPrivateUsage] - the stubs name it so


@dataclass(frozen=True, slots=True)
class Environment:
    """An open environment with its databases. `users` is a descriptor that holds a shared lock while it is open."""

    path: str
    handle: lmdb.Environment
    blobs: Database  # digest -> bytes
    index: Database  # digest -> size, time of the last use
    order: Database  # time of the last use + digest -> nothing
    info: Database  # format, cap, totals
    cap: int
    users: int

    def mark_broken(self) -> None:
        """Have the next process that opens it set it aside."""
        with suppress(OSError):
            _write(f"{self.path}/broken", b"")

    def close(self) -> None:
        """The last one out syncs, so that the next boot finds it whole: once at leisure, and, when nobody else can
        come in, for what was written since."""
        try:
            self.handle.sync(True)
            with _locked(f"{os.path.dirname(self.path)}/lock"):
                if _try_lock(self.users, fcntl.LOCK_EX):
                    self.handle.sync(True)
                    _remove(f"{self.path}/boot")
        except (lmdb.Error, OSError) as error:
            log.warning("the cache could not be synced: %s", error)
        finally:
            self.handle.close()
            os.close(self.users)


def open_environment(directory: str, cap: int | None) -> Environment:
    """Of `cap` bytes: None takes what is recorded, or the default for a new one. Raises CacheError when there can be
    none here."""
    path = os.path.join(directory, "v1")
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with _locked(os.path.join(directory, "lock")):
            if os.path.exists(path) and (why := _unfit(path)):
                _set_aside(path, why)
            try:
                return _open(path, cap)
            except _UnfitError as unfit:
                _set_aside(path, str(unfit))
                return _open(path, cap)
    except (OSError, lmdb.Error, _UnfitError) as error:
        raise CacheError(f"no cache in {directory}: {error}") from error


class _UnfitError(Exception):
    """The environment cannot be used, but another can take its place."""


def boot_id() -> bytes:
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read().strip()


def _unfit(path: str) -> str | None:
    """Why the environment must not even be opened: LMDB would trust its pages."""
    if os.path.exists(f"{path}/broken"):
        return "it was found corrupt"
    with suppress(FileNotFoundError), open(f"{path}/boot", "rb") as file:
        if file.read() != boot_id():
            return "the machine went down while it was written"
    with suppress(FileNotFoundError):
        size = os.stat(f"{path}/data.mdb").st_size
        if size % PAGE or size == PAGE:
            return f"its file has {size} bytes"
    return None


def _open(path: str, cap: int | None) -> Environment:
    os.makedirs(path, mode=0o700, exist_ok=True)
    if not os.path.exists(f"{path}/boot"):
        _write(f"{path}/boot", boot_id())
    users = os.open(f"{path}/users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        alone = _try_lock(users, fcntl.LOCK_EX)
        handle = _open_lmdb(path, cap if alone else None)
        try:
            found = _databases(path, handle, users)
        except BaseException:
            handle.close()
            raise
        fcntl.flock(users, fcntl.LOCK_SH)
    except BaseException:
        os.close(users)
        raise
    return found


def _open_lmdb(path: str, cap: int | None) -> lmdb.Environment:
    """`cap` None: as large as it was made."""
    size = _recorded_cap(path) if cap is None else cap
    new = not os.path.exists(f"{path}/data.mdb")
    size = max(size or _default_cap(path), CAP_MIN) // PAGE * PAGE
    try:
        handle = lmdb.open(path, map_size=size, max_dbs=4, max_readers=READERS_MAX, max_spare_txns=2, mode=0o600,
                           sync=False, metasync=False, meminit=False)  # fmt: skip
    except (lmdb.CorruptedError, lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.PanicError) as error:
        raise _UnfitError(str(error)) from error
    used = (handle.info()["last_pgno"] + 1) * PAGE
    there = os.stat(f"{path}/data.mdb").st_size
    if not new and used > there:
        handle.close()
        raise _UnfitError(f"its file has {there} bytes and should have {used}")
    if used > size:
        handle.close()
        raise _UnfitError(f"it has {used} bytes, more than the cap of {size}")
    if cap is not None or new:
        _write(f"{path}/cap", b"%d" % size)
    return handle


def _databases(path: str, handle: lmdb.Environment, users: int) -> Environment:
    try:
        blobs, index, order, info = (handle.open_db(name) for name in (b"blobs", b"index", b"order", b"info"))
        with handle.begin(write=True, db=info) as txn:
            found = txn.get(b"format")
            if found is None:
                txn.put(b"format", FORMAT)
            elif found != FORMAT:
                raise _UnfitError(f"its format is {found!r}, not {FORMAT!r}")
    except (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError, lmdb.PanicError,
            lmdb.IncompatibleError, lmdb.BadTxnError) as error:  # fmt: skip
        raise _UnfitError(str(error)) from error
    return Environment(path, handle, blobs, index, order, info, handle.info()["map_size"], users)


def _recorded_cap(path: str) -> int | None:
    try:
        with open(f"{path}/cap", "rb") as file:
            return int(file.read(20))
    except (FileNotFoundError, ValueError):
        return None


def _default_cap(path: str) -> int:
    """Half of what is free, at most 64 GiB."""
    free = os.statvfs(path)
    return min(CAP_DEFAULT, max(free.f_bavail * free.f_frsize // 2, 64 << 20))


def _set_aside(path: str, why: str) -> None:
    aside = f"{path}.aside-{os.getpid()}-{time.time_ns()}"
    os.rename(path, aside)
    shutil.rmtree(aside, ignore_errors=True)
    log.warning("the cache was set aside and begun anew: %s", why)


@contextmanager
def _locked(path: str) -> Generator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LOCK_TIMEOUT
        while not _try_lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise OSError(errno.ETIMEDOUT, "another process does not let go of it")
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
