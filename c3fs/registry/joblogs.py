"""Logs of jobs that run elsewhere: bytes, in pieces as they came.

A log only grows. Whoever appends says where; what is there already is passed over, so a piece whose answer was lost is
sent again, and may have grown meanwhile. The job's row is locked while a piece is added, and says where the log ends:
a reader finds all bytes before that end. At LOG_MAX bytes the log is full: its last line says so, and what comes after
is dropped. The bytes are nobody's text here: a piece may end within a character.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from c3fs.errors import JobNotFoundError, LogOffsetError
from c3fs.registry import calls
from c3fs.registry.database import Database
from c3fs.registry.schema import job_logs, jobs

LOG_MAX: Final = 64 << 20
"""Bytes of one job's log that are kept. A log of exactly this length is full."""
PIECE_MAX: Final = 256 << 10
"""Bytes in one row: what reading a few of them takes."""
FULL: Final = b"\n[c3] the log is full: what the job wrote after this is not kept\n"


class JobLogs:
    """Those of one account. Each call is one transaction; any may raise StoreUnavailableError, and JobNotFoundError.
    Made by c3fs.registry.control."""

    def __init__(self, database: Database, account: str) -> None:
        self._database = database
        self._account = account

    async def append(self, job_id: str, offset: int, piece: bytes) -> int:
        """Where the log ends now; LOG_MAX when it is full and takes no more, wherever a piece begins. Raises
        LogOffsetError when bytes before `offset` have not come yet."""
        return await calls.write_again(
            self._database, lambda connection: append(connection, self._account, job_id, offset, piece)
        )

    async def read(self, job_id: str, offset: int, limit: int) -> bytes:
        """At most `limit` bytes from `offset` on; none at or beyond the end."""
        return await calls.read(
            self._database, lambda connection: read(connection, self._account, job_id, offset, limit)
        )

    async def end(self, job_id: str) -> int:
        """Bytes in the log."""
        return await calls.read(self._database, lambda connection: find_end(connection, self._account, job_id))

    async def tail(self, job_id: str, lines: int) -> int:
        """Where its last `lines` lines begin; a last line without an end is one."""
        return await calls.read(self._database, lambda connection: tail(connection, self._account, job_id, lines))


def append(connection: Connection, account: str, job_id: str, offset: int, piece: bytes) -> int:
    """See JobLogs."""
    end = find_end(connection, account, job_id, locked=True)
    if end == LOG_MAX:
        return end
    if offset > end:
        raise LogOffsetError(job_id, end)
    new = memoryview(piece)[end - offset :]
    if end + len(new) > LOG_MAX - len(FULL):
        new = memoryview(bytes(new[: LOG_MAX - len(FULL) - end]) + FULL)
    if not new:
        return end
    rows = [
        {"job": job_id, "position": end + at, "piece": bytes(new[at : at + PIECE_MAX])}
        for at in range(0, len(new), PIECE_MAX)
    ]
    connection.execute(insert(job_logs), rows)
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(log_size=end + len(new)))
    return end + len(new)


def find_end(connection: Connection, account: str, job_id: str, *, locked: bool = False) -> int:
    """Bytes in the log. Raises JobNotFoundError."""
    query = select(jobs.c.log_size).where(jobs.c.account == account, jobs.c.id == job_id)
    end = connection.execute(query.with_for_update(key_share=True) if locked else query).scalar_one_or_none()
    if end is None:
        raise JobNotFoundError(job_id)
    return end


def read(connection: Connection, account: str, job_id: str, offset: int, limit: int) -> bytes:
    """See JobLogs."""
    stop = min(offset + limit, find_end(connection, account, job_id))
    if stop <= offset:
        return b""
    mine = job_logs.c.job == job_id
    first = select(func.max(job_logs.c.position)).where(mine, job_logs.c.position <= offset).scalar_subquery()
    query = (
        select(job_logs.c.position, job_logs.c.piece)
        .where(mine, job_logs.c.position >= first, job_logs.c.position < stop)
        .order_by(job_logs.c.position)
    )
    found = bytearray()
    for position, piece in connection.execute(query):
        found += memoryview(piece)[max(0, offset - position) : stop - position]
    return bytes(found)


def tail(connection: Connection, account: str, job_id: str, lines: int) -> int:
    """See JobLogs. Goes back from the end, a piece at a time."""
    end = find_end(connection, account, job_id)
    if lines <= 0:
        return end
    wanted = lines
    for position, piece in _backwards(connection, job_id):
        at = len(piece)
        if position + at == end and piece.endswith(b"\n"):
            # The end of the last line begins no other.
            at -= 1
        while (at := piece.rfind(b"\n", 0, at)) >= 0:
            wanted -= 1
            if not wanted:
                return position + at + 1
    return 0


def _backwards(connection: Connection, job_id: str) -> Iterator[tuple[int, bytes]]:
    """The pieces, the last first."""
    query = select(job_logs.c.position, job_logs.c.piece).where(job_logs.c.job == job_id)
    before = None
    while True:
        here = query if before is None else query.where(job_logs.c.position < before)
        row = connection.execute(here.order_by(job_logs.c.position.desc()).limit(1)).one_or_none()
        if row is None:
            return
        before = row.position
        yield row.position, row.piece
