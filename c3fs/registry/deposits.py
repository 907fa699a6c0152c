"""Deposits: blobs that were put into the store past the control plane, with the SHA-256 that the store has checked.

Why such a blob may be believed, and what becomes of one that lies, is told in the package's notes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from c3fs.core.digest import Digest
from c3fs.errors import SweptError
from c3fs.registry import calls
from c3fs.registry.database import Database
from c3fs.registry.jobs import BATCH
from c3fs.registry.ledger import lock_account
from c3fs.registry.schema import deposits
from c3fs.registry.sweeps import condemned_since, mark

Claim = tuple[Digest, int, bytes]
"""A blob's digest and size, and the SHA-256 of its bytes, as somebody says."""


class Deposits:
    """Those of one account. Each call is one transaction; any may raise StoreUnavailableError. Made by
    c3fs.registry.control."""

    def __init__(self, database: Database, account: str, now: Callable[[], datetime]) -> None:
        self._database = database
        self._account = account
        self._now = now

    async def present(self, claims: Sequence[Claim]) -> set[Digest]:
        """Those that are there exactly as they are claimed."""
        return await calls.read(self._database, lambda connection: present(connection, self._account, claims))

    async def disputed(self, claims: Sequence[Claim]) -> dict[Digest, bytes]:
        """Those that are there with other bytes, whose SHA-256 this is: the claim is wrong, or what is there."""
        return await calls.read(self._database, lambda connection: disputed(connection, self._account, claims))

    async def mark(self) -> int:
        """To be asked for before looking whether the blobs that are to be confirmed are in the store."""
        now = self._now()
        return await calls.read(self._database, lambda connection: mark(connection, self._account, now))

    async def confirm(self, claims: Sequence[Claim], *, mark: int) -> set[Digest]:
        """Note that blobs have been seen in the store since `mark`, of that size, with that SHA-256; those that are
        there now as they are claimed. The others are disputed: of each there is another row already.

        Raises SweptError, having noted none, when a sweep that was not over at `mark` has condemned one: what was seen
        may be gone by now. Whoever put it begins anew, with a new mark."""
        return await calls.write_again(
            self._database, lambda connection: confirm(connection, self._account, claims, mark)
        )

    async def forget(self, wrong: Mapping[Digest, bytes]) -> None:
        """Forget the blobs that are there with this very SHA-256, and not what others have put instead meanwhile."""
        await calls.write_again(self._database, lambda connection: forget(connection, self._account, wrong))

    async def unconfirmed(self, blobs: Mapping[Digest, int]) -> set[Digest]:
        """Those of `blobs` that are not there with that many bytes."""
        return await calls.read(self._database, lambda connection: unconfirmed(connection, self._account, blobs))

    async def sha256_of(self, digests: Collection[Digest]) -> dict[Digest, bytes]:
        """Of those of `digests` that are there."""
        return await calls.read(self._database, lambda connection: sha256_of(connection, self._account, digests))


def present(connection: Connection, account: str, claims: Sequence[Claim]) -> set[Digest]:
    """See Deposits."""
    there = _rows(connection, account, [digest for digest, _, _ in claims])
    return {digest for digest, size, sha256 in claims if there.get(digest) == (size, sha256)}


def disputed(connection: Connection, account: str, claims: Sequence[Claim]) -> dict[Digest, bytes]:
    """See Deposits."""
    there = _rows(connection, account, [digest for digest, _, _ in claims])
    return {
        digest: there[digest][1]
        for digest, size, sha256 in claims
        if digest in there and there[digest] != (size, sha256)
    }


def unconfirmed(connection: Connection, account: str, blobs: Mapping[Digest, int]) -> set[Digest]:
    """See Deposits."""
    there = _rows(connection, account, blobs)
    return {digest for digest, size in blobs.items() if digest not in there or there[digest][0] != size}


def confirm(connection: Connection, account: str, claims: Sequence[Claim], mark: int) -> set[Digest]:
    """See Deposits. The account is locked: a sweep condemns before, and is seen, or after, and forgets these rows."""
    lock_account(connection, account)
    asked = {digest: (size, sha256) for digest, size, sha256 in claims}
    if condemned_since(connection, account, asked, mark):
        raise SweptError("the upload")
    there = _rows(connection, account, asked)
    new = [
        {"account": account, "digest": digest, "size": size, "sha256": sha256}
        for digest, (size, sha256) in sorted(asked.items())
        if digest not in there
    ]
    if new:
        connection.execute(insert(deposits), new)
    return {digest for digest, claimed in asked.items() if there.get(digest, claimed) == claimed}


def forget(connection: Connection, account: str, wrong: Mapping[Digest, bytes]) -> None:
    """See Deposits."""
    lock_account(connection, account)
    for digest, sha256 in wrong.items():
        here = (deposits.c.account == account, deposits.c.digest == bytes(digest), deposits.c.sha256 == sha256)
        connection.execute(delete(deposits).where(*here))


def sha256_of(connection: Connection, account: str, digests: Iterable[Digest]) -> dict[Digest, bytes]:
    """See Deposits."""
    return {digest: sha256 for digest, (_, sha256) in _rows(connection, account, digests).items()}


def _rows(connection: Connection, account: str, digests: Iterable[Digest]) -> dict[Digest, tuple[int, bytes]]:
    """Size and SHA-256 of those that are there."""
    asked = sorted(map(bytes, set(digests)))
    query = select(deposits.c.digest, deposits.c.size, deposits.c.sha256).where(deposits.c.account == account)
    found: dict[Digest, tuple[int, bytes]] = {}
    for at in range(0, len(asked), BATCH):
        rows = connection.execute(query.where(deposits.c.digest.in_(asked[at : at + BATCH])))
        found.update({Digest(digest): (size, sha256) for digest, size, sha256 in rows})
    return found
