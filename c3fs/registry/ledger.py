"""The storage ledger in SQL: what an account stores, and each change of it.

Each function is part of a transaction that its caller makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BindParameter, Connection, bindparam, case, exists, func, insert, literal, select, update

from c3fs.registry.base import Balance, LedgerLine, Usage
from c3fs.registry.schema import accounts, ledger, manifest_blobs, manifests


def lock_account(connection: Connection, account: str) -> int:
    """The account's stored bytes; until this transaction ends nobody else changes them.

    SQLite's writers follow one another anyway; PostgreSQL locks the row, but not its key: rows that refer to the
    account, such as a new job's, need not wait.
    """
    query = select(accounts.c.stored).where(accounts.c.name == account).with_for_update(key_share=True)
    return connection.execute(query).scalar_one()


def new_bytes(connection: Connection, account: str, manifest_id: int) -> int:
    """The sizes of the manifest's blobs that no other manifest of the account names."""
    mine, other = manifest_blobs.alias("mine"), manifest_blobs.alias("other")
    named = exists(
        select(literal(1))
        .select_from(other.join(manifests, manifests.c.id == other.c.manifest))
        .where(
            other.c.digest == mine.c.digest,
            other.c.manifest != manifest_id,
            manifests.c.account == account,
        )
    )
    total = func.coalesce(func.sum(mine.c.size), 0)
    return int(connection.execute(select(total).where(mine.c.manifest == manifest_id, ~named)).scalar_one())


def charge(connection: Connection, account: str, ref: str, delta: int, stored: int, now: datetime) -> None:
    """Write a line of `delta` bytes down to an account that is locked and stores `stored` bytes."""
    balance = stored + delta
    connection.execute(update(accounts).where(accounts.c.name == account).values(stored=balance))
    line = {"account": account, "at": now, "ref": ref, "delta": delta, "balance": balance}
    connection.execute(insert(ledger), line)


def get_balance(connection: Connection, account: str, lines: int) -> Balance:
    """See c3fs.registry.base."""
    stored, quota = connection.execute(
        select(accounts.c.stored, accounts.c.quota).where(accounts.c.name == account)
    ).one()
    newest = (
        select(ledger.c.at, ledger.c.ref, ledger.c.delta, ledger.c.balance)
        .where(ledger.c.account == account)
        .order_by(ledger.c.id.desc())
        .limit(lines)
    )
    return Balance(stored, quota, tuple(LedgerLine(*row) for row in connection.execute(newest)))


def set_quota(connection: Connection, account: str, quota: int) -> None:
    """See c3fs.registry.base."""
    connection.execute(update(accounts).where(accounts.c.name == account).values(quota=quota))


def get_usage(connection: Connection, account: str, manifest_ids: Sequence[int]) -> Usage:
    """Of these manifests of the account together."""
    # Written into the statement: there may be more of them than a database takes parameters.
    ids: BindParameter[list[int]] = bindparam(
        "ids", value=list(set(manifest_ids)), expanding=True, literal_execute=True
    )
    mine = select(manifest_blobs.c.digest, manifest_blobs.c.size).where(manifest_blobs.c.manifest.in_(ids)).distinct()
    blobs, other = mine.subquery("blobs"), manifest_blobs.alias("other")
    elsewhere = exists(
        select(literal(1))
        .select_from(other.join(manifests, manifests.c.id == other.c.manifest))
        .where(other.c.digest == blobs.c.digest, other.c.manifest.not_in(ids), manifests.c.account == account)
    )
    stored = func.coalesce(func.sum(blobs.c.size), 0)
    unique = func.coalesce(func.sum(case((elsewhere, 0), else_=blobs.c.size)), 0)
    found = connection.execute(select(stored, unique).select_from(blobs)).one()
    return Usage(int(found[0]), int(found[1]))
